// Outgoing messages on the disk: what was accepted from a caller, what became of it. The caller's key names a message for
// ever; its WhatsApp id and bytes are fixed before it is first sent, so that sending it again is the same message.
//
//   queued -> sending -> accepted -> delivered -> read        states only ever move to the right,
//      |         |-> queued (no answer: again)                 except for that one step back
//      |         |-> failed
//      |-> cancelled, failed (expired)
import { randomUUID } from 'node:crypto';

import { generateMessageIDV2, proto } from '@whiskeysockets/baileys';

import { blob } from './database.js';
import { requestHash } from './outgoing.js';

export const WAITING_MAX = 10_000; // More unsent messages than that are a fault of the caller, not a peak.

const RANK = { queued: 0, sending: 1, accepted: 2, delivered: 3, read: 4 };
const FINAL = ['failed', 'cancelled'];
const DAY_MS = 86_400_000;

export class Outbox {
  constructor(store, events, { now = Date.now } = {}) {
    Object.assign(this, { store, events, now });
  }

  // {created, row}; undefined: the key belongs to another message. 'full': too many wait.
  add(key, request, { ownId } = {}) {
    return this.store.transaction(() => {
      const hash = requestHash(request);
      const known = this.byKey(key);
      if (known) {
        return known.body_hash === hash ? { created: false, row: known } : undefined;
      }
      if (this.counts().waiting >= WAITING_MAX) {
        return 'full';
      }
      const now = this.now();
      const id = randomUUID();
      this.store.run(
        `INSERT INTO outbox (id, key, body_hash, wa_id, chat, request, state, next_ms, expires_ms, created_ms, updated_ms)
         VALUES (?, ?, ?, ?, ?, ?, 'queued', ?, ?, ?, ?)`,
        id,
        key,
        hash,
        generateMessageIDV2(ownId),
        request.chat,
        JSON.stringify(request),
        now,
        now + request.ttlSeconds * 1000,
        now,
        now,
      );
      return { created: true, row: this.byId(id) };
    });
  }

  byKey(key) {
    return this.store.get('SELECT * FROM outbox WHERE key = ?', key);
  }
  byId(id) {
    return this.store.get('SELECT * FROM outbox WHERE id = ?', id);
  }
  byWaId(waId) {
    return this.store.get('SELECT * FROM outbox WHERE wa_id = ?', waId);
  }
  protoOf(row) {
    const bytes = blob(row?.proto);
    return bytes && proto.Message.decode(bytes);
  }

  counts() {
    const { queued, sending } = this.store.get(
      `SELECT count(*) FILTER (WHERE state = 'queued') AS queued, count(*) FILTER (WHERE state = 'sending') AS sending
       FROM outbox WHERE state IN ('queued', 'sending')`,
    );
    return { queued, sending, waiting: queued + sending };
  }

  // At start, and when the disk works again: what was being sent may or may not have left. It goes again, under its own id.
  recover(isLost = () => true) {
    const lost = this.store.all(`SELECT id, chat FROM outbox WHERE state = 'sending'`).filter(isLost);
    this.store.transaction(() => {
      for (const { id } of lost) {
        this.store.run(`UPDATE outbox SET state = 'queued', updated_ms = ? WHERE id = ?`, this.now(), id);
      }
    });
    return lost.length;
  }

  // The next message of each chat, oldest first. A chat keeps its order: what waits behind one that is not due waits too.
  heads(limit) {
    return this.store.all(
      `SELECT * FROM outbox WHERE rowid IN (SELECT min(rowid) FROM outbox WHERE state IN ('queued', 'sending') GROUP BY chat)
         AND state = 'queued' ORDER BY rowid LIMIT ?`,
      limit,
    );
  }

  // On the disk before a byte leaves.
  beginSending(row, { newChat = false } = {}) {
    const now = this.now();
    this.store.run(
      `UPDATE outbox SET state = 'sending', attempts = attempts + 1, updated_ms = ?,
         new_chat_ms = coalesce(new_chat_ms, ?) WHERE id = ?`,
      now,
      newChat ? now : null,
      row.id,
    );
  }

  // message: a proto.Message.
  setProto(row, message) {
    this.store.run('UPDATE outbox SET proto = ? WHERE id = ?', Buffer.from(proto.Message.encode(message).finish()), row.id);
  }

  // `countAttempt: false`: the link was lost, which says nothing about the message. `code`: why it was refused.
  retryAt(row, nextMs, { countAttempt = true, code = 0 } = {}) {
    this.store.run(
      `UPDATE outbox SET state = 'queued', next_ms = ?, updated_ms = ?, code = ?, attempts = attempts - ?
       WHERE id = ? AND state = 'sending'`,
      nextMs,
      this.now(),
      code,
      countAttempt ? 0 : 1,
      row.id,
    );
  }

  postpone(row, nextMs) {
    this.store.run(`UPDATE outbox SET next_ms = ? WHERE id = ?`, nextMs, row.id);
  }

  // Chats we began in the last day.
  newChats() {
    return this.store.get('SELECT count(*) AS count FROM outbox WHERE new_chat_ms > ?', this.now() - DAY_MS).count;
  }
  wroteTo(chat) {
    return (
      this.store.get(`SELECT 1 AS yes FROM outbox WHERE chat = ? AND state IN ('accepted', 'delivered', 'read') LIMIT 1`, chat) !==
      undefined
    );
  }

  // What WhatsApp said. Late and repeated reports change nothing. True: something changed.
  advance(waId, state, { code = 0, error = '' } = {}) {
    const changed = this.store.transaction(() => {
      const row = this.byWaId(waId);
      if (!row || FINAL.includes(row.state)) {
        return false;
      }
      if (state !== 'failed' && RANK[state] <= RANK[row.state]) {
        return false;
      }
      // A refusal that arrives after the acceptance of an earlier try refuses only the repetition.
      if (state === 'failed' && RANK[row.state] >= RANK.accepted) {
        return false;
      }
      this.store.run(
        'UPDATE outbox SET state = ?, code = ?, error = ?, updated_ms = ? WHERE id = ?',
        state,
        code,
        error,
        this.now(),
        row.id,
      );
      this.events.add(`out:${row.id}:${state}`, {
        type: 'receipt',
        id: row.id,
        key: row.key,
        wa_id: row.wa_id,
        state,
        code,
        error,
      });
      return true;
    });
    if (changed) {
      this.events.announce();
    }
    return changed;
  }

  cancel(row) {
    return (
      this.store.run(`UPDATE outbox SET state = 'cancelled', updated_ms = ? WHERE id = ? AND state = 'queued'`, this.now(), row.id)
        .changes === 1
    );
  }

  // Too old to be of use to anybody.
  expire() {
    const rows = this.store.all(`SELECT wa_id FROM outbox WHERE state = 'queued' AND expires_ms <= ?`, this.now());
    for (const row of rows) {
      this.advance(row.wa_id, 'failed', { error: 'expired' });
    }
    return rows.length;
  }

  forgetBefore(ms) {
    return this.store.run(`DELETE FROM outbox WHERE updated_ms < ? AND state NOT IN ('queued', 'sending')`, ms).changes;
  }
}

export const outboxView = (row) => ({
  id: row.id,
  wa_id: row.wa_id,
  to: row.chat,
  type: JSON.parse(row.request).type,
  state: row.state,
  code: row.code,
  error: row.error,
  attempts: row.attempts,
  created_at: new Date(row.created_ms).toISOString(),
  updated_at: new Date(row.updated_ms).toISOString(),
});
