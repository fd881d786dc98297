// Somebody with WhatsApp on a phone: real Signal keys, real sessions, an inbox of what could be decrypted.
import { createRequire } from 'node:module';
import { randomBytes } from 'node:crypto';

import {
  Curve,
  encodeBigEndian,
  generateRegistrationId,
  generateSignalPubKey,
  KEY_BUNDLE_TYPE,
  proto,
  signedKeyPair,
  unpadRandomMax16,
  writeRandomPadMax16,
  xmppPreKey,
  xmppSignedPreKey,
} from '@whiskeysockets/baileys';

import '../../lib/libsignal_fix.js'; // Phones do not have that fault.

const signal = createRequire(import.meta.url)('libsignal');

const signalPair = (pair) => ({ privKey: Buffer.from(pair.private), pubKey: Buffer.from(generateSignalPubKey(pair.public)) });
export const seconds = () => String(Math.floor(Date.now() / 1000));
const PKMSG = 3; // libsignal's number for a message that also sets up a session.

export class Person {
  #identity = Curve.generateKeyPair();
  #signedPreKey = signedKeyPair(this.#identity, 1);
  #preKeys = new Map();
  #sessions = new Map();
  registration = generateRegistrationId();
  hasKeys = true; // False: WhatsApp gives nobody his keys.
  inbox = []; // {id, message} or {id, error}

  constructor(server, { phone, lid, name }) {
    Object.assign(this, { server, phone, name, jid: `${phone}@s.whatsapp.net`, lid: `${lid}@lid` });
  }

  // Our keys, as the server hands them to somebody who wants to write to us.
  bundle() {
    const id = this.#preKeys.size + 1;
    const pair = Curve.generateKeyPair();
    this.#preKeys.set(id, pair);
    return [
      { tag: 'registration', attrs: {}, content: encodeBigEndian(this.registration) },
      { tag: 'type', attrs: {}, content: KEY_BUNDLE_TYPE },
      { tag: 'identity', attrs: {}, content: this.#identity.public },
      xmppSignedPreKey(this.#signedPreKey),
      xmppPreKey(pair, id),
    ];
  }

  #storage() {
    return {
      loadSession: async (id) => this.#sessions.get(id),
      storeSession: async (id, session) => void this.#sessions.set(id, session),
      isTrustedIdentity: () => true,
      loadPreKey: async (id) => (this.#preKeys.has(Number(id)) ? signalPair(this.#preKeys.get(Number(id))) : undefined),
      removePreKey: () => {}, // Kept: the same first message may arrive twice, and must be readable twice.
      loadSignedPreKey: () => signalPair(this.#signedPreKey.keyPair),
      getOurRegistrationId: () => this.registration,
      getOurIdentity: () => signalPair(this.#identity),
    };
  }

  #address() {
    const [user, device] = this.server.account.jid.split('@')[0].split(':');
    return new signal.ProtocolAddress(user, Number(device ?? 0));
  }

  // An <enc> of a message for the linked device.
  async encrypt(message, { corrupt = false } = {}) {
    const storage = this.#storage();
    const address = this.#address();
    if (!this.#sessions.has(address.toString())) {
      await new signal.SessionBuilder(storage, address).initOutgoing(this.server.takeDeviceBundle());
    }
    const plain = writeRandomPadMax16(proto.Message.encode(message).finish());
    const { type, body } = await new signal.SessionCipher(storage, address).encrypt(plain);
    const content = Buffer.from(body, 'binary');
    if (corrupt) {
      content[content.length - 1] ^= 0xff;
    }
    return { tag: 'enc', attrs: { v: '2', type: type === PKMSG ? 'pkmsg' : 'msg' }, content };
  }

  // Sends a message to the linked account; resolves to its id once the server has it.
  async send(message, { id = newId(), corrupt } = {}) {
    const enc = await this.encrypt(message, { corrupt });
    this.server.deliver({
      tag: 'message',
      attrs: { from: this.jid, sender_lid: this.lid, id, t: seconds(), type: 'text', notify: this.name },
      content: [enc],
    });
    return id;
  }

  // An <enc> of the linked device for us alone.
  async open(enc) {
    const cipher = new signal.SessionCipher(this.#storage(), this.#address());
    const padded =
      enc.attrs.type === 'pkmsg'
        ? await cipher.decryptPreKeyWhisperMessage(enc.content)
        : await cipher.decryptWhisperMessage(enc.content);
    return proto.Message.decode(unpadRandomMax16(padded));
  }

  async receive(id, enc) {
    try {
      this.inbox.push({ id, message: await this.open(enc) });
    } catch (error) {
      this.inbox.push({ id, error: error.message });
    }
  }

  texts() {
    return this.inbox.map(({ message }) => message?.conversation || message?.extendedTextMessage?.text);
  }
}

export const newId = () => `3A${randomBytes(9).toString('hex').toUpperCase()}`;
