// A WhatsApp server on loopback, good enough that real, unmodified Baileys links, logs in, and exchanges encrypted
// messages with it. What it promises, it promises as the real one does: a message is kept until the device confirms it and
// comes again at every login until then; a message is answered with an ack; logins are refused with real codes.
//
// It proves what our side does with a server that behaves like this. It does not prove that WhatsApp does.
import { EventEmitter } from 'node:events';
import { createServer } from 'node:http';
import { randomBytes } from 'node:crypto';

import {
  aesDecryptCTR,
  aesDecryptGCM,
  aesEncryptCTR,
  Curve,
  decodeBinaryNode,
  derivePairingCodeKey,
  encodeBinaryNode,
  generateSignalPubKey,
  getBinaryNodeChild,
  hkdf,
  hmacSign,
  proto,
  WA_ADV_ACCOUNT_SIG_PREFIX,
} from '@whiskeysockets/baileys';
import { WebSocketServer } from 'ws';

import { Group } from './group.js';
import { answerQuery } from './queries.js';
import { NoiseResponder } from './noise.js';
import { Person, seconds } from './person.js';

export const SERVER = 's.whatsapp.net';
const NOTHING = Buffer.alloc(0);
const QR_REFS = 6;

const children = (node) => (Array.isArray(node?.content) ? node.content : []);

// Events: 'login', 'message' {id, to}, 'pairing', 'fault'.
export class FakeWhatsApp extends EventEmitter {
  root = Curve.generateKeyPair(); // What test clients trust in place of WhatsApp's own root.
  #identity = Curve.generateKeyPair();
  #phone = Curve.generateKeyPair(); // The identity of the account's phone.
  #connections = new Set();
  #undelivered = new Map(); // Stanza id -> stanza, until the device confirms it.
  #nextFailure;
  #toRepeat = new Set(); // Ids of group messages that the device asked for once more.

  account; // {jid, lid} of the linked device.
  unlinked = false;
  device; // Its Signal keys.
  preKeys = [];
  people = new Map();
  groups = new Map(); // jid -> Group
  media; // {host} when there is a media server.
  received = new Map(); // Message id -> how many times the device sent it.
  logins = 0;
  receipts = 0;
  nacks = [];
  // What tests change.
  ackMode = 'ok'; // 'ok', 'none', or an error number.
  receiptTypes = []; // What the recipient's phone reports: '' delivered, 'read'.
  frozen = false; // Takes everything, answers nothing.
  messagesToLose = 0; // So many that the device sends get lost, and the line with them.
  qrRefs = QR_REFS;

  async listen() {
    this.http = createServer((request, response) => response.writeHead(404).end());
    this.sockets = new WebSocketServer({ server: this.http });
    this.sockets.on('connection', (socket) => this.#accept(socket));
    await new Promise((resolve) => this.http.listen(0, '127.0.0.1', resolve));
    this.url = `ws://127.0.0.1:${this.http.address().port}/ws/chat`;
    return this;
  }

  async close() {
    this.drop();
    this.sockets.close();
    this.http.closeAllConnections();
    await new Promise((resolve) => this.http.close(resolve));
  }

  person(phone, name = 'Dana') {
    const person = new Person(this, { phone, lid: `9${phone}`, name });
    this.people.set(phone, person);
    return person;
  }

  group(jid, members, options) {
    const group = new Group(this, jid, members, options);
    this.groups.set(jid, group);
    return group;
  }

  find(jid) {
    const user = jid.split('@')[0].split(':')[0];
    return [...this.people.values()].find((person) => person.phone === user || person.lid.startsWith(`${user}@`));
  }

  // To the device now, or at its next login.
  deliver(stanza) {
    this.#undelivered.set(stanza.attrs.id, stanza);
    this.#logged()?.send(stanza);
  }
  // To the device if it is there; nobody remembers it.
  tell(stanza) {
    this.#logged()?.send(stanza);
  }
  get undelivered() {
    return this.#undelivered.size;
  }
  isUndelivered(id) {
    return this.#undelivered.has(id);
  }
  get connected() {
    return this.#logged() !== undefined;
  }

  // The keys somebody needs to write to the linked device; each one-time key is handed out once.
  takeDeviceBundle() {
    const { registration, identity, signedId, signedPublic, signature } = this.device;
    return {
      registrationId: registration,
      identityKey: generateSignalPubKey(identity),
      signedPreKey: { keyId: signedId, publicKey: generateSignalPubKey(signedPublic), signature },
      preKey: this.preKeys.shift(),
    };
  }

  // -- ways to end a connection

  drop() {
    for (const connection of this.#connections) {
      connection.socket.terminate();
    }
  }
  streamError(code, child) {
    this.#end({ tag: 'stream:error', attrs: code ? { code: String(code) } : {}, content: child ? [child] : [] });
  }
  replace() {
    this.streamError(undefined, { tag: 'conflict', attrs: { type: 'replaced' } });
  }
  unlink() {
    this.unlinked = true;
    this.streamError(401, { tag: 'conflict', attrs: { type: 'device_removed' } });
  }
  // The next logins are refused with these codes, one each.
  refuseLogins(...reasons) {
    this.#nextFailure = reasons;
  }
  failNow(reason) {
    this.#end({ tag: 'failure', attrs: { reason: String(reason) } });
  }
  #end(stanza) {
    const connection = this.#logged() ?? [...this.#connections][0];
    connection.send(stanza);
    connection.socket.close();
  }

  // -- the phone

  // What the phone does after scanning the QR code's text.
  scan(text, { jid, lid }) {
    const [, , identity, secret] = text.split('#').pop().split(',');
    this.#confirm(Buffer.from(identity, 'base64'), Buffer.from(secret, 'base64'), { jid, lid });
  }

  // What the phone does when the eight characters are typed in.
  async enterCode(code, { jid, lid }) {
    const { connection, node } = this.linking;
    const wrapped = Buffer.from(getBinaryNodeChild(node, 'link_code_pairing_wrapped_companion_ephemeral_pub').content);
    const deviceKey = await derivePairingCodeKey(code, wrapped.subarray(0, 32));
    const deviceEphemeral = aesDecryptCTR(wrapped.subarray(48), deviceKey, wrapped.subarray(32, 48));
    const ephemeral = Curve.generateKeyPair();
    const salt = randomBytes(32);
    const iv = randomBytes(16);
    const ours = Buffer.concat([salt, iv, aesEncryptCTR(ephemeral.public, await derivePairingCodeKey(code, salt), iv)]);
    const finished = new Promise((resolve) => this.once('companion-finish', resolve));
    const part = (tag, content) => ({ tag, attrs: {}, content });
    connection.send({
      tag: 'notification',
      attrs: { from: SERVER, type: 'link_code_companion_reg', id: 'link1', t: seconds() },
      content: [
        {
          tag: 'link_code_companion_reg',
          attrs: { stage: 'primary_hello' },
          content: [
            part('link_code_pairing_wrapped_primary_ephemeral_pub', ours),
            part('primary_identity_pub', this.#phone.public),
            part('link_code_pairing_ref', Buffer.from('ref')),
          ],
        },
      ],
    });
    const finish = await finished;
    const bundle = Buffer.from(getBinaryNodeChild(finish, 'link_code_pairing_wrapped_key_bundle').content);
    const identity = Buffer.from(getBinaryNodeChild(finish, 'companion_identity_public').content);
    const shared = Curve.sharedKey(ephemeral.private, deviceEphemeral);
    const key = Buffer.from(
      hkdf(shared, 32, { salt: bundle.subarray(0, 32), info: 'link_code_pairing_key_bundle_encryption_key' }),
    );
    const plain = aesDecryptGCM(bundle.subarray(44), key, bundle.subarray(32, 44), NOTHING);
    const material = Buffer.concat([shared, Curve.sharedKey(this.#phone.private, identity), plain.subarray(64, 96)]);
    this.#confirm(identity, Buffer.from(hkdf(material, 32, { info: 'adv_secret' })), { jid, lid });
  }

  #confirm(deviceIdentity, secret, account) {
    const details = proto.ADVDeviceIdentity.encode({ rawId: 1, timestamp: Number(seconds()), keyIndex: 1 }).finish();
    const signed = Buffer.concat([WA_ADV_ACCOUNT_SIG_PREFIX, details, deviceIdentity]);
    const identity = proto.ADVSignedDeviceIdentity.encode({
      details,
      accountSignatureKey: this.#phone.public,
      accountSignature: Curve.sign(this.#phone.private, signed),
    }).finish();
    const blob = proto.ADVSignedDeviceIdentityHMAC.encode({ details: identity, hmac: hmacSign(identity, secret) }).finish();
    this.confirmed = account;
    const connection = [...this.#connections].find((candidate) => candidate.pairing);
    connection.send({
      tag: 'iq',
      attrs: { from: SERVER, type: 'set', id: 'pair1', xmlns: 'md' },
      content: [
        {
          tag: 'pair-success',
          attrs: {},
          content: [
            { tag: 'device-identity', attrs: {}, content: blob },
            { tag: 'device', attrs: account },
            { tag: 'platform', attrs: { name: 'android' } },
          ],
        },
      ],
    });
  }

  // -- connections

  #logged() {
    return [...this.#connections].find((connection) => connection.loggedIn);
  }

  #accept(socket) {
    const noise = new NoiseResponder(this.root, this.#identity);
    const raw = (bytes) => socket.readyState === socket.OPEN && socket.send(NoiseResponder.frame(bytes));
    const connection = { socket, noise, raw, step: 0, queue: Promise.resolve(), loggedIn: false, pairing: false };
    connection.send = (stanza) => raw(noise.seal(encodeBinaryNode(stanza)));
    this.#connections.add(connection);
    socket.on('close', () => this.#connections.delete(connection));
    socket.on('error', () => {});
    socket.on('message', (bytes) => {
      const work = async () => {
        for (const frame of noise.frames(Buffer.from(bytes))) {
          await this.#onFrame(connection, frame);
        }
      };
      connection.queue = connection.queue.then(work).catch((error) => {
        this.emit('fault', error);
        socket.terminate();
      });
    });
  }

  async #onFrame(connection, frame) {
    const step = connection.step++;
    if (step === 0) {
      connection.raw(connection.noise.hello(frame));
    } else if (step === 1) {
      this.#onLogin(connection, connection.noise.finish(frame));
    } else {
      await this.#onStanza(connection, await decodeBinaryNode(connection.noise.open(frame)));
    }
  }

  #onLogin(connection, payload) {
    const refused = this.#nextFailure?.shift() ?? (!payload.devicePairingData && (this.unlinked || !this.account) ? 401 : undefined);
    if (refused) {
      connection.send({ tag: 'failure', attrs: { reason: String(refused) } });
      connection.socket.close();
      return;
    }
    if (payload.devicePairingData) {
      return this.#onPairing(connection, payload.devicePairingData);
    }
    // One link, one connection: the older one is told that it was replaced.
    // From here on it gets nothing any more, even where its end is noticed late.
    const older = this.#logged();
    older?.send({ tag: 'stream:error', attrs: {}, content: [{ tag: 'conflict', attrs: { type: 'replaced' } }] });
    older?.socket.close();
    Object.assign(older ?? {}, { loggedIn: false });
    connection.loggedIn = true;
    this.logins += 1;
    connection.send({ tag: 'success', attrs: { t: seconds(), lid: this.account.lid, props: '27', abprops: '1', location: 'frc' } });
    for (const stanza of this.#undelivered.values()) {
      connection.send({ ...stanza, attrs: { ...stanza.attrs, offline: '1' } });
    }
    const count = String(this.#undelivered.size);
    connection.send({ tag: 'ib', attrs: { from: SERVER }, content: [{ tag: 'offline', attrs: { count } }] });
    this.emit('login');
  }

  #onPairing(connection, data) {
    connection.pairing = true;
    this.device = {
      registration: Buffer.from(data.eRegid).readUInt32BE(0),
      identity: data.eIdent,
      signedId: Buffer.from(data.eSkeyId).readUIntBE(0, 3),
      signedPublic: data.eSkeyVal,
      signature: data.eSkeySig,
    };
    this.preKeys = [];
    const ref = () => ({ tag: 'ref', attrs: {}, content: Buffer.from(`2@${randomBytes(16).toString('base64url')}`) });
    connection.send({
      tag: 'iq',
      attrs: { from: SERVER, type: 'set', id: 'pairing1', xmlns: 'md' },
      content: [{ tag: 'pair-device', attrs: {}, content: Array.from({ length: this.qrRefs }, ref) }],
    });
    this.emit('pairing');
  }

  async #onStanza(connection, node) {
    if (this.frozen) {
      return;
    }
    if (node.tag === 'iq' && node.attrs.type === 'result') {
      if (node.attrs.id === 'pair1') {
        Object.assign(this, { account: this.confirmed, unlinked: false });
        connection.send({ tag: 'stream:error', attrs: { code: '515' } });
        connection.socket.close();
      }
    } else if (node.tag === 'iq') {
      connection.send(answerQuery(this, connection, node));
    } else if (node.tag === 'receipt' || (node.tag === 'ack' && node.attrs.class === 'message')) {
      await this.#onConfirmation(connection, node);
    } else if (node.tag === 'message') {
      await this.#onMessage(connection, node);
    }
  }

  async #onConfirmation(connection, node) {
    if (node.attrs.type === 'retry') {
      this.emit('retry', node);
      if (this.groups.has(node.attrs.to)) {
        this.#toRepeat.add(node.attrs.id);
      }
      connection.send({ tag: 'ack', attrs: { class: 'receipt', id: node.attrs.id, from: node.attrs.to ?? SERVER, type: 'retry' } });
      return; // "Send it again" is no confirmation. The nack that follows ends it.
    }
    if (node.attrs.error) {
      this.nacks.push({ id: node.attrs.id, error: node.attrs.error });
    }
    this.receipts += 1;
    this.#undelivered.delete(node.attrs.id);
    this.emit('confirmed', node.attrs.id);
    if (this.#toRepeat.delete(node.attrs.id)) {
      await this.groups.get(node.attrs.to).repeat(node.attrs.id);
    }
  }

  async #onMessage(connection, node) {
    const { id, to } = node.attrs;
    if (this.messagesToLose > 0) {
      this.messagesToLose -= 1;
      connection.socket.terminate();
      return;
    }
    this.received.set(id, (this.received.get(id) ?? 0) + 1);
    await (this.groups.get(to)?.pass(node) ?? this.#pass(node, to, id));
    if (this.ackMode !== 'none') {
      const error = this.ackMode === 'ok' ? {} : { error: String(this.ackMode) };
      connection.send({ tag: 'ack', attrs: { class: 'message', id, from: to, t: seconds(), ...error } });
    }
    if (this.ackMode === 'ok') {
      for (const type of this.receiptTypes) {
        connection.send({ tag: 'receipt', attrs: { from: to, id, t: seconds(), ...(type ? { type } : {}) } });
      }
    }
    this.emit('message', { id, to });
  }

  // Each <enc> to the person it is for.
  async #pass(node, to, id) {
    const recipient = node.tag === 'to' ? node.attrs.jid : to;
    if (node.tag === 'enc') {
      await this.find(recipient)?.receive(id, node);
    }
    for (const child of children(node)) {
      await this.#pass(child, recipient, id);
    }
  }
}
