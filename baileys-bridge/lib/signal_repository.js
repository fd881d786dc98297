// Where a received message becomes ours. Baileys decrypts (the ratchet moves on and the same message can never be
// decrypted again), tells WhatsApp "delivered", and only then emits an event; whatever dies in between loses the message
// for good. Here the plaintext is stored in the very transaction that moves the ratchet: afterwards it is in our events,
// before it WhatsApp still has it and sends it again.
//
// A second fault is mended on the way. Baileys' sending runs in one long transaction, which encrypts, sends, and saves the
// ratchet last. Killed in between, the next message would be encrypted with a used key, and the recipient could not read
// it; and a message decrypted meanwhile, under another lock, saves the same session record and one of the two is lost.
// So each ratchet step runs in a transaction of its own, committed before anything is sent, all under one lock.
//
// A third: the key of a group's member comes in a message to us alone, which can be read once. Baileys takes it out after
// the ratchet step is stored; killed in between, all he writes to the group is unreadable until his phone is asked for it
// again. Here it is taken out in the same transaction.
import { AsyncLocalStorage } from 'node:async_hooks';

import { decodeMessageNode, DEFAULT_CONNECTION_CONFIG, jidDecode, proto, unpadRandomMax16 } from '@whiskeysockets/baileys';

import { INBOX } from './auth_state.js';
import './libsignal_fix.js';

const LOCK = 'agentlocator-ratchet';

const children = (node) => (Array.isArray(node?.content) ? node.content : []);

// Returns {make, attach}: `make` for Baileys' makeSignalRepository, `attach(socket)` once the socket exists.
export function durableSignalRepository({ now = Date.now } = {}) {
  const stanzaOf = new WeakMap(); // The ciphertext's buffer -> the stanza it came in.

  function attach(socket) {
    socket.ws.prependListener('CB:message', (stanza) => {
      for (const child of children(stanza)) {
        if (child.tag === 'enc' && child.content instanceof Uint8Array) {
          stanzaOf.set(child.content, stanza);
        }
      }
    });
  }

  function make(auth, ...rest) {
    const repository = DEFAULT_CONNECTION_CONFIG.makeSignalRepository(auth, ...rest);
    // The context of no transaction: what runs in it starts one of its own instead of joining the caller's.
    const outside = AsyncLocalStorage.snapshot();
    const step = (work) => outside(() => auth.keys.transaction(work, LOCK));

    const keep = async (ciphertext, padded) => {
      const stanza = stanzaOf.get(ciphertext);
      const row = stanza && parsedRow(stanza, padded, auth.creds, now());
      if (row) {
        await auth.keys.set({ [INBOX]: { [row.event_id]: row } });
      }
    };
    const takeSenderKey = repository.processSenderKeyDistributionMessage.bind(repository);
    const taken = new Set(); // Keys that Baileys is about to hand us a second time: each adds a state of five.
    const keyName = ({ authorJid, item }) => `${authorJid} ${Buffer.from(item.axolotlSenderKeyDistributionMessage).toString('base64')}`;
    repository.processSenderKeyDistributionMessage = (options) =>
      taken.delete(keyName(options)) ? Promise.resolve() : step(() => takeSenderKey(options));
    const takeSenderKeyOf = async (ciphertext, padded) => {
      const stanza = stanzaOf.get(ciphertext);
      try {
        const key = stanza && senderKeyIn(stanza, padded, auth.creds);
        if (key) {
          await takeSenderKey(key);
          taken.add(keyName(key));
        }
      } catch {} // As with parsedRow: the ratchet step stays. Baileys fails on it too and says so.
    };

    const decryptMessage = repository.decryptMessage.bind(repository);
    repository.decryptMessage = (options) =>
      step(async () => {
        const plain = await decryptMessage(options);
        await keep(options.ciphertext, plain);
        await takeSenderKeyOf(options.ciphertext, plain);
        return plain;
      });
    const decryptGroupMessage = repository.decryptGroupMessage.bind(repository);
    repository.decryptGroupMessage = (options) =>
      step(async () => {
        const plain = await decryptGroupMessage(options);
        await keep(options.msg, plain);
        return plain;
      });
    for (const name of [
      'encryptMessage',
      'encryptGroupMessage',
      'getSenderKeyDistributionMessage',
      'injectE2ESession',
      'migrateSession',
      'deleteSession',
    ]) {
      const original = repository[name].bind(repository);
      repository[name] = (...args) => step(() => original(...args));
    }
    return repository;
  }

  return { make, attach };
}

// A part nobody can parse must not undo the ratchet step: WhatsApp would send it again, for ever.
function parsedRow(...args) {
  try {
    return receivedRow(...args);
  } catch {
    return undefined; // Baileys fails on it too and reports it as undecryptable.
  }
}

// {authorJid, item} of a group member's key, where Baileys looks for it; undefined: there is none.
function senderKeyIn(stanza, padded, creds) {
  const decoded = proto.Message.decode(unpadRandomMax16(padded));
  const item = (decoded.deviceSentMessage?.message ?? decoded).senderKeyDistributionMessage;
  return item?.groupId && { authorJid: decodeMessageNode(stanza, creds.me.id, creds.me.lid || '').author, item };
}

// The row for one decrypted part of a stanza. Events.addReceived leaves out those in which nobody says anything.
export function receivedRow(stanza, padded, creds, nowMs) {
  const decoded = proto.Message.decode(unpadRandomMax16(padded));
  const message = decoded.deviceSentMessage?.message ?? decoded;
  const { fullMessage } = decodeMessageNode(stanza, creds.me.id, creds.me.lid || '');
  return {
    event_id: receivedId(fullMessage.key),
    key: fullMessage.key,
    own: jidDecode(creds.me.id)?.user, // Whose message it is: another phone may be linked before it is read.
    name: fullMessage.pushName ?? null,
    ts: fullMessage.messageTimestamp,
    offline: Boolean(stanza.attrs.offline),
    category: stanza.attrs.category ?? '',
    message,
    created_ms: nowMs,
  };
}

export const receivedId = (key) =>
  ['in', key.remoteJid, ...(key.participant ? [key.participant] : []), key.id].join(':');
