// The bridge as the supervisor sees it: a process with a ready line, /health, signals and exit codes.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import http from 'node:http';
import net from 'node:net';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import test from 'node:test';

const program = fileURLToPath(new URL('../index.js', import.meta.url));
const READY_MS_MAX = 15000; // Node starts in 0.1 s; a loaded two-core machine has been seen to take 4 s.

// Starts the bridge on a free port. `lines` grows as it prints; it is killed when the test ends, whatever happens.
function start(t, environment = {}) {
  const child = spawn(process.execPath, [program], {
    env: { PATH: process.env.PATH, BAILEYS_PORT: '0', ...environment },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  t.after(() => child.kill('SIGKILL'));
  const bridge = { child, output: '', exited: once(child, 'exit') };
  child.stdout.setEncoding('utf8').on('data', (text) => (bridge.output += text));
  bridge.printed = async (pattern) => {
    const deadline = AbortSignal.timeout(READY_MS_MAX);
    for (;;) {
      const match = bridge.output.match(pattern);
      if (match) {
        return match;
      }
      await Promise.race([once(child.stdout, 'data', { signal: deadline }), bridge.exited.then(() => sleepless())]);
      if (child.exitCode !== null && !bridge.output.match(pattern)) {
        assert.fail(`ended without printing ${pattern}: ${bridge.output}`);
      }
    }
  };
  return bridge;
}
const sleepless = () => new Promise((resolve) => setImmediate(resolve)); // Lets the last data of the pipe arrive.

async function ready(t, environment) {
  const bridge = start(t, environment);
  const [, port] = await bridge.printed(/^event=bridge_ready address=127\.0\.0\.1 port=(\d+) pid=\d+ version=\S+$/m);
  return Object.assign(bridge, { port: Number(port) });
}

function request(port, { method = 'GET', path = '/health', headers = {} } = {}) {
  return new Promise((resolve, reject) => {
    http
      .request({ host: '127.0.0.1', port, method, path, headers, agent: false }, async (response) => {
        let body = '';
        for await (const piece of response) {
          body += piece;
        }
        resolve({ status: response.statusCode, headers: response.headers, body });
      })
      .on('error', reject)
      .end();
  });
}

test('bridge: health keeps connected, paired and can_send apart', async (t) => {
  const { port, child } = await ready(t);
  const { status, body, headers } = await request(port);
  assert.equal(status, 200);
  assert.equal(headers['cache-control'], 'no-store');
  const health = JSON.parse(body);
  assert.deepEqual(
    [health.ok, health.connected, health.paired, health.can_send, health.pid],
    [true, false, false, false, child.pid],
  );
});

test('bridge: other paths, methods and hosts are refused as JSON', async (t) => {
  const { port } = await ready(t);
  const refused = async (expected, options) => {
    const { status, body } = await request(port, options);
    assert.equal(status, expected);
    assert.equal(JSON.parse(body).ok, false);
  };
  await refused(404, { path: '/healthz' });
  await refused(405, { method: 'POST' });
  await refused(403, { headers: { host: 'evil.example' } });
  const head = await request(port, { method: 'HEAD' });
  assert.deepEqual([head.status, head.body], [200, '']);
});

test('bridge: listens on loopback only', async (t) => {
  const { port } = await ready(t);
  // 127.0.0.2 is this machine too: a socket bound to all addresses would answer there.
  const socket = net.connect(port, '127.0.0.2');
  await assert.rejects(once(socket, 'connect'), { code: 'ECONNREFUSED' });
});

test('bridge: SIGTERM ends it with 0, though a client keeps its connection open', async (t) => {
  const { child, port, exited, printed } = await ready(t);
  const idle = net.connect(port, '127.0.0.1');
  await once(idle, 'connect');
  t.after(() => idle.destroy());
  const started = Date.now();
  child.kill('SIGTERM');
  await printed(/^event=bridge_stopping signal=SIGTERM$/m);
  assert.deepEqual(await exited, [0, null]);
  assert.ok(Date.now() - started < 5000 + READY_MS_MAX);
});

test('bridge: a request under way does not outlast the stop deadline', async (t) => {
  const { child, port, exited } = await ready(t);
  const slow = net.connect(port, '127.0.0.1');
  slow.on('error', () => {});
  t.after(() => slow.destroy());
  slow.write('GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\n'); // Never finished.
  await once(slow, 'connect');
  child.kill('SIGTERM');
  assert.deepEqual(await exited, [0, null]);
});

test('bridge: SIGINT is ignored and the bridge goes on serving', async (t) => {
  const { child, port, printed } = await ready(t);
  child.kill('SIGINT');
  await printed(/^event=bridge_signal_ignored signal=SIGINT /m);
  assert.equal((await request(port)).status, 200);
  assert.equal(child.exitCode, null);
});

test('bridge: a taken port is named, with exit code 75', async (t) => {
  const { port } = await ready(t);
  const second = start(t, { BAILEYS_PORT: String(port) });
  assert.deepEqual(await second.exited, [75, null]);
  assert.match(second.output, new RegExp(`^event=bridge_port_taken address=127.0.0.1 port=${port} remedy=`, 'm'));
});

test('bridge: a port that is none is refused with exit code 78', async (t) => {
  for (const wrong of ['abc', '65536', '-1', '4001 ']) {
    const bridge = start(t, { BAILEYS_PORT: wrong });
    assert.deepEqual(await bridge.exited, [78, null], wrong);
    assert.match(bridge.output, /^event=bridge_settings_wrong fault="BAILEYS_PORT=/m);
  }
});
