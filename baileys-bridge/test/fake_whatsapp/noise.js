// The server's side of WhatsApp's transport: Noise_XX_25519_AESGCM_SHA256 over WebSocket messages, frames of a 3-byte
// length and that many bytes. Written from the client's side of the protocol (Baileys), which is what is tested with it.
import {
  aesDecryptGCM,
  aesEncryptGCM,
  Curve,
  hkdf,
  NOISE_MODE,
  NOISE_WA_HEADER,
  proto,
  sha256,
  WA_CERT_DETAILS,
} from '@whiskeysockets/baileys';

const NOTHING = Buffer.alloc(0);
const LENGTH_BYTES = 3;

const counterIv = (counter) => {
  const iv = Buffer.alloc(12);
  iv.writeUInt32BE(counter, 8);
  return iv;
};

// The chain a client checks: root -> intermediate -> leaf.
function certificateChain(root, leafPublic) {
  const { Details } = proto.CertChain.NoiseCertificate;
  const intermediate = Curve.generateKeyPair();
  const valid = { notBefore: 1_600_000_000, notAfter: 4_000_000_000 };
  const signed = (signer, fields) => {
    const details = Details.encode({ ...valid, ...fields }).finish();
    return { details, signature: Curve.sign(signer.private, details) };
  };
  return proto.CertChain.encode({
    intermediate: signed(root, { serial: 1, issuerSerial: WA_CERT_DETAILS.SERIAL, key: intermediate.public }),
    leaf: signed(intermediate, { serial: 2, issuerSerial: 1, key: leafPublic }),
  }).finish();
}

export class NoiseResponder {
  #hash = Buffer.from(NOISE_MODE);
  #salt = this.#hash;
  #key = this.#hash;
  #counter = 0;
  #buffered = NOTHING;
  #introduced = false;
  #ephemeral = Curve.generateKeyPair();
  #reading;
  #writing;

  // root: the key pair clients are made to trust; identity: ours.
  constructor(root, identity) {
    Object.assign(this, { root, identity });
    this.#mix(NOISE_WA_HEADER);
  }

  // Complete frames in what has arrived. The client's first bytes are its header, perhaps after routing information.
  frames(bytes) {
    this.#buffered = Buffer.concat([this.#buffered, bytes]);
    const found = [];
    if (!this.#introduced && !this.#takeIntroduction()) {
      return found;
    }
    while (this.#buffered.length >= LENGTH_BYTES) {
      const end = LENGTH_BYTES + this.#buffered.readUIntBE(0, LENGTH_BYTES);
      if (this.#buffered.length < end) {
        break;
      }
      found.push(this.#buffered.subarray(LENGTH_BYTES, end));
      this.#buffered = this.#buffered.subarray(end);
    }
    return found;
  }

  #takeIntroduction() {
    let start = 0;
    if (this.#buffered.subarray(0, 2).toString() === 'ED') {
      start = 7 + this.#buffered.readUIntBE(4, LENGTH_BYTES);
    }
    if (this.#buffered.length < start + NOISE_WA_HEADER.length) {
      return false;
    }
    this.#buffered = this.#buffered.subarray(start + NOISE_WA_HEADER.length);
    this.#introduced = true;
    return true;
  }

  static frame(bytes) {
    const frame = Buffer.alloc(LENGTH_BYTES + bytes.length);
    frame.writeUIntBE(bytes.length, 0, LENGTH_BYTES);
    frame.set(bytes, LENGTH_BYTES);
    return frame;
  }

  // The answer to the client's hello.
  hello(bytes) {
    const { clientHello } = proto.HandshakeMessage.decode(bytes);
    this.#mix(clientHello.ephemeral);
    this.#mix(this.#ephemeral.public);
    this.#mixKey(Curve.sharedKey(this.#ephemeral.private, clientHello.ephemeral));
    const identity = this.#encrypt(this.identity.public);
    this.#mixKey(Curve.sharedKey(this.identity.private, clientHello.ephemeral));
    const payload = this.#encrypt(certificateChain(this.root, this.identity.public));
    return proto.HandshakeMessage.encode({
      serverHello: { ephemeral: this.#ephemeral.public, static: identity, payload },
    }).finish();
  }

  // The client's last handshake message: who it is. The transport keys are set after it.
  finish(bytes) {
    const { clientFinish } = proto.HandshakeMessage.decode(bytes);
    const identity = this.#decrypt(clientFinish.static);
    this.#mixKey(Curve.sharedKey(this.#ephemeral.private, identity));
    const payload = proto.ClientPayload.decode(this.#decrypt(clientFinish.payload));
    const keys = Buffer.from(hkdf(NOTHING, 64, { salt: this.#salt, info: '' }));
    this.#reading = { key: keys.subarray(0, 32), counter: 0 };
    this.#writing = { key: keys.subarray(32), counter: 0 };
    return payload;
  }

  seal(bytes) {
    return aesEncryptGCM(Buffer.from(bytes), this.#writing.key, counterIv(this.#writing.counter++), NOTHING);
  }
  open(bytes) {
    return aesDecryptGCM(Buffer.from(bytes), this.#reading.key, counterIv(this.#reading.counter++), NOTHING);
  }

  #mix(data) {
    this.#hash = Buffer.from(sha256(Buffer.concat([this.#hash, Buffer.from(data)])));
  }
  #mixKey(shared) {
    const keys = Buffer.from(hkdf(Buffer.from(shared), 64, { salt: this.#salt, info: '' }));
    this.#salt = keys.subarray(0, 32);
    this.#key = keys.subarray(32);
    this.#counter = 0;
  }
  #encrypt(plain) {
    const sealed = aesEncryptGCM(Buffer.from(plain), this.#key, counterIv(this.#counter++), this.#hash);
    this.#mix(sealed);
    return sealed;
  }
  #decrypt(sealed) {
    const plain = aesDecryptGCM(Buffer.from(sealed), this.#key, counterIv(this.#counter++), this.#hash);
    this.#mix(sealed);
    return plain;
  }
}
