// The bridge as the supervisor sees it: a process with a ready line, health, a lock, signals and exit codes; and what it
// leaves in its log.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import test from 'node:test';

import { linked, readyBridge, SECRET, send, startBridge, temporaryFolder, until } from './support.js';

test('process: health needs no secret and keeps connected, paired and can_send apart', async (t) => {
  const { port, child } = await readyBridge(t);
  const { status, text, headers } = await send(port, 'GET', '/health');
  assert.equal(status, 200);
  assert.equal(headers['cache-control'], 'no-store');
  const health = JSON.parse(text);
  assert.deepEqual([health.ok, health.connected, health.paired, health.can_send, health.pid], [true, false, false, false, child.pid]);
});

test('process: listens on loopback only', async (t) => {
  const { port } = await readyBridge(t);
  // 127.0.0.2 is this machine too: a socket bound to all addresses would answer there.
  const socket = net.connect(port, '127.0.0.2');
  await assert.rejects(once(socket, 'connect'), { code: 'ECONNREFUSED' });
});

test('process: SIGTERM ends it with 0 within its deadline, though clients keep connections open', async (t) => {
  const { bridge, server } = await linked(t);
  const idle = net.connect(bridge.port, '127.0.0.1');
  const slow = net.connect(bridge.port, '127.0.0.1');
  for (const socket of [idle, slow]) {
    socket.on('error', () => {});
    await once(socket, 'connect');
    t.after(() => socket.destroy());
  }
  slow.write('GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\n'); // Never finished.
  const waiting = bridge.get('/v1/events?after=1000&wait=30');
  await until('it waits', async () => (await bridge.health()).ok);
  const began = Date.now();
  assert.deepEqual(await bridge.kill('SIGTERM'), [0, null]);
  assert.ok(Date.now() - began < 5000, 'the supervisor sends SIGKILL after five seconds');
  assert.deepEqual((await waiting).body.events, [], 'who waits for events gets an answer');
  assert.equal(server.unlinked, false, 'WhatsApp stays linked');
});

test('process: SIGTERM waits for the answer to what is being sent', async (t) => {
  const { bridge, server } = await linked(t);
  const dana = server.person('972541234567');
  server.ackMode = 'none';
  const sent = await bridge.send('late', dana.phone, 'x');
  await until('it left', () => server.received.has(sent.wa_id));
  bridge.child.kill('SIGTERM');
  await bridge.printed(/event=bridge_stopping signal=SIGTERM/);
  server.ackMode = 'ok';
  assert.deepEqual(await bridge.ended(), [0, null]);
  const again = await readyBridge(t, { server, folder: bridge.folder });
  await again.messageState(sent.id, 'accepted');
});

test('process: SIGINT neither ends it nor unlinks the phone', async (t) => {
  const { bridge, server } = await linked(t);
  bridge.child.kill('SIGINT');
  await bridge.printed(/^event=bridge_signal_ignored signal=SIGINT /m);
  assert.equal((await bridge.health()).connected, true);
  assert.equal(server.unlinked, false);
});

test('process: a taken port is named, with exit code 75', async (t) => {
  const { port } = await readyBridge(t);
  const second = await startBridge(t, { environment: { BAILEYS_PORT: String(port) } });
  assert.deepEqual(await second.ended(), [75, null]);
  assert.match(second.output, new RegExp(`^event=bridge_port_taken address=127.0.0.1 port=${port} remedy=`, 'm'));
});

test('process: a second bridge on the same folder is refused with 75; a killed one leaves no lock', async (t) => {
  const first = await readyBridge(t);
  const second = await startBridge(t, { folder: first.folder });
  assert.deepEqual(await second.ended(), [75, null]);
  assert.match(second.output, /^event=bridge_not_started cause=".*in use by another bridge" remedy=/m);
  await first.kill();
  await readyBridge(t, { folder: first.folder });
});

test('process: wrong settings end it with 78, all named, no secret printed', async (t) => {
  const wrong = { BAILEYS_PORT: '65536', BAILEYS_SECRET: 'short-secret', BAILEYS_WA_VERSION: '2', BAILEYS_RETENTION_DAYS: '0' };
  const bridge = await startBridge(t, { environment: wrong });
  assert.deepEqual(await bridge.ended(), [78, null]);
  for (const name of Object.keys(wrong)) {
    assert.match(bridge.output, new RegExp(`^event=bridge_settings_wrong fault="${name}`, 'm'));
  }
  assert.doesNotMatch(bridge.output, /short-secret/);
});

test('process: the secret comes from the data folder when it is not set', async (t) => {
  const folder = temporaryFolder(t);
  writeFileSync(path.join(folder, 'bridge-secret'), `${'ab'.repeat(32)}\n`);
  const bridge = await readyBridge(t, { folder, environment: { BAILEYS_SECRET: '' } });
  assert.equal((await send(bridge.port, 'GET', '/v1/session', undefined, { authorization: `Bearer ${'ab'.repeat(32)}` })).status, 200);
  assert.equal((await send(bridge.port, 'GET', '/v1/session', undefined, { authorization: `Bearer ${SECRET}` })).status, 401);
});

test('process: a damaged file is refused with 65 and left as it is', async (t) => {
  const { bridge, server } = await linked(t);
  await bridge.kill('SIGTERM');
  const file = path.join(bridge.folder, 'whatsapp', 'bridge.db');
  const whole = readFileSync(file);
  const torn = Buffer.concat([whole.subarray(0, 4096), Buffer.alloc(whole.length - 4096, 0x5a)]);
  for (const [what, bytes] of [['torn', torn], ['not a database', Buffer.alloc(8192, 0x5a)]]) {
    writeFileSync(file, bytes);
    const again = await startBridge(t, { server, folder: bridge.folder });
    assert.deepEqual(await again.ended(), [65, null], what);
    assert.match(again.output, /^event=bridge_not_started cause=".*damaged.*" remedy=/m);
    assert.deepEqual(readFileSync(file), bytes, 'it is evidence, and perhaps repairable');
  }
  writeFileSync(file, whole);
  await (await readyBridge(t, { server, folder: bridge.folder })).state('open');
});

test('process: beats for the supervisor, and for nobody else', async (t) => {
  const watched = await readyBridge(t, { environment: { AGENTLOCATOR_SPAWN: '1' } });
  await watched.printed(/^event=bridge_beat connected=false paired=false can_send=false state=unpaired reason=\S+$/m);
  const alone = await readyBridge(t);
  await alone.state('unpaired');
  assert.doesNotMatch(alone.output, /bridge_beat/);
});

test('process: nothing personal and no key reaches the log; the files are for the owner alone', async (t) => {
  const { bridge, server } = await linked(t);
  const dana = server.person('972541234567', 'Dana Cohen');
  // Two sessions for one person: libsignal prints the closed one, private keys included.
  await dana.send({ conversation: 'private words' });
  await dana.send({ conversation: 'broken' }, { corrupt: true });
  const stranger = server.person('972541234567', 'Dana Cohen');
  await stranger.send({ conversation: 'from a new phone' });
  const sent = await bridge.send('key-1', dana.phone, 'our words');
  await bridge.messageState(sent.id, 'accepted', 'failed');
  await until('all arrived', async () => (await bridge.messages()).length >= 2);
  server.unlink();
  await bridge.state('logged_out');
  await bridge.post('/v1/session/pair', { method: 'qr' });
  const { body } = await until('a QR', async () => {
    const answer = await bridge.get('/v1/session/qr');
    return answer.status === 200 && answer;
  });
  await bridge.kill('SIGTERM');
  assert.match(bridge.output, /event=library_said source=console level=\w+ text="Closing session"/, 'the test provoked what it looks for');
  for (const secret of ['privKey', 'rootKey', '<Buffer', '972541234567', 'Dana', 'words', SECRET, body.qr.slice(-40)]) {
    assert.ok(!bridge.output.includes(secret), `${secret} is in the log:\n${bridge.output}`);
  }
  for (const name of ['bridge.db', 'media', 'outgoing']) {
    assert.equal(statSync(path.join(bridge.folder, 'whatsapp', name)).mode & 0o077, 0, name);
  }
});
