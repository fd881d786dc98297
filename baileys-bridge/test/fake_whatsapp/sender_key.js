// A member's key for one group (Signal's "sender keys"): whoever has it reads what that member writes there, and nobody
// needs a message of his own. Written from the protocol and not from Baileys' files, so that a mistake of theirs would show.
//
//   chain(n+1) = HMAC-SHA256(chain(n), 02)   seed(n) = HMAC-SHA256(chain(n), 01)
//   iv 16, key 32 = HKDF-SHA256(seed(n), salt 0, "WhisperGroup")          AES-256-CBC
//   message: 33, protobuf {id, iteration, ciphertext}, signature 64 (XEdDSA over all before it)
//   distribution: 33, protobuf {id, iteration, chain key, signing key}
import { createCipheriv, createDecipheriv, createHmac, hkdfSync, randomBytes, randomInt } from 'node:crypto';

import { Curve, generateSignalPubKey, proto } from '@whiskeysockets/baileys';

const VERSION = 0x33;
const SIGNATURE_BYTES = 64;

const hmac = (key, byte) => createHmac('sha256', key).update(Buffer.of(byte)).digest();

function secretsOf(chain) {
  const bytes = Buffer.from(hkdfSync('sha256', hmac(chain, 1), Buffer.alloc(32), 'WhisperGroup', 48));
  return { iv: bytes.subarray(0, 16), key: bytes.subarray(16) };
}

// One that writes.
export class OwnSenderKey {
  #id = randomInt(1, 2 ** 31);
  #iteration = 0;
  #chain = randomBytes(32);
  #signing = Curve.generateKeyPair();

  // What reads everything from here on.
  distribution() {
    const fields = { id: this.#id, iteration: this.#iteration, chainKey: this.#chain, signingKey: generateSignalPubKey(this.#signing.public) };
    return Buffer.concat([Buffer.of(VERSION), proto.SenderKeyDistributionMessage.encode(fields).finish()]);
  }

  encrypt(plain) {
    const { iv, key } = secretsOf(this.#chain);
    const aes = createCipheriv('aes-256-cbc', key, iv);
    const fields = { id: this.#id, iteration: this.#iteration, ciphertext: Buffer.concat([aes.update(plain), aes.final()]) };
    this.#iteration += 1;
    this.#chain = hmac(this.#chain, 2);
    const signed = Buffer.concat([Buffer.of(VERSION), proto.SenderKeyMessage.encode(fields).finish()]);
    return Buffer.concat([signed, Curve.sign(this.#signing.private, signed)]);
  }
}

// Somebody else's. Reads from its iteration on, in any order; each message once.
export class KnownSenderKey {
  #chains = new Map(); // iteration -> chain key
  #next;

  constructor(distribution) {
    const { id, iteration, chainKey, signingKey } = proto.SenderKeyDistributionMessage.decode(distribution.subarray(1));
    Object.assign(this, { id, signingKey });
    this.#next = { iteration, chain: Buffer.from(chainKey) };
  }

  decrypt(bytes) {
    const signed = bytes.subarray(0, -SIGNATURE_BYTES);
    const { id, iteration, ciphertext } = proto.SenderKeyMessage.decode(signed.subarray(1));
    if (id !== this.id) {
      throw new Error('another sender key');
    }
    if (!Curve.verify(this.signingKey, signed, bytes.subarray(-SIGNATURE_BYTES))) {
      throw new Error('wrong signature');
    }
    while (this.#next.iteration <= iteration) {
      this.#chains.set(this.#next.iteration, this.#next.chain);
      this.#next = { iteration: this.#next.iteration + 1, chain: hmac(this.#next.chain, 2) };
    }
    const chain = this.#chains.get(iteration);
    if (!chain) {
      throw new Error('read before, or from before we were given the key');
    }
    const { iv, key } = secretsOf(chain);
    const aes = createDecipheriv('aes-256-cbc', key, iv);
    const plain = Buffer.concat([aes.update(ciphertext), aes.final()]);
    this.#chains.delete(iteration);
    return plain;
  }
}
