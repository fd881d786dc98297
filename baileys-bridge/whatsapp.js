// `agentlocator whatsapp`: the operator's side of the bridge, in a terminal. Talks to the running bridge as workers do.
import { readFileSync } from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { setTimeout as sleep } from 'node:timers/promises';

import { qrModules, qrText } from './lib/qr.js';
import { readSettings } from './lib/settings.js';

const EXIT = { ok: 0, failed: 1, usage: 64, unavailable: 69, badConfig: 78 };
const ANSWER_MS_MAX = 15_000; // A pairing code comes from WhatsApp, over the phone network.
const POLL_MS = 500;

const USAGE = `usage: agentlocator whatsapp status            what the link to WhatsApp is like
       agentlocator whatsapp pair              link a phone: shows a QR code until it is scanned
       agentlocator whatsapp pair --code PHONE link a phone by eight characters typed on it
       agentlocator whatsapp pair --cancel     end a pairing that runs
       agentlocator whatsapp qr                show the QR code of a pairing that runs, once
       agentlocator whatsapp logout --yes      unlink the phone and forget its keys
`;

class Failure extends Error {
  constructor(code, message) {
    super(message);
    this.code = code;
  }
}

const print = (text) => process.stdout.write(text);
const fail = (code, message) => {
  throw new Failure(code, message);
};

function client({ host, port, secret }) {
  return (method, target, body) =>
    new Promise((resolve, reject) => {
      const text = body && JSON.stringify(body);
      const headers = { authorization: `Bearer ${secret}` };
      const request = http.request({ host, port, method, path: target, headers, timeout: ANSWER_MS_MAX }, async (response) => {
        let answer = '';
        for await (const piece of response.setEncoding('utf8')) {
          answer += piece;
        }
        try {
          resolve({ status: response.statusCode, body: JSON.parse(answer) });
        } catch {
          reject(new Failure(EXIT.unavailable, `what answers on port ${port} is not our bridge`));
        }
      });
      request.on('timeout', () => request.destroy(new Error('no answer in time')));
      request.on('error', (error) =>
        reject(new Failure(EXIT.unavailable, `no bridge answers on ${host}:${port} (${error.code ?? error.message}); see: agentlocator status`)),
      );
      request.end(text);
    });
}

// What the bridge's messages name as requests, in the words of whoever types commands.
const COMMANDS = {
  'POST /v1/session/pair': '`agentlocator whatsapp pair`',
  'DELETE /v1/session/pair': '`agentlocator whatsapp pair --cancel`',
  'POST /v1/session/logout': '`agentlocator whatsapp logout --yes`',
};
const inCommands = (message) => message.replace(/[A-Z]+ \/v1\/session\/[a-z]+/g, (request) => COMMANDS[request] ?? request);

const checked = (answer) =>
  answer.status < 300 ? answer.body : fail(answer.status === 401 ? EXIT.badConfig : EXIT.failed, explained(answer));
const explained = ({ status, body }) =>
  status === 401 ? "the bridge does not accept our secret; is this the same user and settings as the supervisor's?" : inCommands(body.error.message);

async function status(ask) {
  const session = checked(await ask('GET', '/v1/session'));
  const yes = (value) => (value ? 'yes' : 'no');
  const rows = [
    ['state', session.state + (session.reason ? ` (${session.reason})` : '')],
    ['linked', session.paired ? `yes, +${session.me?.phone ?? '?'}` : 'no'],
    ['connected', yes(session.connected)],
    ['can send', yes(session.can_send)],
    ['to send', `${session.outbox.queued} waiting, ${session.outbox.sending} on their way`],
    ['to hand over', `${session.events.last - session.events.acknowledged} events`],
    ['next try', session.reconnect?.next_at],
    ['restricted until', session.restricted_until],
  ];
  for (const [name, value] of rows) {
    if (value) {
      print(`${name.padEnd(17)}${value}\n`);
    }
  }
}

const STEPS = 'On the phone: WhatsApp > Settings > Linked devices > Link a device';

function draw(qr) {
  const modules = qrModules(qr) ?? fail(EXIT.failed, 'the code is too long to be drawn');
  const { columns, isTTY } = process.stdout;
  if (isTTY && columns < modules.length + 4) {
    print(`The window is too narrow: ${modules.length + 4} columns are needed, it has ${columns}. Widen it; the code is drawn again.\n`);
    return;
  }
  print(qrText(modules, { colour: Boolean(isTTY) }));
}

async function pairByQr(ask) {
  checked(await ask('POST', '/v1/session/pair', { method: 'qr' }));
  let shown = 0;
  for (;;) {
    const { status: code, body } = await ask('GET', '/v1/session/qr');
    if (code === 200 && body.seq !== shown) {
      shown = body.seq;
      print(process.stdout.isTTY ? '\x1b[2J\x1b[H' : '\n');
      print(`${STEPS}, and scan this:\n\n`);
      draw(body.qr);
      print('\nIt changes every 20 seconds. Ctrl-C leaves; the pairing goes on for its three minutes.\n');
    }
    if (await isSettled(ask)) {
      return;
    }
    await sleep(POLL_MS);
  }
}

async function pairByCode(ask, phone) {
  const answer = await ask('POST', '/v1/session/pair', { method: 'code', phone });
  if (answer.status === 400) {
    fail(EXIT.usage, `${phone} is no number with its country code, such as 972541234567`);
  }
  const { code } = checked(answer);
  print(`${STEPS} > Link with phone number instead, and type:\n\n    ${code.slice(0, 4)}-${code.slice(4)}\n\n`);
  while (!(await isSettled(ask))) {
    await sleep(POLL_MS);
  }
}

// Linked: true. Over without: a Failure.
async function isSettled(ask) {
  const session = checked(await ask('GET', '/v1/session'));
  if (session.state === 'open') {
    print(`Linked: +${session.me.phone}.\n`);
    return true;
  }
  if (!session.paired && session.state !== 'pairing') {
    fail(EXIT.failed, `not linked: ${session.reason || session.state}; try again`);
  }
  return false;
}

async function main([command = 'status', ...rest]) {
  const here = path.dirname(fileURLToPath(import.meta.url));
  const readSecret = (file) => {
    try {
      return readFileSync(file, 'utf8');
    } catch {
      return undefined; // The fault that follows names the file.
    }
  };
  const { settings, faults } = readSettings(process.env, { root: path.dirname(here), readSecret });
  if (!settings) {
    fail(EXIT.badConfig, faults.join('\n'));
  }
  const ask = client(settings);
  const words = [command, ...rest].join(' ');
  if (words === 'status') {
    await status(ask);
  } else if (words === 'pair') {
    await pairByQr(ask);
  } else if (command === 'pair' && rest[0] === '--code' && rest.length === 2) {
    await pairByCode(ask, rest[1]);
  } else if (words === 'pair --cancel') {
    const { cancelled } = checked(await ask('DELETE', '/v1/session/pair'));
    print(cancelled ? 'The pairing is ended.\n' : 'No pairing runs.\n');
  } else if (words === 'qr') {
    draw(checked(await ask('GET', '/v1/session/qr')).qr);
  } else if (words === 'logout --yes') {
    checked(await ask('POST', '/v1/session/logout'));
    print('Unlinked.\n');
  } else {
    process.stderr.write(USAGE);
    return ['--help', 'help'].includes(command) ? EXIT.ok : EXIT.usage;
  }
  return EXIT.ok;
}

main(process.argv.slice(2)).then(
  (code) => (process.exitCode = code),
  (error) => {
    process.stderr.write(`${error.message}\n`);
    process.exitCode = error instanceof Failure ? error.code : EXIT.failed;
  },
);
