// Linking a phone: by QR, by code, given up, taken back, and what a crash in the middle leaves.
import assert from 'node:assert/strict';
import test from 'node:test';

import { ACCOUNT, fakeWhatsApp, linked, pairByQr, readyBridge, until } from './support.js';

test('pairing: an unpaired bridge is healthy, idle and says so', async (t) => {
  const server = await fakeWhatsApp(t);
  const bridge = await readyBridge(t, { server });
  const health = await bridge.health();
  assert.deepEqual([health.ok, health.connected, health.paired, health.can_send, health.state], [true, false, false, false, 'unpaired']);
  assert.equal((await bridge.get('/v1/session/qr')).status, 404);
});

test('pairing: by QR, through the restart WhatsApp asks for, and it lasts', async (t) => {
  const { server, bridge } = await linked(t);
  const { body } = await bridge.get('/v1/session');
  assert.deepEqual([body.connected, body.paired, body.can_send], [true, true, true]);
  assert.equal(body.me.phone, '972500000001');
  assert.equal((await bridge.post('/v1/session/pair', { method: 'qr' })).status, 409);
  assert.deepEqual(await bridge.kill('SIGTERM'), [0, null]);
  const again = await readyBridge(t, { server, folder: bridge.folder });
  await again.state('open');
  assert.equal(server.logins, 2);
});

test('pairing: by code', async (t) => {
  const server = await fakeWhatsApp(t);
  const bridge = await readyBridge(t, { server });
  const asked = bridge.post('/v1/session/pair', { method: 'code', phone: '+972 50-000-0001' });
  await until('the code is asked for', () => server.linking);
  const { status, body } = await asked;
  assert.equal(status, 200);
  assert.match(body.code, /^[0-9A-Z]{8}$/);
  const repeated = await bridge.post('/v1/session/pair', { method: 'code', phone: '972500000001' });
  assert.equal(repeated.body.code, body.code, 'asking again gives the same code, not a second pairing');
  assert.equal((await bridge.post('/v1/session/pair', { method: 'qr' })).status, 409);
  await server.enterCode(body.code, ACCOUNT);
  await bridge.state('open');
  assert.equal((await bridge.health()).paired, true);
});

test('pairing: nobody scans; the bridge goes back to unpaired and tries nothing by itself', async (t) => {
  const server = await fakeWhatsApp(t);
  server.qrRefs = 0;
  const bridge = await readyBridge(t, { server });
  await bridge.post('/v1/session/pair', { method: 'qr' });
  await bridge.printed(/from=pairing to=unpaired reason=nobody_scanned_in_time/);
  server.qrRefs = 6;
  await pairByQr(bridge, server);
});

test('pairing: a second request during one joins it: one socket', async (t) => {
  const server = await fakeWhatsApp(t);
  let sockets = 0;
  server.on('pairing', () => (sockets += 1));
  const bridge = await readyBridge(t, { server });
  const answers = await Promise.all([1, 2, 3].map(() => bridge.post('/v1/session/pair', { method: 'qr' })));
  assert.deepEqual(answers.map((answer) => answer.status), [202, 202, 202]);
  await until('there is a QR', async () => (await bridge.get('/v1/session/qr')).status === 200);
  assert.equal(sockets, 1);
});

test('pairing: can be taken back, and begun anew by the other method', async (t) => {
  const server = await fakeWhatsApp(t);
  const bridge = await readyBridge(t, { server });
  await bridge.post('/v1/session/pair', { method: 'code', phone: '972500000001' });
  assert.deepEqual((await bridge.request('DELETE', '/v1/session/pair')).body, { cancelled: true });
  assert.equal((await bridge.health()).state, 'unpaired');
  await pairByQr(bridge, server);
});

test('pairing: killed while a code waits, it starts unpaired and pairs again', async (t) => {
  const server = await fakeWhatsApp(t);
  const bridge = await readyBridge(t, { server });
  await bridge.post('/v1/session/pair', { method: 'code', phone: '972500000001' });
  await bridge.kill();
  const again = await readyBridge(t, { server, folder: bridge.folder });
  assert.equal((await again.health()).state, 'unpaired', 'half an identity would be refused at every login');
  await pairByQr(again, server);
});

test('pairing: logout unlinks at WhatsApp and forgets the keys; a new phone can be linked', async (t) => {
  const { server, bridge } = await linked(t);
  assert.equal((await bridge.post('/v1/session/logout')).status, 202);
  assert.equal(server.unlinked, true);
  assert.deepEqual([(await bridge.health()).state, (await bridge.health()).paired], ['unpaired', false]);
  await pairByQr(bridge, server, { jid: '972500000009:3@s.whatsapp.net', lid: '9972500000009:3@lid' });
  assert.equal((await bridge.get('/v1/session')).body.me.phone, '972500000009');
});

test('pairing: a bad method or number is refused', async (t) => {
  const bridge = await readyBridge(t);
  for (const body of [{}, { method: 'sms' }, { method: 'code' }, { method: 'code', phone: '050-1' }]) {
    assert.equal((await bridge.post('/v1/session/pair', body)).status, 400, JSON.stringify(body));
  }
});
