// Every way WhatsApp ends a connection, and what the link makes of it; a disk that refuses.
import assert from 'node:assert/strict';
import test from 'node:test';

import { linked, pairByQr, readyBridge, until } from './support.js';
import { POLICY, ReconnectPolicy } from '../lib/reconnect.js';

const PHONE = '972541234567';
const text = (conversation) => ({ conversation });

test('link: comes back after each kind of lost connection, and goes on', async (t) => {
  const { server, bridge } = await linked(t);
  const dana = server.person(PHONE);
  const endings = [
    [428, () => server.drop()],
    [503, () => server.streamError(503)],
    [500, () => server.streamError()],
    [515, () => server.streamError(515)],
    [408, () => (server.frozen = true)],
    [503, () => server.failNow(503)],
    [405, () => server.failNow(405)],
    [409, () => server.failNow(409)],
    [429, () => server.failNow(429)],
    [440, () => server.replace()],
  ];
  for (const [code, end] of endings) {
    const logins = server.logins;
    const closed = bridge.output.length;
    end();
    await until(`it notices ${code}; it printed ${bridge.output.slice(closed)}`, () =>
      bridge.output.slice(closed).includes(`event=link_closed code=${code} `),
    );
    server.frozen = false;
    await until(`it is back after ${code}`, () => server.logins > logins);
    await bridge.state('open');
  }
  await dana.send(text('still here'));
  await until('it hears', async () => (await bridge.messages()).length === 1);
  const sent = await bridge.send('k', PHONE, 'so are we');
  await bridge.messageState(sent.id, 'accepted');
});

test('link: refused logins are tried again until one succeeds', async (t) => {
  const { server, bridge } = await linked(t);
  server.refuseLogins(503, 500, 405, 429);
  server.drop();
  await until('it has been refused four times and is back', () => server.logins === 2);
  await bridge.state('open');
});

test('link: unlinked on the phone: stops, keeps what it has, and can be linked anew', async (t) => {
  const { server, bridge } = await linked(t);
  const dana = server.person(PHONE);
  await dana.send(text('before'));
  await until('it is stored', async () => (await bridge.messages()).length === 1);
  server.unlink();
  await bridge.state('logged_out');
  const health = await bridge.health();
  assert.deepEqual([health.connected, health.paired, health.can_send], [false, false, false]);
  assert.equal((await bridge.messages()).length, 1);
  const waiting = await bridge.send('later', PHONE, 'when linked again');
  server.unlinked = false;
  server.account = undefined;
  await pairByQr(bridge, server);
  await bridge.messageState(waiting.id, 'accepted');
});

test('link: a transient 401 costs nothing: a restart links with the same keys', async (t) => {
  const { server, bridge } = await linked(t);
  server.failNow(401);
  await bridge.state('logged_out');
  await bridge.kill('SIGTERM');
  await (await readyBridge(t, { server, folder: bridge.folder })).state('open');
});

for (const [code, state] of [
  [402, 'restricted'],
  [403, 'restricted'],
  [406, 'restricted'],
  [411, 'failed'],
]) {
  test(`link: ${code} stops it as ${state}, without another try`, async (t) => {
    const { server, bridge } = await linked(t);
    server.failNow(code);
    await bridge.state(state);
    assert.equal((await bridge.get('/v1/session')).body.reconnect, null);
    assert.equal((await bridge.health()).can_send, false);
    assert.equal(server.logins, 1);
  });
}

test('link: replaced twice in a row: gives way instead of fighting', async (t) => {
  const { server, bridge } = await linked(t);
  server.replace();
  await until('it tries once more', () => server.logins === 2);
  await bridge.state('open');
  server.replace();
  await bridge.state('replaced');
  assert.equal(server.logins, 2);
});

test('link: a full disk cuts the line before WhatsApp is told; with room again nothing is missing', async (t) => {
  // One MiB for everything, the account's own keys included.
  const { server, bridge } = await linked(t, { environment: { BAILEYS_DATABASE_MB_MAX: '1', BAILEYS_RETENTION_DAYS: '1' } });
  const dana = server.person(PHONE);
  const sent = [];
  for (let n = 0; n < 40; ++n) {
    sent.push(await dana.send(text(`${n} ${'x'.repeat(20_000)}`)));
  }
  await bridge.printed(/event=storage_failed kind=full /);
  await until('the link waits', async () => (await bridge.health()).state === 'waiting');
  const stored = new Set((await bridge.messages()).map((event) => event.message.id));
  assert.ok(stored.size < sent.length, 'the disk was full indeed');
  for (const id of sent) {
    assert.ok(stored.has(id) || server.isUndelivered(id), 'each is with us or still with WhatsApp');
  }
  const refused = await bridge.post('/v1/messages', { to: PHONE, text: 'x'.repeat(60_000) }, { 'idempotency-key': 'full' });
  assert.deepEqual([refused.status, refused.body.error.code, refused.body.error.retryable], [507, 'storage_full', true]);
  await bridge.kill('SIGTERM');
  const again = await readyBridge(t, { server, folder: bridge.folder });
  await until('all are here', async () => (await again.messages()).length === sent.length);
  assert.deepEqual((await again.messages()).map((event) => event.message.id), sent, 'once each, in order');
  const accepted = await again.send('full', PHONE, 'short');
  await again.messageState(accepted.id, 'accepted');
});

test('reconnect: backs off with jitter, at most a minute, and forgets only after a stable minute', () => {
  const policy = new ReconnectPolicy();
  assert.deepEqual(policy.onClose(428, 0, 1), { retryMs: 1000, reason: 'connection_lost' });
  assert.equal(policy.onClose(428, 0, 1).retryMs, 2000);
  assert.equal(policy.onClose(428, 0, 0).retryMs, 400, 'a tenth at least');
  for (let n = 0; n < 20; ++n) {
    policy.onClose(408, 0, 1);
  }
  assert.equal(policy.onClose(408, 0, 1).retryMs, POLICY.backoffMsMax);
  policy.onOpen(1000);
  assert.equal(policy.onClose(428, 1000 + POLICY.stableMs - 1, 1).retryMs, POLICY.backoffMsMax, 'open, but not for long');
  policy.onOpen(100_000);
  assert.equal(policy.onClose(428, 100_000 + POLICY.stableMs, 1).retryMs, 1000);
});

test('reconnect: five bad sessions running are one too many; anything between starts the count anew', () => {
  const policy = new ReconnectPolicy();
  for (let n = 0; n < 4; ++n) {
    assert.ok('retryMs' in policy.onClose(500, 0, 1));
  }
  policy.onClose(428, 0, 1);
  for (let n = 0; n < 4; ++n) {
    assert.ok('retryMs' in policy.onClose(500, 0, 1));
  }
  assert.deepEqual(policy.onClose(500, 0, 1), { stop: 'failed', reason: 'bad_session' });
});

test('reconnect: 440 twice stops within ten minutes, not after', () => {
  const policy = new ReconnectPolicy();
  assert.equal(policy.onClose(440, 0, 1).retryMs, POLICY.replacedRetryMs);
  assert.equal(policy.onClose(440, POLICY.replacedWindowMs, 1).retryMs, POLICY.replacedRetryMs);
  assert.equal(policy.onClose(440, 2 * POLICY.replacedWindowMs - 1, 1).stop, 'replaced');
});

test('reconnect: 405, 409 and 429 are slow', () => {
  for (const code of [405, 409, 429]) {
    assert.equal(new ReconnectPolicy().onClose(code, 0, 0).retryMs, POLICY.slowRetryMs);
  }
});
