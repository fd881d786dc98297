// Puts the parts together: file, events, outbox, link, pump, HTTP. Owns housekeeping and the order of the stop.
import { mkdirSync } from 'node:fs';
import path from 'node:path';

import { AuthState } from './auth_state.js';
import { Store } from './database.js';
import { Events } from './events.js';
import { Link } from './link.js';
import { log, logLine } from './log.js';
import { Media } from './media.js';
import { Outbox } from './outbox.js';
import { Pump } from './pump.js';
import { RateLimit } from './rate_limit.js';
import { createServer } from './server.js';

const DAY_MS = 86_400_000;
const HOUSEKEEPING_MS = 60_000;
const BEAT_MS = 1000; // supervisor/bridge_beat.hpp
const BURST = 10; // What may go at once after a pause, over all chats and in one.
const CHAT_BURST = 5;

export class Bridge {
  #stopping = false;
  #timers = [];

  // Throws StorageError.
  constructor(settings, version) {
    const folder = path.join(settings.dataFolder, 'whatsapp');
    this.settings = settings;
    this.store = new Store(folder, { megabytesMax: settings.databaseMegabytes });
    this.events = new Events(this.store);
    this.auth = new AuthState(this.store, this.events);
    this.events.known = this.auth;
    this.outbox = new Outbox(this.store, this.events);
    this.media = new Media(path.join(folder, 'media'), { megabytesMax: settings.mediaMegabytes });
    this.outgoingFolder = path.join(folder, 'outgoing');
    mkdirSync(this.outgoingFolder, { recursive: true, mode: 0o700 });
    this.link = new Link({ auth: this.auth, events: this.events, store: this.store, settings });
    const { perMinute, perChatMinute, newChatsPerDay } = settings;
    const rate = new RateLimit({ perMinute, perChatMinute, burst: BURST, perChatBurst: CHAT_BURST }, Date.now());
    this.pump = new Pump({ outbox: this.outbox, events: this.events, link: this.link, store: this.store, rate, newChatsPerDay });

    this.link.onChange = () => {
      if (!this.link.truths.connected) {
        this.pump.onLinkLost();
      }
      this.pump.kick();
    };
    this.link.onAck = (waId, code) => this.pump.onAck(waId, code);
    this.link.onReceipt = (waId, state) => this.outbox.advance(waId, state);
    this.link.getProto = (waId) => this.outbox.protoOf(this.outbox.byWaId(waId));
    this.link.onStorageRestored = () => {
      this.outbox.recover((row) => !this.pump.isInFlight(row));
      this.pump.kick();
    };
    this.server = createServer({
      link: this.link,
      pump: this.pump,
      outbox: this.outbox,
      events: this.events,
      media: this.media,
      outgoingFolder: this.outgoingFolder,
      secret: settings.secret,
      version,
      startedAt: new Date(),
      stopping: () => this.#stopping,
    });
  }

  start() {
    const again = this.outbox.recover();
    if (again > 0) {
      log('outbox_recovered', { messages: again });
    }
    this.#timers.push(setInterval(() => this.#housekeep(), HOUSEKEEPING_MS));
    if (process.env.AGENTLOCATOR_SPAWN) {
      this.#beat();
      this.#timers.push(setInterval(() => this.#beat(), BEAT_MS));
    }
    this.link.start();
    this.pump.kick();
  }

  // For the supervisor alone, which does not log it: the event loop turns, and this is what the link is like.
  #beat() {
    const { connected, paired, canSend } = this.link.truths;
    const { state, reason } = this.link;
    process.stdout.write(logLine('bridge_beat', { connected, paired, can_send: canSend, state, reason: reason || '-' }) + '\n');
  }

  #housekeep() {
    try {
      this.outbox.expire();
      const limit = Date.now() - this.settings.retentionDays * DAY_MS;
      this.events.forgetBefore(limit);
      this.outbox.forgetBefore(limit);
      this.media.forgetBefore(limit);
    } catch (error) {
      if (error?.name !== 'StorageError') {
        throw error;
      }
    }
    this.pump.kick();
  }

  // Nothing new in, answers for what is out, then the link, then the file. WhatsApp stays linked.
  async stop() {
    this.#stopping = true;
    this.#timers.forEach(clearInterval);
    this.server.close();
    this.events.announce(); // Whoever waits for events gets an empty answer rather than a broken connection.
    this.server.closeIdleConnections();
    await this.pump.stop();
    await this.link.stop();
    this.store.close();
  }
}
