// A group of people and the linked device: who has whose sender key, what is said to all, and what a phone repeats when
// it is asked to. Members never miss the device's key in silence: as real phones do, they ask for the message again.
import { encodeBigEndian, proto, unpadRandomMax16, writeRandomPadMax16 } from '@whiskeysockets/baileys';

import { newId, seconds } from './person.js';
import { KnownSenderKey, OwnSenderKey } from './sender_key.js';

const children = (node) => (Array.isArray(node?.content) ? node.content : []);

export class Group {
  #keys = new Map(); // Person -> the key he writes with.
  #deviceKeys = new Map(); // Person -> the device's key, as he was given it.
  #told = new Set(); // People whose key the device was given.
  #said = new Map(); // Message id -> {person, message}
  distributions = 0; // Members that were given the device's key, each time counted.
  asked = 0; // Times a member could not read the device and asked again.

  // addressing: 'pn' or 'lid', how WhatsApp names people in this group.
  constructor(server, jid, members, { addressing = 'pn' } = {}) {
    Object.assign(this, { server, jid, members: [...members], addressing });
  }

  nameOf(person) {
    return this.addressing === 'lid' ? person.lid : person.jid;
  }

  #sender(person) {
    const other = this.addressing === 'lid' ? { participant_pn: person.jid } : { participant_lid: person.lid };
    return { from: this.jid, participant: this.nameOf(person), addressing_mode: this.addressing, ...other };
  }

  #keyOf(person) {
    if (!this.#keys.has(person)) {
      this.#keys.set(person, new OwnSenderKey());
    }
    return this.#keys.get(person);
  }

  #distribution(person) {
    const axolotlSenderKeyDistributionMessage = this.#keyOf(person).distribution();
    return { senderKeyDistributionMessage: { groupId: this.jid, axolotlSenderKeyDistributionMessage } };
  }

  #deliver(person, id, content) {
    const attrs = { ...this.#sender(person), id, t: seconds(), type: 'text', notify: person.name };
    this.server.deliver({ tag: 'message', attrs, content });
  }

  // To all, as one ciphertext; the sender's key comes along where the device has not got it.
  async say(person, message, { id = newId(), withKey = !this.#told.has(person) } = {}) {
    const content = [];
    if (withKey) {
      content.push(await person.encrypt(this.#distribution(person)));
      this.#told.add(person);
    }
    const plain = writeRandomPadMax16(proto.Message.encode(message).finish());
    content.push({ tag: 'enc', attrs: { v: '2', type: 'skmsg' }, content: this.#keyOf(person).encrypt(plain) });
    this.#said.set(id, { person, message });
    this.#deliver(person, id, content);
    return id;
  }

  // What a phone does when a device could not read a message: once more for this device alone, and the key with it.
  async repeat(id) {
    const { person, message } = this.#said.get(id);
    const enc = await person.encrypt({ ...message, ...this.#distribution(person) });
    this.#told.add(person);
    this.#deliver(person, id, [{ ...enc, attrs: { ...enc.attrs, count: '1' } }]);
  }

  forgetDeviceKey(person) {
    this.#deviceKeys.delete(person);
  }

  // What the device wrote: to each his own part first, the keys among them, then what is for all.
  async pass(stanza) {
    const { id } = stanza.attrs;
    const parts = children(stanza);
    for (const to of children(parts.find(({ tag }) => tag === 'participants'))) {
      const person = this.server.find(to.attrs.jid);
      const message = await person.open(children(to)[0]);
      const given = message.senderKeyDistributionMessage?.axolotlSenderKeyDistributionMessage;
      if (given) {
        this.distributions += 1;
        this.#deviceKeys.set(person, new KnownSenderKey(Buffer.from(given)));
      }
    }
    const forAll = parts.find(({ tag, attrs }) => tag === 'enc' && attrs.type === 'skmsg');
    for (const person of forAll ? this.members : []) {
      this.#read(person, id, forAll.content);
    }
  }

  #read(person, id, bytes) {
    try {
      const key = this.#deviceKeys.get(person);
      if (!key) {
        throw new Error('never given the sender key');
      }
      person.inbox.push({ id, message: proto.Message.decode(unpadRandomMax16(key.decrypt(bytes))) });
    } catch (error) {
      person.inbox.push({ id, error: error.message });
      this.asked += 1;
      this.server.tell({
        tag: 'receipt',
        attrs: { ...this.#sender(person), type: 'retry', id, t: seconds() },
        content: [
          { tag: 'retry', attrs: { count: '1', id, t: seconds(), v: '1' } },
          { tag: 'registration', attrs: {}, content: encodeBigEndian(person.registration) },
        ],
      });
    }
  }
}
