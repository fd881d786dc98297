// How fast we may send. WhatsApp restricts accounts that write too much or start too many chats; these limits keep an
// account that answers people well below what has been reported to draw attention. Pure: time is an argument.

class Bucket {
  constructor(perMinute, burst, now) {
    Object.assign(this, { perMs: perMinute / 60_000, burst, level: burst, at: now });
  }
  #fill(now) {
    this.level = Math.min(this.burst, this.level + Math.max(0, now - this.at) * this.perMs);
    this.at = now;
  }
  // Milliseconds until one may go; 0: now.
  wait(now) {
    this.#fill(now);
    return this.level >= 1 ? 0 : Math.ceil((1 - this.level) / this.perMs);
  }
  take(now) {
    this.#fill(now);
    this.level -= 1;
  }
  full(now) {
    this.#fill(now);
    return this.level >= this.burst;
  }
}

const CHATS_MAX = 10_000; // Chats with a bucket that is not full; above that the oldest is forgotten.

export class RateLimit {
  #chats = new Map();
  constructor({ perMinute, burst, perChatMinute, perChatBurst }, now) {
    this.limits = { perChatMinute, perChatBurst };
    this.all = new Bucket(perMinute, burst, now);
  }

  // Milliseconds until a message to this chat may go.
  wait(chat, now) {
    return Math.max(this.all.wait(now), this.#chats.get(chat)?.wait(now) ?? 0);
  }

  take(chat, now) {
    this.all.take(now);
    let bucket = this.#chats.get(chat);
    if (!bucket) {
      this.#forgetIdle(now);
      bucket = new Bucket(this.limits.perChatMinute, this.limits.perChatBurst, now);
      this.#chats.set(chat, bucket);
    }
    bucket.take(now);
  }

  #forgetIdle(now) {
    if (this.#chats.size < CHATS_MAX) {
      return;
    }
    for (const [chat, bucket] of this.#chats) {
      if (bucket.full(now) || this.#chats.size >= CHATS_MAX) {
        this.#chats.delete(chat);
      }
    }
  }
}
