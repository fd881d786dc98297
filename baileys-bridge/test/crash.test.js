// SIGKILL at any moment: nothing that WhatsApp believes we have is missing, nothing is there twice, nothing handed in for
// sending is lost or sent as a second message.
//
// BRIDGE_CRASH_MESSAGES and BRIDGE_CRASH_SEED make the long run and repeat a failure.
import assert from 'node:assert/strict';
import test from 'node:test';

import { fakeWhatsApp, PATIENCE_MS, pairByQr, readyBridge, temporaryFolder, until, untilWhileMoving } from './support.js';

const MESSAGES = Number(process.env.BRIDGE_CRASH_MESSAGES ?? 60);
const SEED = Number(process.env.BRIDGE_CRASH_SEED ?? Date.now() % 1_000_000);
const PEOPLE = 10;
const GROUP = '120363000000000001@g.us'; // Of them all; every third round is written there.
const inGroup = (n) => Math.floor(n / PEOPLE) % 3 === 2;
// A bridge lives until so many messages have passed, and a moment longer, to die at any point of the next. Not for a time:
// on a loaded machine it would die before it did anything.
const SERVED = { max: 40, moreMs: 30 };
// Crashes are what is tried here. On a machine that is slow enough every one of our time-outs is a fault of the machine:
// a message that ran into five of them is given up, as it should be, and the test would have proved nothing.
const PATIENT = {
  timing: { keepAliveMs: 60_000, connectMs: PATIENCE_MS, queryMs: PATIENCE_MS },
  pump: { relayMs: PATIENCE_MS / 2, ackMs: PATIENCE_MS / 2 },
};

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
  const group = server.group(GROUP, people);
  let bridge = await readyBridge(t, { server, folder, tune: PATIENT });
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
  let failure; // Of any part: all end at once, and with the reason rather than with "waited in vain" somewhere else.
  const part = (work) => work().catch((error) => (failure ??= error));
  const moves = (what, condition) =>
    untilWhileMoving(
      what,
      () => {
        if (failure) {
          throw failure;
        }
        return condition();
      },
      () => `${passed} ${kills} ${acceptedOut.size} ${seenIn.size}`,
    );

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

  const sending = part(async () => {
    for (let n = 0; n < MESSAGES; ++n) {
      const person = people[n % PEOPLE];
      const said = { conversation: `in ${n}` };
      sentIn.add(await (inGroup(n) ? group.say(person, said) : person.send(said)));
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
  });
  const handingIn = part(async () => {
    for (let n = 0; n < MESSAGES; ++n) {
      const key = `out-${n}`;
      const answer = await moves(`${key} is handed in`, () =>
        alive(async (b) => {
          const given = await b.send(key, inGroup(n) ? GROUP : people[n % PEOPLE].phone, `out ${n}`);
          return given.wa_id && given;
        }),
      );
      acceptedOut.set(key, answer.wa_id);
    }
  });
  const pulling = part(async () => {
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
  });
  const killing = part(async () => {
    while (!done) {
      const enough = passed + 1 + random() * SERVED.max;
      await moves('messages pass', () => passed >= enough || done);
      await new Promise((resolve) => setTimeout(resolve, random() * SERVED.moreMs));
      if (done) {
        return;
      }
      await bridge.kill();
      kills += 1;
      bridge = await readyBridge(t, { server, folder, tune: PATIENT });
      await until('it is open again', async () => (await bridge.health()).connected);
    }
  });

  try {
    await Promise.all([sending, handingIn]);
    const sent = () => [...acceptedOut.values()].every((waId) => server.received.has(waId));
    await moves('everything arrived', () => seenIn.size >= sentIn.size && server.undelivered === 0 && sent());
  } catch (error) {
    failure ??= error;
  } finally {
    done = true;
    await Promise.all([sending, handingIn, pulling, killing]);
  }
  if (failure) {
    const unsent = [...acceptedOut].filter(([, waId]) => !server.received.has(waId)).map(([key]) => key);
    t.diagnostic(`passed ${passed}, kills ${kills}, logins ${server.logins}, connected ${server.connected}`);
    t.diagnostic(`in ${seenIn.size} of ${sentIn.size}, at WhatsApp ${server.undelivered}, nacks ${JSON.stringify(server.nacks)}`);
    t.diagnostic(`out ${acceptedOut.size}, not received ${unsent}`);
    t.diagnostic(`the last bridge printed:\n${bridge.output}`);
    throw failure;
  }
  await until('the outbox is empty', async () => {
    const { outbox } = (await bridge.get('/v1/session')).body;
    return outbox.queued + outbox.sending === 0;
  });

  assert.deepEqual(new Set([...seenIn.keys()].map((id) => id.split(':').pop())), sentIn, 'each message in is one event');
  assert.ok([...seenIn.values()].every((times) => times === 1), 'a puller that acknowledges sees each once');
  assert.deepEqual(new Set(server.received.keys()), new Set(acceptedOut.values()), 'each message out has one id');
  assert.equal(new Set(acceptedOut.values()).size, MESSAGES);
  for (const person of people) {
    const wanted = Array.from({ length: MESSAGES }, (_, n) => n).filter((n) => inGroup(n) || people[n % PEOPLE] === person);
    const readable = new Map(person.inbox.filter(({ message }) => message).map(({ id, message }) => [id, message]));
    const texts = [...readable.values()].map((message) => message.conversation || message.extendedTextMessage?.text);
    assert.deepEqual(new Set(texts), new Set(wanted.map((n) => `out ${n}`)), `${person.name} could read each`);
    assert.equal(readable.size, wanted.length);
  }
  const repeated = [...server.received.values()].filter((times) => times > 1).length;
  t.diagnostic(`${kills} kills, ${server.logins} logins, ${repeated} messages reached the server twice with the same id`);
  assert.ok(kills > 0);
});
