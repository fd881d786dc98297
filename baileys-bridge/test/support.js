// What the tests share: the bridge as a child process with a folder of its own, its HTTP interface, a fake WhatsApp, and
// waiting for things instead of for time.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import http from 'node:http';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

import { FakeWhatsApp } from './fake_whatsapp/server.js';

// The fake's people use libsignal too, and it prints sessions in full.
for (const level of ['log', 'info', 'warn', 'error']) {
  console[level] = () => {};
}

export const SECRET = 'test-secret-0123456789abcdef';
// Only a failure takes that long. A loaded two-core machine has been seen to take 4 s to start Node, a starved one (nice 19, load 20) more than 30 s.
export const PATIENCE_MS = 180_000;
const program = fileURLToPath(new URL('../index.js', import.meta.url));
const trust = fileURLToPath(new URL('./fake_whatsapp/trust.js', import.meta.url));

export const ACCOUNT = { jid: '972500000001:7@s.whatsapp.net', lid: '9972500000001:7@lid' };

// Short enough for tests, and in the same order as the real ones.
const QUICK = {
  timing: { keepAliveMs: 2000, storageProbeMs: 100, connectMs: 10_000 },
  policy: { backoffMs: 20, backoffMsMax: 200, replacedRetryMs: 100, slowRetryMs: 200, stableMs: 60_000 },
};

export function temporaryFolder(t) {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'bridge-test-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

export async function until(what, condition, patienceMs = PATIENCE_MS) {
  const deadline = Date.now() + patienceMs;
  for (;;) {
    const result = await condition();
    if (result) {
      return result;
    }
    assert.ok(Date.now() < deadline, `waited ${patienceMs} ms in vain until ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

// As `until`, and as long as `progress` changes, however slowly.
export async function untilWhileMoving(what, condition, progress, patienceMs = PATIENCE_MS) {
  let last;
  let deadline;
  for (;;) {
    const result = await condition();
    if (result) {
      return result;
    }
    const now = progress();
    if (now !== last) {
      [last, deadline] = [now, Date.now() + patienceMs];
    }
    assert.ok(Date.now() < deadline, `nothing moved for ${patienceMs} ms before ${what}; progress: ${last}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

export async function fakeWhatsApp(t) {
  const server = await new FakeWhatsApp().listen();
  server.on('fault', (error) => process.stderr.write(`fake server: ${error.stack}\n`));
  t.after(() => server.close());
  return server;
}

// One bridge process. Killed when the test ends, whatever happens.
export class BridgeProcess {
  output = '';
  port = 0;

  constructor(folder, environment = {}, node = []) {
    this.child = spawn(process.execPath, [...node, program], {
      env: {
        PATH: process.env.PATH,
        AGENTLOCATOR_DATA_DIR: folder,
        BAILEYS_SECRET: SECRET,
        BAILEYS_PORT: '0',
        BAILEYS_SENDS_PER_MINUTE: '1000000',
        BAILEYS_CHAT_SENDS_PER_MINUTE: '1000000',
        BAILEYS_NEW_CHATS_PER_DAY: '1000',
        ...environment,
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.exited = once(this.child, 'exit');
    for (const stream of [this.child.stdout, this.child.stderr]) {
      stream.setEncoding('utf8').on('data', (text) => (this.output += text));
    }
  }

  async printed(pattern) {
    return until(`it printed ${pattern}; it printed:\n${this.output}`, () => {
      const match = this.output.match(pattern);
      assert.ok(match || this.child.exitCode === null, `ended (${this.child.exitCode}) without printing ${pattern}:\n${this.output}`);
      return match;
    });
  }

  async ready() {
    const [, port] = await this.printed(/^event=bridge_ready address=127\.0\.0\.1 port=(\d+) pid=\d+ version=\S+$/m);
    this.port = Number(port);
    return this;
  }

  // [code, signal]
  async ended() {
    await until(`it ended; it printed:\n${this.output}`, () => this.child.exitCode !== null || this.child.signalCode !== null);
    return this.exited;
  }

  kill(signal = 'SIGKILL') {
    this.child.kill(signal);
    return this.ended();
  }

  async request(method, target, { body, headers = {}, raw = false } = {}) {
    const text = body === undefined || typeof body === 'string' || Buffer.isBuffer(body) ? body : JSON.stringify(body);
    const answer = await send(this.port, method, target, text, { authorization: `Bearer ${SECRET}`, ...headers });
    return raw ? answer : { status: answer.status, body: answer.text === '' ? undefined : JSON.parse(answer.text) };
  }
  get(target) {
    return this.request('GET', target);
  }
  post(target, body, headers) {
    return this.request('POST', target, { body, headers });
  }
  // Hands in a text; gives the answer's body.
  async send(key, to, text, more = {}) {
    const { body } = await this.post('/v1/messages', { to, text, ...more }, { 'idempotency-key': key });
    return body;
  }
  async health() {
    return (await this.get('/health')).body;
  }
  state(wanted) {
    return until(`the state is ${wanted}; it printed:\n${this.output}`, async () => (await this.health()).state === wanted);
  }
  async events(after = 0) {
    return (await this.get(`/v1/events?after=${after}&limit=500`)).body.events;
  }
  async messages() {
    return (await this.events()).filter((event) => event.type === 'message');
  }
  async messageState(id, ...wanted) {
    return until(`message ${id} is ${wanted}`, async () => {
      const { body } = await this.get(`/v1/messages/${id}`);
      return wanted.includes(body.state) && body;
    });
  }
}

export function send(port, method, target, body, headers = {}) {
  return new Promise((resolve, reject) => {
    const request = http.request({ host: '127.0.0.1', port, method, path: target, headers, agent: false }, async (response) => {
      try {
        const parts = [];
        for await (const part of response) {
          parts.push(part);
        }
        const bytes = Buffer.concat(parts);
        resolve({ status: response.statusCode, headers: response.headers, bytes, text: bytes.toString() });
      } catch (error) {
        reject(error);
      }
    });
    request.on('error', reject);
    request.end(body);
  });
}

// environment, and how the fake server is found; `tune` changes its timing.
export async function startBridge(t, { folder = temporaryFolder(t), server, environment = {}, tune = {}, node = [] } = {}) {
  const extra = {};
  const options = [...node];
  if (server) {
    extra.FAKE_WHATSAPP = JSON.stringify({
      url: server.url,
      root: Buffer.from(server.root.public).toString('hex'),
      mediaHost: server.media?.host,
      timing: { ...QUICK.timing, ...tune.timing },
      policy: { ...QUICK.policy, ...tune.policy },
      pump: { ...tune.pump },
    });
    options.push('--import', trust);
  }
  const bridge = new BridgeProcess(folder, { ...extra, ...environment }, options);
  bridge.folder = folder;
  t.after(async () => {
    await bridge.kill();
  });
  return bridge;
}

export async function readyBridge(t, options) {
  const bridge = await startBridge(t, options);
  return bridge.ready();
}

export async function pairByQr(bridge, server, account = ACCOUNT) {
  assert.equal((await bridge.post('/v1/session/pair', { method: 'qr' })).status, 202);
  const qr = await until('there is a QR code', async () => {
    const { status, body } = await bridge.get('/v1/session/qr');
    return status === 200 && body;
  });
  server.scan(qr.qr, account);
  await bridge.state('open');
  return qr;
}

// A bridge that is linked and connected to a fake WhatsApp.
export async function linked(t, options = {}) {
  const server = options.server ?? (await fakeWhatsApp(t));
  const bridge = await readyBridge(t, { ...options, server });
  await pairByQr(bridge, server);
  return { server, bridge };
}
