// Messages both ways, with real Signal encryption: what arrives, what is sent, and what the other side could read.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import test from 'node:test';

import { linked, readyBridge, until } from './support.js';

const PHONE = '972541234567';
const text = (conversation) => ({ conversation });

test('messages: received ones become events once, with who, when and what', async (t) => {
  const { server, bridge } = await linked(t);
  const dana = server.person(PHONE, 'Dana');
  const id = await dana.send(text('שלום'));
  const [event] = await until('it is an event', async () => {
    const found = await bridge.messages();
    return found.length > 0 && found;
  });
  assert.equal(event.event_id, `in:${PHONE}@s.whatsapp.net:${id}`);
  assert.deepEqual(event.chat, { jid: dana.jid, lid: dana.lid, phone: PHONE, group: false });
  assert.deepEqual(event.from, { jid: dana.jid, lid: dana.lid, phone: PHONE, name: 'Dana' });
  assert.deepEqual([event.from_me, event.offline], [false, false]);
  assert.equal(event.message.kind, 'text');
  assert.equal(event.message.text, 'שלום');
  await until('WhatsApp is told', () => server.undelivered === 0);
});

test('messages: the cursor moves by acknowledgement alone, and waiting wakes at once', async (t) => {
  const { server, bridge } = await linked(t);
  const dana = server.person(PHONE);
  const last = (await bridge.get('/v1/session')).body.events.last;
  const waiting = bridge.get(`/v1/events?after=${last}&wait=20`);
  const began = Date.now();
  await dana.send(text('one'));
  const { body } = await waiting;
  assert.ok(Date.now() - began < 10_000);
  assert.equal(body.events[0].message.text, 'one');
  assert.equal(body.next, last + 1);
  assert.deepEqual((await bridge.get('/v1/events?limit=500')).body.events.length, last + 1, 'not acknowledged: all are there');
  assert.equal((await bridge.post('/v1/events/ack', { upto: body.next })).body.acknowledged, body.next);
  assert.equal((await bridge.post('/v1/events/ack', { upto: 1 })).body.acknowledged, body.next, 'never back');
  assert.equal((await bridge.post('/v1/events/ack', { upto: 10 ** 9 })).body.acknowledged, body.next, 'never beyond');
  assert.deepEqual((await bridge.get('/v1/events')).body.events, []);
});

test('messages: sent ones are accepted, delivered, read; the recipient reads the text', async (t) => {
  const { server, bridge } = await linked(t);
  const dana = server.person(PHONE);
  server.receiptTypes = ['', 'read'];
  const sent = await bridge.send('k1', `+${PHONE}`, 'היי');
  assert.equal(sent.state, 'queued');
  await bridge.messageState(sent.id, 'read');
  assert.deepEqual(dana.texts(), ['היי']);
  const states = (await bridge.events()).filter((event) => event.type === 'receipt').map((event) => [event.key, event.state]);
  assert.deepEqual(states, [['k1', 'accepted'], ['k1', 'delivered'], ['k1', 'read']]);
});

test('messages: one key is one message', async (t) => {
  const { server, bridge } = await linked(t);
  const dana = server.person(PHONE);
  const [first, second] = await Promise.all([bridge.send('same', PHONE, 'x'), bridge.send('same', PHONE, 'x')]);
  assert.equal(first.id, second.id);
  const other = await bridge.post('/v1/messages', { to: PHONE, text: 'y' }, { 'idempotency-key': 'same' });
  assert.deepEqual([other.status, other.body.error.code], [409, 'conflict']);
  await bridge.messageState(first.id, 'accepted');
  assert.equal((await bridge.send('same', PHONE, 'x')).state, 'accepted');
  assert.deepEqual(dana.texts(), ['x']);
});

test('messages: a conversation both ways keeps its order and every text', async (t) => {
  const { server, bridge } = await linked(t);
  const people = ['972541111111', '972542222222', '972543333333'].map((phone) => server.person(phone));
  const wanted = people.map(() => []);
  for (let round = 0; round < 10; ++round) {
    // At the same time on purpose: sending and receiving step the same Signal session.
    await Promise.all(
      people.flatMap((person, index) => [
        person.send(text(`in ${round}`)),
        bridge.send(`out-${index}-${round}`, person.phone, `out ${round}`),
      ]),
    );
    wanted.forEach((list) => list.push(`out ${round}`));
  }
  await until('all arrived', async () => (await bridge.messages()).length === 30 && people.every((p) => p.inbox.length === 10));
  people.forEach((person, index) => assert.deepEqual(person.texts(), wanted[index]));
  assert.deepEqual(server.nacks, []);
});

test('messages: what waited at WhatsApp while we were away arrives, marked so', async (t) => {
  const { server, bridge } = await linked(t);
  const dana = server.person(PHONE);
  await bridge.kill();
  for (let n = 0; n < 5; ++n) {
    await dana.send(text(`away ${n}`));
  }
  const again = await readyBridge(t, { server, folder: bridge.folder });
  await until('all five are events', async () => (await again.messages()).length === 5);
  const found = await again.messages();
  assert.deepEqual(found.map((event) => event.message.text), [0, 1, 2, 3, 4].map((n) => `away ${n}`));
  assert.ok(found.every((event) => event.offline));
});

test('messages: own ones from the phone are marked, repeated ones are dropped, noise is no event', async (t) => {
  const { server, bridge } = await linked(t);
  const dana = server.person(PHONE);
  const id = await dana.send(text('once'));
  await dana.send(text('once'), { id });
  await dana.send({ protocolMessage: { type: 5 } });
  const phone = server.person('972500000001', 'Owner');
  const enc = await phone.encrypt({ deviceSentMessage: { destinationJid: dana.jid, message: text('from my phone') } });
  const stanza = { id: '3AOWN', from: phone.jid, recipient: dana.jid, t: String(Math.floor(Date.now() / 1000)), type: 'text' };
  server.deliver({ tag: 'message', attrs: stanza, content: [enc] });
  await until('WhatsApp is told of all', () => server.undelivered === 0);
  const found = await bridge.messages();
  assert.deepEqual(found.map((event) => [event.message.text, event.from_me]), [['once', false], ['from my phone', true]]);
  assert.equal(found[1].chat.phone, PHONE);
});

test('messages: one that cannot be read is said to be so; its repetition is read', async (t) => {
  const { server, bridge } = await linked(t);
  const dana = server.person(PHONE);
  await dana.send(text('first'));
  const id = await dana.send(text('broken'), { corrupt: true });
  const bad = await until('it is reported', async () => (await bridge.events()).find((event) => event.type === 'undecryptable'));
  assert.equal(bad.message.id, id);
  await dana.send(text('broken'), { id });
  await until('it is read now', async () => (await bridge.messages()).some((event) => event.message.text === 'broken'));
});

test('messages: kinds with their texts, replies and places', async (t) => {
  const { server, bridge } = await linked(t);
  const dana = server.person(PHONE);
  await dana.send({ extendedTextMessage: { text: 'a reply', contextInfo: { stanzaId: 'Q1' } } });
  await dana.send({ reactionMessage: { text: '👍', key: { id: 'R1', remoteJid: dana.jid } } });
  await dana.send({ locationMessage: { degreesLatitude: 32.08, degreesLongitude: 34.78, name: 'Office' } });
  await dana.send({ protocolMessage: { type: 0, key: { id: 'D1' } } });
  await dana.send({ imageMessage: { mimetype: 'image/jpeg', fileLength: 5, caption: 'look' } });
  const found = await until('all are events', async () => {
    const events = await bridge.messages();
    return events.length === 5 && events.map((event) => event.message);
  });
  assert.deepEqual(found.map((m) => [m.kind, m.text, m.reply_to]), [
    ['text', 'a reply', 'Q1'],
    ['reaction', '👍', 'R1'],
    ['location', 'Office', null],
    ['revoke', null, 'D1'],
    ['image', 'look', null],
  ]);
  assert.deepEqual(found[2].location, { latitude: 32.08, longitude: 34.78, name: 'Office' });
});

test('messages: a refusal is final or tried again as its number demands', async (t) => {
  const { server, bridge } = await linked(t, { tune: { pump: { backoffMs: 20 } } });
  server.person(PHONE);
  server.ackMode = 463;
  const barred = await bridge.send('barred', PHONE, 'x');
  assert.equal((await bridge.messageState(barred.id, 'failed')).code, 463);
  server.ackMode = 479;
  const dana = server.person('972549999999');
  await dana.send(text('hi')); // So that answering is no new chat, which 463 has barred.
  await until('it arrived', async () => (await bridge.messages()).length === 1);
  const stale = await bridge.send('stale', dana.phone, 'y');
  await until('it was refused once', () => [...server.received.values()].length === 2);
  server.ackMode = 'ok';
  assert.equal((await bridge.messageState(stale.id, 'accepted', 'failed')).state, 'accepted');
  assert.equal(server.received.get(stale.wa_id), 2);
});

test('messages: silence is answered with the same id and bytes, and at last with a new connection', async (t) => {
  const { server, bridge } = await linked(t, { tune: { pump: { ackMs: 200, backoffMs: 20 } } });
  const dana = server.person(PHONE);
  server.ackMode = 'none';
  const sent = await bridge.send('silent', PHONE, 'once');
  await until('it was sent twice', () => server.received.get(sent.wa_id) >= 2);
  await bridge.printed(/event=link_suspected reason=sends_not_answered/);
  server.ackMode = 'ok';
  await bridge.messageState(sent.id, 'accepted');
  assert.deepEqual([...server.received.keys()], [sent.wa_id]);
  assert.ok(dana.texts().every((said) => said === 'once'));
});

test('messages: to nobody, too late, taken back', async (t) => {
  const { server, bridge } = await linked(t);
  const nobody = await bridge.send('n', '15550001111', 'x');
  assert.deepEqual((await bridge.messageState(nobody.id, 'failed')).error, 'not_on_whatsapp');
  assert.equal((await bridge.get('/v1/numbers/15550001111')).body.on_whatsapp, false);
  server.person(PHONE);
  assert.equal((await bridge.get(`/v1/numbers/${PHONE}`)).body.on_whatsapp, true);
  server.frozen = true;
  server.drop();
  await until('the link is gone', async () => !(await bridge.health()).connected);
  const cancelled = await bridge.send('c', PHONE, 'never');
  assert.equal((await bridge.request('DELETE', `/v1/messages/${cancelled.id}`)).status, 200);
  assert.equal((await bridge.get(`/v1/messages/${cancelled.wa_id}`)).body.state, 'cancelled');
  assert.equal((await bridge.request('DELETE', `/v1/messages/${nobody.id}`)).status, 409);
  server.frozen = false;
});

test('messages: a text at the limit goes, one byte more does not', async (t) => {
  const { server, bridge } = await linked(t);
  const dana = server.person(PHONE);
  const long = randomBytes(32_768).toString('hex');
  const sent = await bridge.send('long', PHONE, long);
  await bridge.messageState(sent.id, 'accepted');
  assert.deepEqual(dana.texts(), [long]);
  const { status } = await bridge.post('/v1/messages', { to: PHONE, text: `${long}x` }, { 'idempotency-key': 'l2' });
  assert.equal(status, 400);
});
