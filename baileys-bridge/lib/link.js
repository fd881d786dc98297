// The link to WhatsApp: at most one Baileys socket at a time, its life, and pairing. What is decided is decided by
// ReconnectPolicy; what is received is stored by signal_repository.js before WhatsApp is told.
//
//   unpaired --pair--> pairing --scan, 515--> connecting --> open --close--> waiting --timer--> connecting
//      ^                  | nobody scanned                     | 401: logged_out   440 twice: replaced
//      +------------------+                                    | 403: restricted   broken: failed
import {
  Browsers,
  DEFAULT_CONNECTION_CONFIG,
  generateWAMessage,
  isJidBroadcast,
  isJidNewsletter,
  makeWASocket,
  proto,
} from '@whiskeysockets/baileys';

import { libraryLogger, log, redacted } from './log.js';
import { person } from './message.js';
import { contentOf } from './outgoing.js';
import { ReconnectPolicy } from './reconnect.js';
import { durableSignalRepository, receivedId } from './signal_repository.js';

export const TIMING = {
  connectMs: 20_000,
  queryMs: 20_000,
  keepAliveMs: 15_000, // WhatsApp's own clients ping every 15-30 s; a dead link is noticed within 35 s.
  firstQrMs: 60_000,
  nextQrMs: 20_000,
  pairingMs: 180_000, // A code on the phone's screen is refused after about that long.
  storageProbeMs: 5_000,
  endMs: 1_500,
};

export class PairingConflict extends Error {}
export class NotConnected extends Error {}

export class Link {
  state = 'unpaired';
  reason = '';
  code = 0;
  since = new Date();
  restrictedUntil = undefined;
  onChange = () => {};
  onAck = () => {}; // (waId, errorCode)
  onReceipt = () => {}; // (waId, state)
  getProto = () => undefined; // (waId): what WhatsApp may ask us to repeat.

  #socket;
  #generation = 0;
  #timer;
  #pairing;
  #qrSeq = 0;
  #storageOk = true;
  #policy = new ReconnectPolicy();
  #nextAt;
  #stopping = false;

  constructor({ auth, events, store, settings }) {
    Object.assign(this, { auth, events, store, settings });
    store.onFailure = (error) => this.#onStorageFailure(error);
  }

  start() {
    if (this.auth.paired) {
      this.#connect();
    } else {
      this.#become('unpaired', 'no_phone_has_linked_us');
    }
  }

  get truths() {
    const connected = this.state === 'open';
    return {
      connected,
      paired: this.auth.paired && this.state !== 'logged_out',
      canSend: connected && this.#storageOk && !this.#stopping,
    };
  }

  get reconnect() {
    return this.#nextAt ? { attempt: this.#policy.attempt, next_at: new Date(this.#nextAt).toISOString() } : null;
  }
  get pairing() {
    return this.#pairing ? { method: this.#pairing.method, expires_at: new Date(this.#pairing.expiresAt).toISOString() } : null;
  }
  get qr() {
    return this.state === 'pairing' ? this.#pairing?.qr : undefined;
  }
  get qrSeq() {
    return this.#qrSeq;
  }
  get me() {
    const me = this.auth.paired ? this.auth.creds.me : undefined;
    return me ? { id: me.id, ...withoutJid(person(me.id, me.lid)), name: me.name ?? null } : null;
  }

  // Resolves when there is something to show: at once for a QR (it is polled), with the code for a code.
  async pair(method, phone) {
    if (this.truths.paired) {
      throw new PairingConflict('already linked; POST /v1/session/logout first');
    }
    if (this.#pairing && (this.#pairing.method !== method || this.#pairing.phone !== phone)) {
      throw new PairingConflict('another pairing runs; DELETE /v1/session/pair ends it');
    }
    if (!this.#pairing) {
      // One socket for one pairing, however often it is asked for: two at once spoil each other (F-43).
      this.auth.setAside();
      this.#qrSeq = 0;
      const pairing = { method, phone, expiresAt: Date.now() + TIMING.pairingMs };
      pairing.code = new Promise((resolve, reject) => Object.assign(pairing, { resolve, reject }));
      pairing.code.catch(() => {}); // A QR pairing has nobody waiting for it.
      this.#pairing = pairing;
      this.#become('pairing', method);
      this.#open();
    }
    return method === 'code' ? { code: await this.#pairing.code, expiresAt: this.#pairing.expiresAt } : {};
  }

  async cancelPairing() {
    if (!this.#pairing) {
      return false;
    }
    await this.#dropSocket();
    this.#endPairing('cancelled');
    return true;
  }

  async logout() {
    clearTimeout(this.#timer);
    this.#nextAt = undefined;
    const socket = this.#socket;
    if (this.state === 'open') {
      await withDeadline(socket.logout(), TIMING.endMs).catch(() => {});
    }
    await this.#dropSocket();
    this.#pairing?.reject(new NotConnected('logged out'));
    this.#pairing = undefined;
    this.auth.forget();
    this.#become('unpaired', 'logged_out_by_us');
  }

  async stop() {
    this.#stopping = true;
    clearTimeout(this.#timer);
    this.#become('stopping', '');
    await this.#dropSocket();
  }

  // -- for the pump

  get maySend() {
    return this.truths.canSend;
  }

  // The message as it will be sent, files uploaded.
  async build(request, waId, quoted) {
    const socket = this.#openSocket();
    const built = await generateWAMessage(request.chat, contentOf(request), {
      logger: libraryLogger,
      userJid: this.auth.creds.me.id,
      messageId: waId,
      upload: socket.waUploadToServer,
      ...(quoted ? { quoted } : {}),
    });
    return proto.Message.fromObject(built.message);
  }

  // Resolves once the bytes are on their way; what WhatsApp makes of them comes to onAck. `again`: an earlier try may have
  // got lost, and the key of ours that it brought a group's members with it. Baileys believes that they have it.
  async relay(chat, message, waId, { refreshDevices = false, again = false } = {}) {
    if (again && chat.endsWith('@g.us')) {
      await this.auth.keys.set({ 'sender-key-memory': { [chat]: null } });
    }
    await this.#openSocket().relayMessage(chat, message, { messageId: waId, useUserDevicesCache: !refreshDevices });
  }

  async onWhatsApp(phone) {
    const found = await this.#openSocket().onWhatsApp(phone);
    return found?.[0]?.exists ? found[0].jid : null;
  }

  async typing(jid, state) {
    await this.#openSocket().sendPresenceUpdate(state, jid);
  }
  async read(jid, ids) {
    await this.#openSocket().readMessages(ids.map((id) => ({ remoteJid: jid, id, fromMe: false })));
  }

  // It sends and hears nothing: better a new one.
  suspect(reason) {
    if (this.state === 'open') {
      log('link_suspected', { reason });
      this.#socket.end(Object.assign(new Error(reason), { output: { statusCode: 408 } }));
    }
  }

  // -- the socket

  #openSocket() {
    if (this.state !== 'open') {
      throw new NotConnected('not connected to WhatsApp');
    }
    return this.#socket;
  }

  #connect() {
    this.#nextAt = undefined;
    this.#become('connecting', '');
    this.#open();
  }

  #open() {
    const generation = ++this.#generation;
    const current = () => generation === this.#generation;
    const repository = durableSignalRepository();
    const socket = makeWASocket({
      auth: { creds: this.auth.creds, keys: this.auth.keys },
      version: this.settings.waVersion ?? DEFAULT_CONNECTION_CONFIG.version,
      browser: Browsers.ubuntu('Chrome'), // Android refuses to pair with names it does not know (F-45).
      logger: libraryLogger,
      connectTimeoutMs: TIMING.connectMs,
      defaultQueryTimeoutMs: TIMING.queryMs,
      keepAliveIntervalMs: TIMING.keepAliveMs,
      emitOwnEvents: false,
      markOnlineOnConnect: false,
      syncFullHistory: false,
      transactionOpts: { maxCommitRetries: 1, delayBetweenTriesMs: 0 },
      shouldIgnoreJid: (jid) => isJidBroadcast(jid) || isJidNewsletter(jid),
      getMessage: async (key) => this.getProto(key.id),
      makeSignalRepository: repository.make,
    });
    repository.attach(socket);
    this.#socket = socket;
    socket.ev.on('creds.update', (update) => current() && this.#onCreds(update));
    socket.ev.on('connection.update', (update) => current() && this.#onConnection(socket, update));
    socket.ev.on('messages.upsert', ({ messages }) => current() && this.#onUpsert(messages));
    socket.ws.on('CB:ack,class:message', ({ attrs }) => this.onAck(attrs.id, Number(attrs.error ?? 0)));
    // Before Baileys confirms the receipt, so that WhatsApp repeats what we could not store.
    socket.ws.prependListener('CB:receipt', (node) => this.#onReceiptNode(node));
  }

  #onCreds(update) {
    Object.assign(this.auth.creds, update);
    try {
      this.auth.saveCreds();
    } catch {
      // #onStorageFailure has cut the line; what is missing is written at the next update.
    }
  }

  #onConnection(socket, update) {
    if (update.qr && this.#pairing) {
      this.#onQr(socket, update.qr);
    }
    if (update.reachoutTimeLock?.isActive) {
      this.restrictedUntil = update.reachoutTimeLock.timeEnforcementEnds;
    }
    if (update.connection === 'open') {
      this.#policy.onOpen(Date.now());
      this.#become('open', '');
    } else if (update.connection === 'close') {
      this.#onClose(update.lastDisconnect?.error);
    }
  }

  #onQr(socket, text) {
    const pairing = this.#pairing;
    if (pairing.method === 'qr') {
      this.#qrSeq += 1;
      const lifeMs = this.#qrSeq === 1 ? TIMING.firstQrMs : TIMING.nextQrMs;
      pairing.qr = { qr: text, seq: this.#qrSeq, expires_at: new Date(Date.now() + lifeMs).toISOString() };
      this.onChange();
    } else if (!pairing.requested) {
      pairing.requested = true;
      socket.requestPairingCode(pairing.phone).then(pairing.resolve, pairing.reject);
    }
  }

  #onUpsert(messages) {
    for (const message of messages) {
      const { key } = message;
      if (message.messageStubType !== proto.WebMessageInfo.StubType.CIPHERTEXT || key.fromMe) {
        continue;
      }
      const id = receivedId(key);
      if (this.events.has(id)) {
        continue;
      }
      const group = key.remoteJid.endsWith('@g.us');
      const chat = group
        ? { jid: key.remoteJid, lid: null, phone: null, group }
        : { ...person(key.remoteJid, key.remoteJidAlt, this.auth), group };
      const from = group ? person(key.participant, key.participantAlt, this.auth) : withoutGroup(chat);
      this.#guarded(() => {
        this.events.add(`bad:${id}`, {
          type: 'undecryptable',
          chat,
          from: { ...from, name: message.pushName ?? null },
          message: { id: key.id, ts: Number(message.messageTimestamp) },
        });
        this.events.announce();
      });
    }
  }

  #onReceiptNode({ attrs, content }) {
    const state = { undefined: 'delivered', read: 'read', played: 'read' }[attrs.type];
    if (!state || attrs.recipient) {
      return; // What our own other devices read is not the recipient's reading.
    }
    const items = (Array.isArray(content) ? content : []).flatMap((child) => (Array.isArray(child.content) ? child.content : []));
    for (const id of [attrs.id, ...items.map((item) => item.attrs?.id)]) {
      if (id) {
        this.#guarded(() => this.onReceipt(id, state));
      }
    }
  }

  #guarded(work) {
    try {
      work();
    } catch (error) {
      if (error?.name !== 'StorageError') {
        throw error;
      }
    }
  }

  #onClose(error) {
    const code = error?.output?.statusCode ?? 0;
    this.#socket = undefined;
    this.#generation += 1; // Nothing that old socket still says concerns us.
    if (this.#stopping) {
      return;
    }
    if (this.#pairing && !this.auth.paired) {
      log('link_closed', { code, while: 'pairing', error: redacted(error?.message ?? '') });
      this.#endPairing(code === 408 ? 'nobody_scanned_in_time' : 'connection_lost', code);
      return;
    }
    const paired = Boolean(this.#pairing);
    this.#pairing = undefined;
    const verdict = this.#policy.onClose(code, Date.now(), Math.random());
    log('link_closed', { code, reason: verdict.reason, ...(paired ? { paired } : {}) });
    if (!this.#storageOk) {
      return this.#probeStorage();
    }
    if (verdict.stop) {
      return this.#become(verdict.stop, verdict.reason, code);
    }
    this.#retryIn(verdict.retryMs, verdict.reason, code);
  }

  #retryIn(ms, reason, code) {
    clearTimeout(this.#timer);
    this.#nextAt = Date.now() + ms;
    this.#become('waiting', reason, code);
    this.#timer = setTimeout(() => this.#connect(), ms);
  }

  #endPairing(reason, code = 0) {
    this.#pairing?.reject(new NotConnected(`pairing ended: ${reason}`));
    this.#pairing = undefined;
    this.#become('unpaired', reason, code);
  }

  // A write failed. WhatsApp must not hear that we have a message we do not have: the line is cut in this very moment,
  // before anything else can be sent on it.
  #onStorageFailure(error) {
    if (this.#stopping) {
      return;
    }
    const first = this.#storageOk;
    this.#storageOk = false;
    if (first) {
      log('storage_failed', { kind: error.kind, error: redacted(error.message), remedy: error.remedy });
    }
    const socket = this.#socket;
    socket?.ws.socket?.terminate();
    if (first && !socket) {
      this.#probeStorage();
    }
  }

  #probeStorage() {
    clearTimeout(this.#timer);
    this.#nextAt = Date.now() + TIMING.storageProbeMs;
    if (this.auth.paired) {
      this.#become('waiting', 'storage_failed');
    }
    this.#timer = setTimeout(() => {
      if (!this.#probe()) {
        return this.#probeStorage();
      }
      log('storage_restored');
      this.#nextAt = undefined;
      this.onStorageRestored?.();
      if (this.auth.paired && !this.#socket) {
        this.#connect();
      }
    }, TIMING.storageProbeMs);
  }

  #probe() {
    const writable = this.store.writable();
    this.#storageOk = writable;
    return writable;
  }

  // The close event of that socket is not ours any more.
  async #dropSocket() {
    const socket = this.#socket;
    this.#socket = undefined;
    this.#generation += 1;
    if (socket) {
      await withDeadline(socket.end(undefined), TIMING.endMs).catch(() => socket.ws.socket?.terminate());
    }
  }

  #become(state, reason, code = 0) {
    if (this.state === state && this.reason === reason && this.code === code) {
      return;
    }
    const before = this.state;
    Object.assign(this, { state, reason, code, since: new Date() });
    log('link_state', { from: before, to: state, ...(reason ? { reason } : {}), ...(code ? { code } : {}) });
    const { connected, paired } = this.truths;
    this.#guarded(() => {
      this.events.add(`session:${Date.now()}:${this.#generation}:${state}`, { type: 'session', state, reason, code, connected, paired });
      this.events.announce();
    });
    this.onChange();
  }
}

const withoutJid = ({ lid, phone }) => ({ lid, phone });
const withoutGroup = ({ jid, lid, phone }) => ({ jid, lid, phone });

export function withDeadline(promise, ms) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error('took too long')), ms);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}
