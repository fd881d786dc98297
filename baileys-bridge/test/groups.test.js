// Groups, with real sender keys: what members write, what we write to them, and what happens to a key that got lost.
import assert from 'node:assert/strict';
import { cpSync } from 'node:fs';
import path from 'node:path';
import test from 'node:test';

import { addTransactionCapability, initAuthCreds } from '@whiskeysockets/baileys';

import { AuthState } from '../lib/auth_state.js';
import { Store } from '../lib/database.js';
import { Events } from '../lib/events.js';
import { libraryLogger } from '../lib/log.js';
import { durableSignalRepository } from '../lib/signal_repository.js';
import { newId, seconds } from './fake_whatsapp/person.js';
import { KnownSenderKey, OwnSenderKey } from './fake_whatsapp/sender_key.js';
import { ACCOUNT, fakeWhatsApp, linked, readyBridge, temporaryFolder, until } from './support.js';

const GROUP = '120363000000000001@g.us';
const NAMES = ['Dana', 'Avi', 'Noa'];
const text = (conversation) => ({ conversation });

const peopleOf = (server) => NAMES.map((name, n) => server.person(`97254123456${n}`, name));
const arrived = (bridge, count) =>
  until(`${count} messages are events`, async () => {
    const found = await bridge.messages();
    return found.length >= count && found;
  });

// By member: Baileys handles what different people write at the same time, so only each one's own order is kept.
const saidBy = (events) =>
  Object.fromEntries(NAMES.map((name) => [name, events.filter((event) => event.from.name === name).map((event) => event.message.text)]));

test('groups: what several members write is read, who they are is told, our own words are ours', async (t) => {
  const { server, bridge } = await linked(t);
  const members = peopleOf(server);
  const byNumber = server.group(GROUP, members);
  const byLid = server.group('120363000000000002@g.us', members, { addressing: 'lid' }); // As WhatsApp makes new ones.
  const wanted = new Map();
  for (const said of ['one', 'two', 'three']) {
    for (const group of [byNumber, byLid]) {
      for (const member of members) {
        const id = await group.say(member, text(said));
        wanted.set(`in:${group.jid}:${group.nameOf(member)}:${id}`, { group, member, said });
      }
    }
  }
  const owner = server.person('972500000001', 'Owner');
  const own = await byNumber.say(owner, text('from my phone'));
  const events = await arrived(bridge, wanted.size + 1);
  const fromUs = events.filter((event) => event.from_me);
  assert.deepEqual(fromUs.map(({ message, chat }) => [message.id, message.text, chat.group]), [[own, 'from my phone', true]]);
  const others = events.filter((event) => !event.from_me);
  assert.deepEqual(new Set(others.map((event) => event.event_id)), new Set(wanted.keys()));
  for (const { event_id, chat, from, message } of others) {
    const { group, member, said } = wanted.get(event_id);
    assert.deepEqual(chat, { jid: group.jid, lid: null, phone: null, group: true });
    assert.deepEqual(from, { jid: group.nameOf(member), lid: member.lid, phone: member.phone, name: member.name });
    assert.deepEqual([message.kind, message.text], ['text', said]);
  }
  for (const group of [byNumber, byLid]) {
    const here = saidBy(others.filter((event) => event.chat.jid === group.jid));
    assert.deepEqual(here, Object.fromEntries(NAMES.map((name) => [name, ['one', 'two', 'three']])));
  }
  await until('WhatsApp is told of all', () => server.undelivered === 0);
  assert.deepEqual(server.nacks, []);
  assert.equal((await bridge.events()).filter((event) => event.type === 'undecryptable').length, 0);
});

test('groups: while we were away, by keys from before and new ones; without a key we say so, and the phone repeats it', async (t) => {
  const { server, bridge } = await linked(t);
  const [dana, avi, noa] = peopleOf(server);
  const group = server.group(GROUP, [dana, avi, noa]);
  await group.say(dana, text('before'));
  await arrived(bridge, 1);
  await bridge.kill();
  for (const [member, said] of [[dana, 'a'], [avi, 'b'], [dana, 'c'], [avi, 'd']]) {
    await group.say(member, text(said));
  }
  const again = await readyBridge(t, { server, folder: bridge.folder });
  const events = await arrived(again, 5);
  assert.deepEqual(saidBy(events), { Dana: ['before', 'a', 'c'], Avi: ['b', 'd'], Noa: [] });
  assert.deepEqual(events.map((event) => event.offline), [false, true, true, true, true]);
  assert.deepEqual(server.nacks, []);

  const id = await group.say(noa, text('unknown'), { withKey: false });
  await arrived(again, 6);
  const bad = (await again.events()).filter((event) => event.type === 'undecryptable');
  assert.deepEqual(bad.map((event) => [event.message.id, event.chat.jid, event.from.phone]), [[id, GROUP, noa.phone]]);
  await group.say(noa, text('known now'), { withKey: false });
  assert.deepEqual(saidBy(await arrived(again, 7)).Noa, ['unknown', 'known now']);
  assert.equal(server.nacks.length, 1, 'asked once');
});

test('groups: each member reads us, who joins later too; our key goes to each once, and again where it got lost', async (t) => {
  const { server, bridge } = await linked(t, { tune: { pump: { ackMs: 60_000, backoffMs: 5, attemptsMax: 3 } } });
  const [dana, avi, noa] = peopleOf(server);
  const group = server.group(GROUP, [dana, avi]);
  const send = async (said) => {
    const sent = await bridge.send(said, GROUP, said);
    assert.equal((await bridge.messageState(sent.id, 'accepted', 'failed')).state, 'accepted');
  };
  const read = (person) => [...new Set(person.inbox.map(({ error, message }) => error ?? message.extendedTextMessage?.text ?? message.conversation))];
  await send('first');
  assert.equal(group.distributions, 2);
  await send('second');
  assert.equal(group.distributions, 2);
  group.members.push(noa);
  server.messagesToLose = 1; // Noa's key is in it.
  await send('third');
  assert.deepEqual([read(dana), read(avi), read(noa)], [['first', 'second', 'third'], ['first', 'second', 'third'], ['third']]);
  assert.equal(group.asked, 0, 'no phone had to ask');

  group.forgetDeviceKey(avi);
  await send('fourth');
  await until('he asked and reads it', () => read(avi).includes('fourth'));
  assert.ok(group.asked >= 1);
  assert.deepEqual(read(dana), ['first', 'second', 'third', 'fourth']);

  const nowhere = await bridge.send('nowhere', '120363000000000009@g.us', 'x');
  assert.equal((await bridge.messageState(nowhere.id, 'failed')).error, 'refused');
  const stranger = server.person('972549999999', 'Nobody gets his keys');
  stranger.hasKeys = false;
  group.members.push(stranger);
  const sent = await bridge.send('no-keys', GROUP, 'x');
  assert.equal((await bridge.messageState(sent.id, 'failed')).error, 'refused');
  assert.ok(!read(dana).includes('x'), 'to all or to nobody');
});

test('groups: a member\'s key is stored with the ratchet step that brought it', async (t) => {
  const server = await fakeWhatsApp(t);
  const [dana] = peopleOf(server);
  const [folder, crashed] = [temporaryFolder(t), temporaryFolder(t)];
  const open = (folder) => {
    const store = new Store(path.join(folder, 'whatsapp'), { megabytesMax: 16 });
    const events = new Events(store);
    const auth = new AuthState(store, events);
    events.known = auth;
    return { store, events, auth };
  };
  const first = open(folder);
  Object.assign(first.auth.creds, { ...initAuthCreds(), account: {}, me: { id: ACCOUNT.jid, lid: ACCOUNT.lid } });
  first.auth.saveCreds();
  Object.assign(server, { account: ACCOUNT, device: deviceOf(first.auth.creds), preKeys: [undefined] });

  const key = new OwnSenderKey();
  const given = await dana.encrypt({ senderKeyDistributionMessage: { groupId: GROUP, axolotlSenderKeyDistributionMessage: key.distribution() } });
  const said = { tag: 'enc', attrs: { v: '2', type: 'skmsg' }, content: key.encrypt(Buffer.from('0a0568656c6c6f01', 'hex')) };
  const stanza = { tag: 'message', attrs: { from: GROUP, participant: dana.jid, id: newId(), t: seconds() }, content: [given, said] };

  // The process dies after the ratchet step, before Baileys takes the key out.
  await repositoryOf(first, stanza).decryptMessage({ jid: dana.jid, type: given.attrs.type, ciphertext: given.content });
  cpSync(folder, crashed, { recursive: true }); // As a SIGKILL leaves it.
  first.store.close();
  const second = open(crashed);
  const repository = repositoryOf(second, stanza);
  await assert.rejects(repository.decryptMessage({ jid: dana.jid, type: given.attrs.type, ciphertext: given.content }), 'the ratchet has moved');
  await repository.decryptGroupMessage({ group: GROUP, authorJid: dana.jid, msg: said.content });
  assert.deepEqual(second.events.after(0, 10).map((event) => event.message.text), ['hello']);
  second.store.close();
});

const deviceOf = (creds) => ({
  registration: creds.registrationId,
  identity: creds.signedIdentityKey.public,
  signedId: creds.signedPreKey.keyId,
  signedPublic: creds.signedPreKey.keyPair.public,
  signature: creds.signedPreKey.signature,
});

// As Baileys would make it, and with the stanza that is being handled.
function repositoryOf({ auth }, stanza) {
  const durable = durableSignalRepository();
  durable.attach({ ws: { prependListener: (_, listener) => listener(stanza) } });
  const keys = addTransactionCapability(auth.keys, libraryLogger, { maxCommitRetries: 1, delayBetweenTriesMs: 0 });
  return durable.make({ creds: auth.creds, keys }, libraryLogger, async () => undefined);
}

test('sender keys: read in any order, once each, only from where the key was given, only unchanged', () => {
  const key = new OwnSenderKey();
  const early = key.encrypt(Buffer.from('before the key was given'));
  const known = new KnownSenderKey(key.distribution());
  const [a, b, c] = ['a', 'b', 'c'].map((said) => key.encrypt(Buffer.from(said)));
  assert.deepEqual([c, a, b].map((bytes) => String(known.decrypt(bytes))), ['c', 'a', 'b']);
  assert.throws(() => known.decrypt(a), /read before/);
  assert.throws(() => known.decrypt(early), /read before/);
  const changed = Buffer.from(key.encrypt(Buffer.from('d')));
  changed[10] ^= 1;
  assert.throws(() => known.decrypt(changed));
  assert.throws(() => new KnownSenderKey(new OwnSenderKey().distribution()).decrypt(b), /another sender key/);
});
