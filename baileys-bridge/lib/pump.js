// Works the outbox off: one message in flight for a chat, four in all, oldest first, no faster than the limits, and only
// while the link can send. What WhatsApp answers comes in through onAck; a send is over only then.
import { log, redacted } from './log.js';

export const PUMP = {
  inFlightMax: 4,
  relayMs: 20_000, // A first message to somebody needs their devices and keys from WhatsApp.
  ackMs: 15_000,
  attemptsMax: 5, // Refusals and silence on an open link; a lost link does not count.
  silencesMax: 2, // That many unanswered sends in a row: the link only looks open.
  backoffMs: 2_000,
  stopMs: 2_000,
  numberMs: 7 * 86_400_000, // Whether a number is on WhatsApp is asked once a week.
  newChatWaitMs: 600_000,
};

const REACH_OUT_REFUSED = 463; // "Not allowed to start chats": trying again makes it worse.
const STALE_DEVICES = 479; // The recipient's devices changed; asked for anew, once.
const BREAKER_MS = 6 * 3_600_000;

export class Pump {
  #inFlight = new Map(); // chat -> row
  #acks = new Map(); // wa_id -> {resolve, reject}
  #timer;
  #stopping = false;
  #silences = 0;
  #breakerUntil = 0;
  metrics = { accepted: 0, failed: 0, repeated: 0, ack_ms_sum: 0, refused_463: 0, not_on_whatsapp: 0 };

  constructor({ outbox, events, link, store, rate, newChatsPerDay, now = Date.now }) {
    Object.assign(this, { outbox, events, link, store, rate, newChatsPerDay, now });
  }

  get restrictedUntil() {
    return this.#breakerUntil > this.now() ? new Date(this.#breakerUntil) : undefined;
  }

  // Something changed: a new message, an open link, room for one more.
  kick() {
    if (!this.#stopping && !this.#timer) {
      this.#arm(0);
    }
  }

  // No new sends; those in flight get a moment for their answer.
  async stop() {
    this.#stopping = true;
    clearTimeout(this.#timer);
    const deadline = this.now() + PUMP.stopMs;
    while (this.#inFlight.size > 0 && this.now() < deadline && this.link.truths.connected) {
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  isInFlight(row) {
    return this.#inFlight.get(row.chat)?.id === row.id;
  }

  // WhatsApp's answer; late ones count as well.
  onAck(waId, code) {
    if (code === 0) {
      this.outbox.advance(waId, 'accepted');
    }
    this.#acks.get(waId)?.resolve(code);
  }

  // No answer comes on a link that is gone: what waits for one goes again on the next link, at once.
  onLinkLost() {
    for (const { reject } of this.#acks.values()) {
      reject(new Error('the link was lost'));
    }
  }

  #arm(ms) {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      try {
        this.#look();
      } catch (error) {
        if (error?.name !== 'StorageError') {
          throw error;
        }
        this.#arm(PUMP.backoffMs);
      }
    }, ms);
  }

  #look() {
    this.outbox.expire();
    if (this.#stopping || !this.link.maySend) {
      return; // A kick comes when that changes; what expires meanwhile is found by housekeeping.
    }
    const now = this.now();
    let next = Infinity;
    for (const row of this.outbox.heads(500)) {
      if (this.#inFlight.size >= PUMP.inFlightMax) {
        return; // The next one to finish looks again.
      }
      if (this.#inFlight.has(row.chat)) {
        continue;
      }
      const due = Math.max(row.next_ms, now + this.rate.wait(row.chat, now));
      if (due > now) {
        next = Math.min(next, due);
        continue;
      }
      this.#start(row, now);
    }
    if (next < Infinity) {
      this.#arm(Math.max(1, next - now));
    }
  }

  #start(row, now) {
    const first = this.#isFirstContact(row);
    if (first && (this.#breakerUntil > now || this.outbox.newChats() >= this.newChatsPerDay)) {
      this.outbox.postpone(row, now + PUMP.newChatWaitMs);
      log('new_chat_postponed', { id: row.id, reason: this.#breakerUntil > now ? 'refused_by_whatsapp' : 'BAILEYS_NEW_CHATS_PER_DAY' });
      return this.#arm(1);
    }
    this.#inFlight.set(row.chat, row);
    this.rate.take(row.chat, now);
    this.#send(row, first)
      .catch((error) => this.#onFault(row, error))
      .finally(() => {
        this.#acks.delete(row.wa_id);
        this.#inFlight.delete(row.chat);
        this.kick();
      });
  }

  #isFirstContact(row) {
    return !row.chat.endsWith('@g.us') && row.new_chat_ms === null && !this.events.wroteToUs(row.chat) && !this.outbox.wroteTo(row.chat);
  }

  async #send(row, first) {
    if (first && row.chat.endsWith('@s.whatsapp.net') && !(await this.lookUp(row.chat.split('@')[0])).jid) {
      this.metrics.not_on_whatsapp += 1;
      this.outbox.beginSending(row);
      this.#fail(row, 0, 'not_on_whatsapp');
      return;
    }
    this.outbox.beginSending(row, { newChat: first });
    let message = this.outbox.protoOf(row);
    const again = message !== undefined; // Also after a lost link, which counts for no attempt.
    if (!again) {
      const request = JSON.parse(row.request);
      message = await this.link.build(request, row.wa_id, this.#quoted(request));
      this.outbox.setProto(row, message);
    }
    if (row.attempts > 0) {
      this.metrics.repeated += 1;
    }
    const began = this.now();
    // Waiting starts before sending: the answer may be faster than our own promise.
    const answered = new Promise((resolve, reject) => this.#acks.set(row.wa_id, { resolve, reject }));
    answered.catch(() => {}); // Where sending itself fails first.
    const how = { refreshDevices: row.code === STALE_DEVICES, again };
    await withTimeout(this.link.relay(row.chat, message, row.wa_id, how), PUMP.relayMs);
    const code = await withTimeout(answered, PUMP.ackMs);
    this.#silences = 0;
    if (code === 0) {
      this.metrics.accepted += 1;
      this.metrics.ack_ms_sum += this.now() - began;
      return;
    }
    this.#onRefusal(row, code);
  }

  #onRefusal(row, code) {
    log('message_refused', { id: row.id, code });
    if (code === REACH_OUT_REFUSED) {
      this.metrics.refused_463 += 1;
      this.#breakerUntil = this.now() + BREAKER_MS;
      return this.#fail(row, code, 'refused');
    }
    const again = code === STALE_DEVICES ? row.attempts === 0 : code >= 500 && row.attempts + 1 < PUMP.attemptsMax;
    if (again) {
      this.outbox.retryAt(row, this.now() + this.#backoff(row), { code });
    } else {
      this.#fail(row, code, 'refused');
    }
  }

  #onFault(row, error) {
    if (error?.name === 'StorageError') {
      return; // Still `sending` or `queued` on the disk; put back when the disk works again.
    }
    const open = this.link.truths.connected;
    if (open && error instanceof TimedOut && ++this.#silences >= PUMP.silencesMax) {
      this.#silences = 0;
      this.link.suspect('sends_not_answered');
    }
    log('message_not_answered', { id: row.id, attempt: row.attempts + 1, connected: open, error: redacted(error?.message ?? error) });
    try {
      if (error?.code === 'ENOENT' || error?.code === 'EACCES') {
        return this.#fail(row, 0, 'media_missing');
      }
      if (open && row.attempts + 1 >= PUMP.attemptsMax) {
        return this.#fail(row, 0, error instanceof TimedOut ? 'no_answer' : 'refused');
      }
      this.outbox.retryAt(row, this.now() + (open ? this.#backoff(row) : 0), { countAttempt: open });
    } catch (storage) {
      if (storage?.name !== 'StorageError') {
        throw storage;
      }
    }
  }

  #fail(row, code, error) {
    this.metrics.failed += 1;
    this.outbox.advance(row.wa_id, 'failed', { code, error });
  }

  #backoff(row) {
    return PUMP.backoffMs * 2 ** Math.min(row.attempts, 6);
  }

  #quoted({ replyTo, chat }) {
    if (!replyTo) {
      return undefined;
    }
    const ours = this.outbox.byWaId(replyTo);
    if (ours) {
      return { key: { remoteJid: chat, fromMe: true, id: replyTo }, message: this.outbox.protoOf(ours) ?? { conversation: '' } };
    }
    const found = this.events.messageById(replyTo);
    const participant = found?.event.chat.group ? found.event.from.jid : undefined;
    return { key: { remoteJid: chat, fromMe: false, id: replyTo, participant }, message: found?.message ?? { conversation: '' } };
  }

  // {jid or null, checked_ms}. From the table while that is fresh.
  async lookUp(phone) {
    const known = this.store.get('SELECT jid, checked_ms FROM number WHERE phone = ? AND checked_ms > ?', phone, this.now() - PUMP.numberMs);
    if (known) {
      return known;
    }
    const jid = await this.link.onWhatsApp(phone);
    const checked_ms = this.now();
    this.store.run('INSERT OR REPLACE INTO number (phone, jid, checked_ms) VALUES (?, ?, ?)', phone, jid, checked_ms);
    return { jid, checked_ms };
  }
}

class TimedOut extends Error {}

function withTimeout(promise, ms) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new TimedOut('no answer in time')), ms);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}
