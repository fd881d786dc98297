// The answers to a device's queries (<iq>): keys, devices of people, media servers, settings. Unknown ones get an empty
// result, as the real server gives to what it has nothing to say about.
import { generateSignalPubKey, getBinaryNodeChild, getBinaryNodeChildren } from '@whiskeysockets/baileys';

import { seconds } from './person.js';

const children = (node) => (Array.isArray(node?.content) ? node.content : []);
const part = (tag, attrs = {}, content = undefined) => ({ tag, attrs, ...(content === undefined ? {} : { content }) });

export function answerQuery(server, connection, query) {
  const result = (content) => ({
    tag: 'iq',
    attrs: { from: query.attrs.to ?? 's.whatsapp.net', id: query.attrs.id, type: 'result', t: seconds() },
    ...(content ? { content } : {}),
  });
  const answers = {
    encrypt: () => keys(server, query),
    usync: () => [people(server, getBinaryNodeChild(query, 'usync'))],
    'w:m': () => [mediaServers(server)],
    'w:g2': () => groups(server, query),
    md: () => linking(server, connection, query),
    abt: () => [part('props', { hash: 'h' }, [])],
    privacy: () => [part('privacy', {}, [part('category', { name: 'readreceipts', value: 'all' })])],
    blocklist: () => [part('list', {}, [])],
  };
  return result(answers[query.attrs.xmlns]?.());
}

function keys(server, query) {
  const [asked] = children(query);
  if (query.attrs.type === 'set') {
    for (const key of getBinaryNodeChildren(getBinaryNodeChild(query, 'list'), 'key')) {
      server.preKeys.push({
        keyId: Buffer.from(getBinaryNodeChild(key, 'id').content).readUIntBE(0, 3),
        publicKey: generateSignalPubKey(getBinaryNodeChild(key, 'value').content),
      });
    }
    return undefined;
  }
  if (asked.tag === 'count') {
    return [part('count', { value: String(server.preKeys.length) })];
  }
  if (asked.tag === 'digest') {
    return [part('digest')];
  }
  const users = children(asked).map((user) => {
    const found = server.find(user.attrs.jid);
    const missing = [part('error', { code: '404', text: 'item-not-found' })];
    return part('user', { jid: user.attrs.jid }, found?.hasKeys ? found.bundle() : missing);
  });
  return [part('list', {}, users)];
}

// Who has WhatsApp, on which devices, under which LID. Without the LID Baileys refuses to send.
function people(server, usync) {
  const users = children(getBinaryNodeChild(usync, 'list')).map((user) => {
    const number = children(user).find((child) => child.tag === 'contact')?.content?.toString().replace('+', '');
    const jid = user.attrs.jid ?? `${number}@s.whatsapp.net`;
    const found = server.find(jid);
    const devices = found ? [part('device', { id: '0' })] : [];
    return part('user', { jid }, [
      part('devices', {}, [part('device-list', {}, devices)]),
      part('contact', { type: found ? 'in' : 'out' }),
      ...(found ? [part('lid', { val: found.lid })] : []),
    ]);
  });
  return part('usync', {}, [part('list', {}, users)]);
}

function mediaServers(server) {
  const hostname = server.media?.host ?? '127.0.0.1:1';
  return part('media_conn', { auth: 'a', ttl: '3600' }, [part('host', { hostname, maxContentLengthBytes: '104857600' })]);
}

function groups(server, query) {
  const group = server.groups.get(query.attrs.to);
  if (!group) {
    return [part('error', { code: '404', text: 'item-not-found' })];
  }
  const byLid = group.addressing === 'lid';
  const participants = group.members.map((person) =>
    part('participant', byLid ? { jid: person.lid, phone_number: person.jid } : { jid: person.jid, lid: person.lid }),
  );
  const [own] = (byLid ? server.account.lid : server.account.jid).split(':');
  participants.push(part('participant', { jid: `${own}@${byLid ? 'lid' : 's.whatsapp.net'}` }));
  const attrs = { id: group.jid.split('@')[0], subject: 'Group', creation: '1700000000', s_t: '1700000000' };
  return [part('group', { ...attrs, addressing_mode: group.addressing }, participants)];
}

function linking(server, connection, query) {
  const [asked] = children(query);
  if (asked?.tag === 'remove-companion-device') {
    server.unlinked = true;
    return undefined;
  }
  if (asked?.tag !== 'link_code_companion_reg') {
    return undefined;
  }
  if (asked.attrs.stage === 'companion_hello') {
    server.linking = { connection, node: asked };
    server.emit('companion-hello');
  } else {
    server.emit('companion-finish', asked);
  }
  return [part('link_code_companion_reg', { stage: asked.attrs.stage }, [part('link_code_pairing_ref', {}, Buffer.from('ref'))])];
}
