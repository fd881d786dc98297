// SIGKILL at any moment: nothing that WhatsApp believes we have is missing, nothing is there twice, nothing handed in for
// sending is lost or sent as a second message.
//
// BRIDGE_CRASH_MESSAGES and BRIDGE_CRASH_SEED make the long run and repeat a failure.
import assert from 'node:assert/strict';
import test from 'node:test';

import { fakeWhatsApp, linked, pairByQr, readyBridge, temporaryFolder, until } from './support.js';

const MESSAGES = Number(process.env.BRIDGE_CRASH_MESSAGES ?? 300);
const SEED = Number(process.env.BRIDGE_CRASH_SEED ?? Date.now() % 1_000_000);
const PEOPLE = 10;
// A bridge lives until so many messages have passed, and a moment longer, to die at any point of the next. Not for a time:
// on a loaded machine it would die before it did anything.
const SERVED = { max: 160, moreMs: 30 };

function randomFrom(seed) {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

test(`crash: ${MESSAGES} in and ${MESSAGES} out while the bridge is killed at random, each once`, async (t) => {
  const random = randomFrom(SEED);
  t.diagnostic(`seed ${SEED}`);
  const server = await fakeWhatsApp(t);
  const folder = temporaryFolder(t);
  const people = Array.from({ length: PEOPLE }, (_, n) => server.person(`9725410000${10 + n}`, `P${n}`));
  let bridge = await readyBridge(t, { server, folder });
  await pairByQr(bridge, server);

  const sentIn = new Set();
  const seenIn = new Map(); // event_id -> how often, as a puller that stores and then acknowledges sees it
  const acceptedOut = new Map(); // key -> wa_id, as the bridge confirmed it
  let cursor = 0;
  let kills = 0;
  let passed = 0;
  server.on('confirmed', () => (passed += 1));
  server.on('message', () => (passed += 1));
  let done = false;

  const alive = async (work) => {
    try {
      return await work(bridge);
    } catch (error) {
      if (error instanceof assert.AssertionError) {
        throw error;
      }
      await new Promise((resolve) => setTimeout(resolve, 20)); // It is being killed or started; the caller tries again.
      return undefined;
    }
  };

  const sending = (async () => {
    for (let n = 0; n < MESSAGES; ++n) {
      sentIn.add(await people[n % PEOPLE].send({ conversation: `in ${n}` }));
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
  })();
  const handingIn = (async () => {
    for (let n = 0; n < MESSAGES; ++n) {
      const key = `out-${n}`;
      const answer = await until(`${key} is handed in`, () =>
        alive(async (b) => {
          const given = await b.send(key, people[n % PEOPLE].phone, `out ${n}`);
          return given.wa_id && given;
        }),
        120_000, // The next bridge may take long to start where all cores are busy.
      );
      acceptedOut.set(key, answer.wa_id);
    }
  })();
  const pulling = (async () => {
    while (!done) {
      const body = await alive(async (b) => (await b.get(`/v1/events?after=${cursor}&limit=100&wait=1`)).body);
      if (!body?.events) {
        continue;
      }
      for (const event of body.events) {
        assert.ok(event.seq > cursor, 'the sequence only rises');
        cursor = event.seq;
        if (event.type === 'message') {
          seenIn.set(event.event_id, (seenIn.get(event.event_id) ?? 0) + 1);
        }
      }
      await alive((b) => b.post('/v1/events/ack', { upto: cursor }));
    }
  })();
  const killing = (async () => {
    while (!done) {
      const enough = passed + 1 + random() * SERVED.max;
      await until('messages pass', () => passed >= enough || done, 120_000);
      await new Promise((resolve) => setTimeout(resolve, random() * SERVED.moreMs));
      if (done) {
        return;
      }
      await bridge.kill();
      kills += 1;
      const next = await readyBridge(t, { server, folder });
      await until('it is open again', async () => (await next.health()).connected);
      bridge = next;
    }
  })();

  try {
    await Promise.all([sending, handingIn]);
    const sent = () => [...acceptedOut.values()].every((waId) => server.received.has(waId));
    await until('everything arrived', () => seenIn.size >= sentIn.size && server.undelivered === 0 && sent(), 240_000);
  } finally {
    done = true;
    await Promise.allSettled([pulling, killing]);
  }
  await pulling;
  await until('the outbox is empty', async () => {
    const { outbox } = (await bridge.get('/v1/session')).body;
    return outbox.queued + outbox.sending === 0;
  });

  assert.deepEqual(new Set([...seenIn.keys()].map((id) => id.split(':').pop())), sentIn, 'each message in is one event');
  assert.ok([...seenIn.values()].every((times) => times === 1), 'a puller that acknowledges sees each once');
  assert.deepEqual(new Set(server.received.keys()), new Set(acceptedOut.values()), 'each message out has one id');
  assert.equal(new Set(acceptedOut.values()).size, MESSAGES);
  for (const person of people) {
    const wanted = Array.from({ length: MESSAGES }, (_, n) => n).filter((n) => people[n % PEOPLE] === person);
    const readable = new Map(person.inbox.filter(({ message }) => message).map(({ id, message }) => [id, message]));
    const texts = [...readable.values()].map((message) => message.conversation || message.extendedTextMessage?.text);
    assert.deepEqual(new Set(texts), new Set(wanted.map((n) => `out ${n}`)), `${person.name} could read each`);
    assert.equal(readable.size, wanted.length);
  }
  const repeated = [...server.received.values()].filter((times) => times > 1).length;
  t.diagnostic(`${kills} kills, ${server.logins} logins, ${repeated} messages reached the server twice with the same id`);
  assert.ok(kills > 0);
});
