// The durable list of events and its one reader's cursor. Events are inserted inside whatever transaction made them true,
// so that neither exists without the other; whoever waits is told after the commit.
import { proto } from '@whiskeysockets/baileys';

import { blob } from './database.js';
import { describeMessage, person } from './message.js';

export const EVENTS_PER_CALL_MAX = 500;

// Must not fail: it would undo the ratchet step it runs in.
function saidIn(message) {
  try {
    return describeMessage(message);
  } catch {
    return { kind: 'other', text: null, reply_to: null, media: null, location: null };
  }
}

export class Events {
  #waiting = new Set();
  known = undefined; // AuthState, once there is one: which number belongs to which LID.

  constructor(store, { now = Date.now } = {}) {
    this.store = store;
    this.now = now;
  }

  // Inserts; an event_id that is there already is left as it is. True: it is new.
  add(event_id, event, message) {
    const nowMs = this.now();
    const body = JSON.stringify({ ...event, at: new Date(nowMs).toISOString() });
    const { changes } = this.store.run(
      'INSERT INTO event (event_id, created_ms, body, message) VALUES (?, ?, ?, ?) ON CONFLICT (event_id) DO NOTHING',
      event_id,
      nowMs,
      body,
      message ?? null,
    );
    return changes === 1;
  }

  // A decrypted message (signal_repository.js). Runs inside the ratchet's transaction.
  addReceived(row) {
    const said = row.category === 'peer' ? undefined : saidIn(row.message);
    if (!said) {
      return;
    }
    const { key } = row;
    const group = key.remoteJid.endsWith('@g.us');
    const chat = group
      ? { jid: key.remoteJid, lid: null, phone: null, group }
      : { ...person(key.remoteJid, key.remoteJidAlt, this.known), group };
    const from = group ? person(key.participant, key.participantAlt, this.known) : chat;
    const isNew = this.add(
      row.event_id,
      {
        type: 'message',
        chat,
        from: { jid: from.jid, lid: from.lid, phone: from.phone, name: row.name },
        to: { phone: row.own ?? null },
        from_me: Boolean(key.fromMe),
        offline: row.offline,
        message: { id: key.id, ts: row.ts, ...said },
      },
      Buffer.from(proto.Message.encode(row.message).finish()),
    );
    if (isNew && !key.fromMe) {
      for (const jid of [chat.lid, chat.phone && `${chat.phone}@s.whatsapp.net`, group && chat.jid]) {
        if (jid) {
          this.store.run('INSERT OR IGNORE INTO contact (jid, first_ms) VALUES (?, ?)', jid, this.now());
        }
      }
    }
  }

  // Has somebody in this chat written to us, ever? Answering them is no cold call.
  wroteToUs(jid) {
    return this.store.get('SELECT 1 AS yes FROM contact WHERE jid = ?', jid) !== undefined;
  }

  has(event_id) {
    return this.store.get('SELECT 1 AS yes FROM event WHERE event_id = ?', event_id) !== undefined;
  }

  // Wakes who waits. To be called after the commit.
  announce() {
    for (const wake of this.#waiting) {
      wake();
    }
  }

  acknowledged() {
    return Number(this.store.get(`SELECT value FROM meta WHERE name = 'acknowledged'`)?.value ?? 0);
  }

  last() {
    return Number(this.store.get(`SELECT seq FROM sqlite_sequence WHERE name = 'event'`)?.seq ?? 0);
  }

  unacknowledged() {
    const { count, first } = this.store.get('SELECT count(*) AS count, min(created_ms) AS first FROM event WHERE acked_ms IS NULL');
    return { count, oldest_ms: first };
  }

  after(seq, limit) {
    const rows = this.store.all('SELECT seq, event_id, body FROM event WHERE seq > ? ORDER BY seq LIMIT ?', seq, limit);
    return rows.map((row) => ({ seq: row.seq, event_id: row.event_id, ...JSON.parse(row.body) }));
  }

  // As `after`, but waits for one up to waitMs, or until the signal.
  async wait(seq, limit, waitMs, signal) {
    const found = this.after(seq, limit);
    if (found.length > 0 || waitMs <= 0 || signal?.aborted) {
      return found;
    }
    await new Promise((resolve) => {
      const done = () => {
        clearTimeout(timer);
        this.#waiting.delete(done);
        signal?.removeEventListener('abort', done);
        resolve();
      };
      const timer = setTimeout(done, waitMs);
      this.#waiting.add(done);
      signal?.addEventListener('abort', done);
    });
    return signal?.aborted ? [] : this.after(seq, limit);
  }

  acknowledge(upto) {
    return this.store.transaction(() => {
      const before = this.acknowledged();
      const now = Math.max(before, Math.min(upto, this.last()));
      if (now > before) {
        this.store.run(`INSERT OR REPLACE INTO meta (name, value) VALUES ('acknowledged', ?)`, String(now));
        this.store.run('UPDATE event SET acked_ms = ? WHERE seq > ? AND seq <= ?', this.now(), before, now);
      }
      return now;
    });
  }

  // A received message's protobuf, for its file.
  message(event_id) {
    const row = this.store.get('SELECT body, message FROM event WHERE event_id = ?', event_id);
    const bytes = row && blob(row.message);
    return bytes && { message: proto.Message.decode(bytes), event: JSON.parse(row.body) };
  }

  // By WhatsApp's id, which senders choose: good enough to quote, never to trust.
  messageById(id) {
    const row = this.store.get(
      `SELECT event_id FROM event WHERE message IS NOT NULL AND body ->> '$.message.id' = ? ORDER BY seq DESC LIMIT 1`,
      id,
    );
    return row && this.message(row.event_id);
  }

  // Their ids are what recognises a message that WhatsApp repeats, hence the days.
  forgetBefore(ms) {
    return this.store.run('DELETE FROM event WHERE acked_ms < ?', ms).changes;
  }
}
