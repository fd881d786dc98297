// Files both ways: only from WhatsApp's host, only up to the limit, only what their message names.
import assert from 'node:assert/strict';
import { createCipheriv, createHash, createHmac, randomBytes } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import test from 'node:test';

import { getMediaKeys } from '@whiskeysockets/baileys';

import { mediaUrl } from '../lib/media.js';
import { FakeMedia } from './fake_whatsapp/media.js';
import { fakeWhatsApp, linked, temporaryFolder, until } from './support.js';

const PHONE = '972541234567';

async function encrypted(plain, type) {
  const mediaKey = randomBytes(32);
  const { cipherKey, iv, macKey } = await getMediaKeys(mediaKey, type);
  const aes = createCipheriv('aes-256-cbc', cipherKey, iv);
  const body = Buffer.concat([aes.update(plain), aes.final()]);
  const mac = createHmac('sha256', macKey).update(iv).update(body).digest().subarray(0, 10);
  return { mediaKey, bytes: Buffer.concat([body, mac]), fileSha256: createHash('sha256').update(plain).digest() };
}

async function withMedia(t) {
  const folder = temporaryFolder(t);
  const server = await fakeWhatsApp(t);
  server.media = await new FakeMedia(folder).listen();
  t.after(() => server.media.close());
  const environment = { NODE_EXTRA_CA_CERTS: server.media.certificate, BAILEYS_MEDIA_MB_MAX: '1' };
  const { bridge } = await linked(t, { server, folder, environment });
  return { server, bridge, dana: server.person(PHONE), media: server.media };
}

test('media: a received file is decrypted, checked, fetched once; what is wrong with one is said', async (t) => {
  const { bridge, dana, media } = await withMedia(t);
  const plain = randomBytes(300_000);
  const { mediaKey, bytes, fileSha256 } = await encrypted(plain, 'image');
  const image = { mimetype: 'image/jpeg', mediaKey, fileSha256, fileLength: plain.length };
  const changed = Buffer.from(bytes);
  changed[1000] ^= 1;
  const large = await encrypted(Buffer.alloc(1024 * 1024 + 1), 'image');
  const full = await encrypted(Buffer.alloc(1024 * 1024), 'image');
  const cases = [
    [200, { ...image, directPath: media.put(bytes) }],
    [422, { ...image, directPath: media.put(changed) }],
    [422, { ...image, directPath: media.put(bytes), fileSha256: randomBytes(32) }],
    [410, { ...image, directPath: '/v/deleted' }],
    [503, { ...image, directPath: '/away' }],
    [422, { ...image, directPath: '//169.254.169.254/latest/meta-data' }],
    [422, { ...image, url: 'https://127.0.0.1:1/x' }],
    // A sender who lies about the length, and the longest file there may be.
    [422, { ...image, mediaKey: large.mediaKey, directPath: media.put(large.bytes), fileLength: 5 }],
    [200, { ...image, mediaKey: full.mediaKey, fileSha256: full.fileSha256, directPath: media.put(full.bytes) }],
    [422, { ...image, directPath: media.put(bytes), fileLength: 1024 * 1024 + 1 }],
  ];
  for (const [, node] of cases) {
    await dana.send({ imageMessage: node });
  }
  const events = await until('all are events', async () => {
    const found = await bridge.messages();
    return found.length === cases.length && found;
  });
  for (const [index, [status]] of cases.entries()) {
    const target = `/v1/media/${encodeURIComponent(events[index].event_id)}`;
    const answer = await bridge.request('GET', target, { raw: true });
    assert.equal(answer.status, status, `case ${index}: ${answer.text.slice(0, 200)}`);
    if (index === 0) {
      assert.deepEqual(answer.bytes, plain);
      assert.equal(answer.headers['content-type'], 'image/jpeg');
      const before = media.requests.length;
      assert.deepEqual((await bridge.request('GET', target, { raw: true })).bytes, plain);
      assert.equal(media.requests.length, before, 'the second time from our own disk');
    }
  }
});

test('media: a sent file is uploaded and can be read by its recipient; a missing one fails for good', async (t) => {
  const { bridge, dana, media } = await withMedia(t);
  const plain = randomBytes(50_000);
  const outgoing = path.join(bridge.folder, 'whatsapp', 'outgoing');
  mkdirSync(outgoing, { recursive: true });
  writeFileSync(path.join(outgoing, 'offer.pdf'), plain);
  const send = (key, file) =>
    bridge.post('/v1/messages', { to: PHONE, type: 'document', media: { file, mime: 'application/pdf' }, caption: 'הצעה' }, { 'idempotency-key': key });
  const { body } = await send('doc', 'offer.pdf');
  await bridge.messageState(body.id, 'accepted');
  const [{ message }] = dana.inbox;
  const document = message.documentMessage ?? message.documentWithCaptionMessage.message.documentMessage;
  assert.deepEqual([document.mimetype, document.fileName, document.caption], ['application/pdf', 'offer.pdf', 'הצעה']);
  assert.ok(media.files.has(document.directPath));
  const missing = await send('none', 'nowhere.pdf');
  assert.equal((await bridge.messageState(missing.body.id, 'failed')).error, 'media_missing');
});

test("media: only a path on WhatsApp's own host becomes an address", () => {
  assert.equal(mediaUrl('/v/t62/x?ccb=1').href, 'https://mmg.whatsapp.net/v/t62/x?ccb=1');
  for (const bad of [undefined, '', 'v/x', '//evil.example/x', '/\\evil.example/x', 'https://evil.example/x', '\\\\evil.example']) {
    assert.throws(() => mediaUrl(bad), { code: 'media_refused' }, String(bad));
  }
});
