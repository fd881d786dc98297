// The HTTP side refuses whoever is not a worker of ours, and whatever is too big or makes no sense, always as JSON.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import net from 'node:net';
import test from 'node:test';

import { BODY_BYTES_MAX } from '../lib/server.js';
import { readyBridge, SECRET, send } from './support.js';

const ROUTES = [
  ['GET', '/v1/session'],
  ['POST', '/v1/session/pair'],
  ['GET', '/v1/session/qr'],
  ['DELETE', '/v1/session/pair'],
  ['POST', '/v1/session/logout'],
  ['POST', '/v1/messages'],
  ['GET', '/v1/messages/x'],
  ['DELETE', '/v1/messages/x'],
  ['GET', '/v1/events'],
  ['POST', '/v1/events/ack'],
  ['GET', '/v1/media/x'],
  ['POST', '/v1/chats/x/read'],
  ['POST', '/v1/chats/x/typing'],
  ['GET', '/v1/numbers/x'],
  ['GET', '/metrics'],
  ['GET', '/nowhere'],
];

test('http: every route but health wants the secret', async (t) => {
  const { port } = await readyBridge(t);
  for (const [method, target] of ROUTES) {
    for (const authorization of [undefined, '', SECRET, `Bearer ${SECRET}x`, `Bearer ${SECRET.slice(1)}`, 'Bearer ']) {
      const answer = await send(port, method, target, undefined, authorization === undefined ? {} : { authorization });
      assert.equal(answer.status, 401, `${method} ${target} ${authorization}`);
      assert.equal(JSON.parse(answer.text).error.code, 'unauthorized');
    }
  }
});

test('http: other hosts, paths and methods are refused as JSON', async (t) => {
  const bridge = await readyBridge(t);
  const refused = async (status, code, method, target, options) => {
    const answer = await bridge.request(method, target, options);
    assert.deepEqual([answer.status, answer.body.error.code], [status, code], `${method} ${target}`);
  };
  await refused(403, 'forbidden_host', 'GET', '/health', { headers: { host: 'evil.example' } });
  await refused(404, 'not_found', 'GET', '/v1/nowhere');
  await refused(405, 'wrong_method', 'PUT', '/v1/messages');
  await refused(404, 'not_found', 'GET', '/v1/messages/none');
  await refused(404, 'not_found', 'GET', '/v1/media/in%3Anone');
  await refused(400, 'bad_request', 'GET', '/v1/media/%E0%A4%A');
  await refused(503, 'not_connected', 'GET', '/v1/numbers/972541234567');
  const head = await bridge.request('HEAD', '/health', { raw: true });
  assert.deepEqual([head.status, head.text], [200, '']);
});

test('http: a body at the limit is read, one byte more is not', async (t) => {
  const bridge = await readyBridge(t);
  const headers = { 'idempotency-key': 'k' };
  const padded = (size) => {
    const start = '{"to":"972541234567","text":"x","ignored":"';
    return `${start}${'y'.repeat(size - start.length - 2)}"}`;
  };
  assert.equal((await bridge.post('/v1/messages', padded(BODY_BYTES_MAX), headers)).status, 202);
  assert.equal((await bridge.post('/v1/messages', padded(BODY_BYTES_MAX + 1), headers)).status, 413);
  // Without a length announced: cut off while it comes.
  const socket = net.connect(bridge.port, '127.0.0.1');
  await once(socket, 'connect');
  socket.on('error', () => {});
  const head = `POST /v1/messages HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer ${SECRET}\r\nTransfer-Encoding: chunked\r\n\r\n`;
  const chunk = Buffer.alloc(64 * 1024, 0x20);
  socket.write(head);
  for (let sent = 0; sent <= BODY_BYTES_MAX; sent += chunk.length) {
    socket.write(`${chunk.length.toString(16)}\r\n`);
    socket.write(chunk);
    socket.write('\r\n');
  }
  const [answer] = await once(socket, 'data');
  assert.match(answer.toString(), /^HTTP\/1\.1 413 /);
  socket.destroy();
});

test('http: headers over their limit, and requests that never end, are cut off', async (t) => {
  const bridge = await readyBridge(t);
  const large = await bridge.request('GET', '/health', { headers: { 'x-large': 'a'.repeat(9000) }, raw: true });
  assert.equal(large.status, 431);
  assert.equal((await bridge.health()).ok, true);
});

test('http: a message that makes no sense is refused with the field named', async (t) => {
  const bridge = await readyBridge(t);
  const to = '972541234567';
  const cases = [
    ['{', 'body'],
    ['[]', 'body'],
    ['null', 'body'],
    [{ text: 'x' }, 'to'],
    [{ to: '0541234567', text: 'x' }, 'to'],
    [{ to: 'evil@example.com', text: 'x' }, 'to'],
    [{ to: 7, text: 'x' }, 'to'],
    [{ to, text: '' }, 'text'],
    [{ to, text: 7 }, 'text'],
    [{ to, text: 'x', type: 'fax' }, 'type'],
    [{ to, text: 'x', ttl_s: 9 }, 'ttl_s'],
    [{ to, text: 'x', ttl_s: 604_801 }, 'ttl_s'],
    [{ to, type: 'image', media: { file: '../../../etc/passwd' } }, 'media.file'],
    [{ to, type: 'image', media: { file: '/etc/passwd' } }, 'media.file'],
    [{ to, type: 'image' }, 'media.file'],
    [{ to, type: 'location', latitude: 91, longitude: 0 }, 'latitude'],
    [{ to, type: 'reaction', emoji: '👍' }, 'message_id'],
  ];
  for (const [body, field] of cases) {
    const answer = await bridge.post('/v1/messages', body, { 'idempotency-key': 'k' });
    assert.equal(answer.status, 400, JSON.stringify(body));
    assert.ok(answer.body.error.message.includes(field), `${JSON.stringify(body)}: ${answer.body.error.message}`);
  }
  for (const key of ['', 'with blank', 'x'.repeat(129)]) {
    const answer = await bridge.post('/v1/messages', { to, text: 'x' }, { 'idempotency-key': key });
    assert.equal(answer.status, 400, `key ${key}`);
  }
  assert.equal((await bridge.post('/v1/messages', { to, text: 'x' }, { 'idempotency-key': 'x'.repeat(128) })).status, 202);
  for (const query of ['limit=0', 'limit=501', 'wait=31', 'after=-1', 'after=x']) {
    assert.equal((await bridge.get(`/v1/events?${query}`)).status, 400, query);
  }
});

test('http: metrics are Prometheus text', async (t) => {
  const bridge = await readyBridge(t);
  const { text } = await bridge.request('GET', '/metrics', { raw: true });
  assert.match(text, /^agentlocator_bridge_connected 0$/m);
  assert.match(text, /^agentlocator_bridge_outbox_queued 0$/m);
});
