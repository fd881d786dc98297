// The bridge's one SQLite file: keys of the WhatsApp session, received events, outgoing messages. Everything in it is
// durable when the call returns (WAL, synchronous=FULL). Synchronous on purpose: a write takes a fraction of a
// millisecond, and no other code can run in the middle of one.
//
// The exclusive lock is SQLite's own, held by the kernel for this process: a second bridge on the same folder is
// refused, and a killed one leaves nothing to clean up.
import { mkdirSync } from 'node:fs';
import path from 'node:path';

import Database from 'libsql';

// Raise it with each step added below. A newer file than we know is refused, never guessed at.
const STEPS = [
  `CREATE TABLE auth (type TEXT NOT NULL, id TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY (type, id)) WITHOUT ROWID;
   CREATE TABLE event (
     seq INTEGER PRIMARY KEY AUTOINCREMENT,
     event_id TEXT NOT NULL UNIQUE,
     created_ms INTEGER NOT NULL,
     body TEXT NOT NULL,
     message BLOB,
     acked_ms INTEGER);
   CREATE TABLE outbox (
     id TEXT PRIMARY KEY,
     key TEXT NOT NULL UNIQUE,
     body_hash TEXT NOT NULL,
     wa_id TEXT NOT NULL UNIQUE,
     chat TEXT NOT NULL,
     request TEXT NOT NULL,
     proto BLOB,
     state TEXT NOT NULL,
     code INTEGER NOT NULL DEFAULT 0,
     error TEXT NOT NULL DEFAULT '',
     attempts INTEGER NOT NULL DEFAULT 0,
     new_chat_ms INTEGER,
     next_ms INTEGER NOT NULL,
     expires_ms INTEGER NOT NULL,
     created_ms INTEGER NOT NULL,
     updated_ms INTEGER NOT NULL);
   CREATE INDEX event_message ON event (body ->> '$.message.id') WHERE message IS NOT NULL;
   CREATE INDEX outbox_work ON outbox (chat) WHERE state IN ('queued', 'sending');
   CREATE INDEX outbox_chat ON outbox (chat, state);
   CREATE INDEX outbox_new_chat ON outbox (new_chat_ms) WHERE new_chat_ms IS NOT NULL;
   CREATE TABLE number (phone TEXT PRIMARY KEY, jid TEXT, checked_ms INTEGER NOT NULL) WITHOUT ROWID;
   CREATE TABLE contact (jid TEXT PRIMARY KEY, first_ms INTEGER NOT NULL) WITHOUT ROWID;
   CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;`,
];

// kind: 'locked' (somebody else has it), 'data' (damaged or too new), 'full', 'io'. `remedy` is for the operator.
export class StorageError extends Error {
  constructor(kind, message, remedy) {
    super(message);
    this.name = 'StorageError';
    this.kind = kind;
    this.remedy = remedy;
  }
}

function storageError(error, file) {
  const code = error?.code ?? '';
  if (code.startsWith('SQLITE_BUSY') || code.startsWith('SQLITE_LOCKED')) {
    return new StorageError('locked', `${file} is in use by another bridge`, 'end the other bridge (agentlocator stale)');
  }
  if (code.startsWith('SQLITE_CORRUPT') || code.startsWith('SQLITE_NOTADB')) {
    return new StorageError(
      'data',
      `${file} is damaged: ${error.message}`,
      'move the file away and pair again, or restore it; it is never replaced by an empty one without you',
    );
  }
  if (code.startsWith('SQLITE_FULL')) {
    return new StorageError('full', 'the disk is full, or BAILEYS_DATABASE_MB_MAX is reached', 'make room');
  }
  if (code.startsWith('SQLITE_')) {
    return new StorageError('io', `${file}: ${error.message}`, 'see that the disk works and is writable');
  }
  return error;
}

export class Store {
  #db;
  #statements = new Map();
  #depth = 0;
  // Called with a StorageError before it is thrown: the link must not tell WhatsApp anything after a failed write.
  onFailure = () => {};

  // The page of SQLite is 4 KiB, hence 256 to the megabyte.
  constructor(folder, { megabytesMax }) {
    this.file = path.join(folder, 'bridge.db');
    try {
      mkdirSync(folder, { recursive: true, mode: 0o700 });
      this.#db = new Database(this.file);
      this.#db.pragma('busy_timeout=0');
      this.#db.pragma('locking_mode=EXCLUSIVE');
      this.#db.pragma('journal_mode=WAL');
      this.#db.pragma('synchronous=FULL');
      this.#db.pragma(`max_page_count=${megabytesMax * 256}`);
      const verdict = this.#db.pragma('quick_check')[0]?.quick_check;
      if (verdict !== 'ok') {
        throw Object.assign(new Error(String(verdict)), { code: 'SQLITE_CORRUPT' });
      }
      this.#migrate();
    } catch (error) {
      if (error?.code === 'EACCES' || error?.code === 'EROFS' || error?.code === 'ENOSPC') {
        throw new StorageError('io', `${folder}: ${error.message}`, 'make the data folder writable');
      }
      throw storageError(error, this.file);
    }
  }

  #migrate() {
    const version = this.#db.pragma('user_version')[0].user_version;
    if (version > STEPS.length) {
      throw new StorageError('data', `${this.file} was written by a newer bridge`, 'install that version again');
    }
    for (let step = version; step < STEPS.length; ++step) {
      this.#db.exec(`BEGIN IMMEDIATE; ${STEPS[step]}; PRAGMA user_version=${step + 1}; COMMIT`);
    }
  }

  #prepared(sql) {
    let statement = this.#statements.get(sql);
    if (!statement) {
      statement = this.#db.prepare(sql);
      this.#statements.set(sql, statement);
    }
    return statement;
  }

  #attempt(work) {
    try {
      return work();
    } catch (error) {
      const told = storageError(error, this.file);
      if (told instanceof StorageError && error !== told) {
        this.onFailure(told);
      }
      throw told;
    }
  }

  // Values are always bound as an array: a lone Buffer is taken for named parameters by the library, which aborts.
  run(sql, ...values) {
    return this.#attempt(() => this.#prepared(sql).run(values));
  }
  get(sql, ...values) {
    return this.#attempt(() => withoutMetadata(this.#prepared(sql).get(values)));
  }
  all(sql, ...values) {
    return this.#attempt(() => this.#prepared(sql).all(values).map(withoutMetadata));
  }

  // All or nothing. Joins a transaction that is already open.
  transaction(work) {
    if (this.#depth > 0) {
      return work();
    }
    return this.#attempt(() => {
      this.#db.exec('BEGIN IMMEDIATE');
      this.#depth = 1;
      try {
        const result = work();
        this.#db.exec('COMMIT');
        return result;
      } catch (error) {
        // A full disk may already have rolled back; then this one fails and says nothing new.
        try {
          this.#db.exec('ROLLBACK');
        } catch {}
        throw error;
      } finally {
        this.#depth = 0;
      }
    });
  }

  // Whether a write goes through now. After a failure the link asks before it opens again. Big enough to need a page.
  writable() {
    try {
      this.transaction(() => {
        this.run(`INSERT OR REPLACE INTO meta (name, value) VALUES ('probe', ?)`, 'x'.repeat(16 * 1024));
        this.run(`DELETE FROM meta WHERE name = 'probe'`);
      });
      return true;
    } catch {
      return false;
    }
  }

  // The log is folded into the file, so that a stopped bridge is one file to copy.
  close() {
    this.#statements.clear();
    try {
      this.#db.pragma('wal_checkpoint(TRUNCATE)');
    } catch {} // Nothing is lost: the next start reads the log.
    this.#db.close();
  }
}

function withoutMetadata(row) {
  if (row) {
    delete row._metadata;
  }
  return row;
}

// libsql hands out ArrayBuffers.
export const blob = (value) => (value === null || value === undefined ? undefined : Buffer.from(value));
