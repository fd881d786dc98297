// A session that a message was only tried on stays usable (lib/libsignal_fix.js).
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import test from 'node:test';

import '../lib/libsignal_fix.js';
import './support.js'; // Silences libsignal.

const { keyhelper, ProtocolAddress, SessionBuilder, SessionCipher, SessionRecord } = createRequire(import.meta.url)('libsignal');

// Somebody whose sessions are kept as they are on a disk.
class Party {
  identity = keyhelper.generateIdentityKeyPair();
  signed = keyhelper.generateSignedPreKey(this.identity, 1);
  preKey = keyhelper.generatePreKey(7);
  sessions = new Map();
  storage = {
    loadSession: async (id) => (this.sessions.has(id) ? SessionRecord.deserialize(JSON.parse(this.sessions.get(id))) : undefined),
    storeSession: async (id, record) => void this.sessions.set(id, JSON.stringify(record.serialize())),
    isTrustedIdentity: () => true,
    loadPreKey: async () => this.preKey.keyPair,
    removePreKey: () => {},
    loadSignedPreKey: () => this.signed.keyPair,
    getOurRegistrationId: () => 5,
    getOurIdentity: () => this.identity,
  };
  constructor(name) {
    this.address = new ProtocolAddress(name, 0);
  }
  begin(other) {
    const { keyId, keyPair, signature } = other.signed;
    return new SessionBuilder(this.storage, other.address).initOutgoing({
      registrationId: 5,
      identityKey: other.identity.pubKey,
      signedPreKey: { keyId, publicKey: keyPair.pubKey, signature },
      preKey: { keyId: other.preKey.keyId, publicKey: other.preKey.keyPair.pubKey },
    });
  }
  async write(other, text) {
    const { type, body } = await new SessionCipher(this.storage, other.address).encrypt(Buffer.from(text));
    return { type, body: Buffer.from(body, 'binary') };
  }
  async read(other, { type, body }) {
    const cipher = new SessionCipher(this.storage, other.address);
    return String(type === 3 ? await cipher.decryptPreKeyWhisperMessage(body) : await cipher.decryptWhisperMessage(body));
  }
}

test('libsignal: a message of an old session does not break the new one it is tried on first', async () => {
  const us = new Party('us');
  const dana = new Party('dana');
  await dana.begin(us);
  assert.equal(await us.read(dana, await dana.write(us, 'first')), 'first');
  assert.equal(await dana.read(us, await us.write(dana, 'answer')), 'answer');
  await us.begin(dana); // As Baileys does after each start.
  const inTheOld = await dana.write(us, 'in the old session');
  const inTheNew = await us.write(dana, 'in the new session');
  assert.equal(await us.read(dana, inTheOld), 'in the old session');
  assert.equal(await dana.read(us, inTheNew), 'in the new session');
  assert.equal(await us.read(dana, await dana.write(us, 'in the new one, too')), 'in the new one, too');
});

test('libsignal: a second copy of a message is refused and breaks nothing', async () => {
  const us = new Party('us');
  const dana = new Party('dana');
  await dana.begin(us);
  const first = await dana.write(us, 'first');
  assert.equal(await us.read(dana, first), 'first');
  assert.equal(await dana.read(us, await us.write(dana, 'answer')), 'answer');
  const second = await dana.write(us, 'second');
  assert.equal(await us.read(dana, second), 'second');
  await assert.rejects(us.read(dana, second));
  await assert.rejects(us.read(dana, first));
  assert.equal(await us.read(dana, await dana.write(us, 'third')), 'third');
});
