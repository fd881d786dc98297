// Baileys' credentials and Signal keys in the store. The shape Baileys wants: {creds, keys: {get, set}}.
//
// Credentials are written only once a phone has linked us (they have `account` then). A pairing that was begun and never
// confirmed therefore leaves nothing behind: no half identity that would be refused at the next login.
import { BufferJSON, initAuthCreds, proto } from '@whiskeysockets/baileys';

import { StorageError } from './database.js';

// A pseudo key type: rows of it are events, inserted in the same transaction as the ratchet step (signal_repository.js).
export const INBOX = 'agentlocator-inbox';

const encode = (value) => JSON.stringify(value, BufferJSON.replacer);
const decode = (text) => JSON.parse(text, BufferJSON.reviver);

export class AuthState {
  constructor(store, events) {
    this.store = store;
    this.events = events;
    this.creds = this.#load() ?? initAuthCreds();
    this.keys = { get: async (type, ids) => this.#get(type, ids), set: async (data) => this.#set(data) };
  }

  get paired() {
    return Boolean(this.creds.account);
  }

  #load() {
    const row = this.store.get(`SELECT value FROM auth WHERE type = 'creds' AND id = ''`);
    if (!row) {
      return undefined;
    }
    try {
      const creds = decode(row.value);
      if (creds.account && creds.me?.id && creds.noiseKey?.private && creds.signedIdentityKey?.private) {
        return creds;
      }
    } catch {}
    // Never a fresh identity in their place: that would silently unlink the phone.
    throw new StorageError(
      'data',
      `the WhatsApp credentials in ${this.store.file} are damaged`,
      'restore the file, or move it away and pair again',
    );
  }

  // A new identity for a new pairing. The old one, if there is one, was refused by WhatsApp; it is kept until the next
  // time, because "unlinked" has been said in error before (F-44).
  setAside() {
    this.store.transaction(() => {
      if (this.store.get(`SELECT 1 AS yes FROM auth WHERE type = 'creds'`)) {
        this.store.run(`DELETE FROM auth WHERE type LIKE 'old:%'`);
        this.store.run(`UPDATE auth SET type = 'old:' || type`);
      }
    });
    this.creds = initAuthCreds();
  }

  saveCreds() {
    if (this.paired) {
      this.store.run(`INSERT OR REPLACE INTO auth (type, id, value) VALUES ('creds', '', ?)`, encode(this.creds));
    }
  }

  // Unlinked: the keys are of no use any more, and are secrets.
  forget() {
    this.store.run('DELETE FROM auth');
    this.creds = initAuthCreds();
  }

  #get(type, ids) {
    const found = {};
    for (const id of ids) {
      const row = this.store.get('SELECT value FROM auth WHERE type = ? AND id = ?', type, id);
      if (row) {
        const value = decode(row.value);
        found[id] = type === 'app-state-sync-key' ? proto.Message.AppStateSyncKeyData.fromObject(value) : value;
      }
    }
    return found;
  }

  #set(data) {
    this.store.transaction(() => {
      for (const [type, entries] of Object.entries(data)) {
        for (const [id, value] of Object.entries(entries ?? {})) {
          if (type === INBOX) {
            this.events.addReceived(value);
          } else if (value === null || value === undefined) {
            this.store.run('DELETE FROM auth WHERE type = ? AND id = ?', type, id);
          } else {
            this.store.run('INSERT OR REPLACE INTO auth (type, id, value) VALUES (?, ?, ?)', type, id, encode(value));
          }
        }
      }
    });
    this.events.announce();
  }

  // What is known of a person's other address, from the mapping Baileys keeps. Either may be null.
  phoneOf(lidUser) {
    return this.#mapping(`${lidUser}_reverse`);
  }
  lidOf(phone) {
    return this.#mapping(phone);
  }
  #mapping(id) {
    const row = this.store.get(`SELECT value FROM auth WHERE type = 'lid-mapping' AND id = ?`, id);
    return row ? String(decode(row.value)) : null;
  }
}
