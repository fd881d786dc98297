// The operator's command, and the QR code it draws.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import test from 'node:test';

import { qrModules, qrText } from '../lib/qr.js';
import { ACCOUNT, fakeWhatsApp, readyBridge, SECRET, until } from './support.js';

const program = fileURLToPath(new URL('../whatsapp.js', import.meta.url));

// {code, output}, and `output` while it runs.
function whatsapp(t, bridge, ...words) {
  const child = spawn(process.execPath, [program, ...words], {
    env: { PATH: process.env.PATH, BAILEYS_PORT: String(bridge.port), BAILEYS_SECRET: bridge.secret ?? SECRET, HOME: '/nonexistent' },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  t.after(() => child.kill('SIGKILL'));
  const run = { output: '' };
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text) => (run.output += text));
  }
  run.ended = until('it ended', () => child.exitCode !== null).then(() => ({ code: child.exitCode, output: run.output }));
  return run;
}

test('whatsapp: pairs by the QR code it draws, then says so and what the link is like', async (t) => {
  const server = await fakeWhatsApp(t);
  const bridge = await readyBridge(t, { server });
  assert.match((await whatsapp(t, bridge, 'status').ended).output, /^state +unpaired .*\nlinked +no\n/);
  const run = whatsapp(t, bridge, 'pair');
  await until('a code is drawn', () => run.output.includes('Linked devices') && run.output.includes('▄'));
  const { body } = await bridge.get('/v1/session/qr');
  const drawn = qrText(qrModules(body.qr), { colour: false });
  await until('what is drawn is the code WhatsApp gave', () => run.output.includes(drawn));
  assert.ok((await whatsapp(t, bridge, 'qr').ended).output.includes(drawn));
  server.scan(body.qr, ACCOUNT);
  const { code, output } = await run.ended;
  assert.equal(code, 0, output);
  assert.match(output, /Linked: \+972500000001\.\n$/);
  assert.match((await whatsapp(t, bridge, 'status').ended).output, /state +open\nlinked +yes, \+972500000001\n/);
  assert.equal((await whatsapp(t, bridge, 'logout').ended).code, 64, 'not by accident');
  assert.equal((await whatsapp(t, bridge, 'logout', '--yes').ended).code, 0);
  assert.equal(server.unlinked, true);
});

test('whatsapp: pairs by code; a refusal, a wrong secret and an absent bridge have exit codes of their own', async (t) => {
  const server = await fakeWhatsApp(t);
  const bridge = await readyBridge(t, { server });
  const run = whatsapp(t, bridge, 'pair', '--code', '972500000001');
  const [, first, second] = await until('a code is shown', () => run.output.match(/([0-9A-Z]{4})-([0-9A-Z]{4})/));
  await server.enterCode(first + second, ACCOUNT);
  assert.equal((await run.ended).code, 0);
  const again = await whatsapp(t, bridge, 'pair').ended;
  assert.deepEqual(again, { code: 1, output: 'already linked; `agentlocator whatsapp logout --yes` first\n' });
  assert.equal((await whatsapp(t, { port: bridge.port, secret: 'x'.repeat(20) }, 'status').ended).code, 78);
  assert.equal((await whatsapp(t, { port: 1 }, 'status').ended).code, 69);
  assert.equal((await whatsapp(t, bridge, 'dance').ended).code, 64);
});

test('whatsapp: a pairing that runs can be ended; what is wrong is said in commands', async (t) => {
  const server = await fakeWhatsApp(t);
  const bridge = await readyBridge(t, { server });
  const ended = async (...words) => (({ code, output }) => [code, output])(await whatsapp(t, bridge, ...words).ended);
  assert.deepEqual(await ended('qr'), [1, 'there is no QR code; `agentlocator whatsapp pair` asks for one\n']);
  assert.deepEqual(await ended('pair', '--code', '050-1'), [64, '050-1 is no number with its country code, such as 972541234567\n']);
  assert.deepEqual(await ended('pair', '--cancel'), [0, 'No pairing runs.\n']);
  const code = whatsapp(t, bridge, 'pair', '--code', '972500000001');
  await until('a code is shown', () => /[0-9A-Z]{4}-[0-9A-Z]{4}/.test(code.output));
  const [refused, why] = await ended('pair');
  assert.deepEqual([refused, why], [1, 'another pairing runs; `agentlocator whatsapp pair --cancel` ends it\n']);
  assert.deepEqual(await ended('pair', '--cancel'), [0, 'The pairing is ended.\n']);
  assert.equal((await code.ended).code, 1, 'it says that it was not linked');
});

test('qr: a code is the one other encoders make', () => {
  // From `qrencode -8 -l L -m 0`, which agreed in 22 of 22 texts of 1-858 bytes (versions 1-20), each with its own mask.
  const modules = qrModules(`https://wa.me/settings/linked_devices#${'0123456789'.repeat(21)}`);
  assert.equal(modules.length, 57);
  const sum = createHash('sha256').update(JSON.stringify(modules)).digest('hex');
  assert.equal(sum, 'b1c449042f80287831267a794302d96cfe83f2591f84be95c3c803f6f66d22bf');
});

test('qr: the longest text that fits is drawn, one byte more is not', () => {
  assert.equal(qrModules('x'.repeat(858)).length, 97);
  assert.equal(qrModules('x'.repeat(859)), undefined);
});
