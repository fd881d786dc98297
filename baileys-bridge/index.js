// The WhatsApp bridge: checks its settings, opens its file, serves, links, and stops in order. Exit codes are those of
// common/exit_code.hpp: 0 asked to stop, 65 its data is damaged, 70 a bug, 75 try again (port or file in use), 78 wrong
// settings.
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

import { guardConsole, log, redacted } from './lib/log.js';

guardConsole(); // Before anything else can print.

const EXIT = { ok: 0, badData: 65, internal: 70, temporary: 75, badConfig: 78 };
const STOP_MS_MAX = 4000; // The supervisor sends SIGKILL five seconds after SIGTERM.

process.umask(0o077); // The files below hold the keys of the account.
const leave = (code) => process.exit(code);
process.stdout.on('error', () => {}); // A log reader that is gone is no reason to drop the link.

process.on('uncaughtException', (error) => {
  // Our own places in the stack, never the text of a foreign object.
  log('bridge_failed', { error: redacted(error?.message ?? error), at: placeOf(error) });
  leave(EXIT.internal);
});
const placeOf = (error) => (error?.stack ?? '').split('\n').slice(1, 4).map((line) => line.trim().replace(/\(?file:.*\//, '(')).join(' < ');

const here = path.dirname(fileURLToPath(import.meta.url));
const { version } = JSON.parse(readFileSync(path.join(here, 'package.json')));
const { readSettings } = await import('./lib/settings.js');
const { settings, faults } = readSettings(process.env, { root: path.dirname(here), readSecret });
if (!settings) {
  for (const fault of faults) {
    log('bridge_settings_wrong', { fault });
  }
  leave(EXIT.badConfig);
}

// Baileys is half a second of loading; a wrong setting is said before that.
const { Bridge } = await import('./lib/bridge.js');
const { StorageError } = await import('./lib/database.js');

let bridge;
try {
  bridge = new Bridge(settings, version);
} catch (error) {
  if (!(error instanceof StorageError)) {
    throw error;
  }
  log('bridge_not_started', { cause: redacted(error.message), remedy: error.remedy });
  leave(error.kind === 'data' ? EXIT.badData : EXIT.temporary);
}

bridge.server.on('error', (error) => {
  if (error.code !== 'EADDRINUSE') {
    throw error;
  }
  log('bridge_port_taken', {
    address: settings.host,
    port: settings.port,
    remedy: `end the other process (see: ss -ltnp 'sport = :${settings.port}') or set BAILEYS_PORT`,
  });
  leave(EXIT.temporary);
});

let stopping = false;
async function stop(signal) {
  if (stopping) {
    leave(EXIT.ok); // Asked twice: at once. Everything that matters is on the disk already.
  }
  stopping = true;
  log('bridge_stopping', { signal });
  setTimeout(() => {
    log('bridge_stop_slow', { ms: STOP_MS_MAX });
    leave(EXIT.internal);
  }, STOP_MS_MAX).unref();
  await bridge.stop();
  log('bridge_stopped');
  leave(EXIT.ok);
}

process.on('SIGTERM', stop);
process.on('SIGHUP', stop);
// Ctrl-C is for whoever watches the bridge, never a reason to end it, and least of all to log WhatsApp out (F-44).
// In a terminal of its own, with nobody watching, it is the ordinary way to stop; the pairing stays either way.
process.on('SIGINT', (signal) => {
  if (process.stdin.isTTY) {
    stop(signal);
  } else {
    log('bridge_signal_ignored', { signal, remedy: 'SIGTERM stops the bridge' });
  }
});

bridge.server.listen(settings.port, settings.host, () => {
  log('bridge_ready', { address: settings.host, port: bridge.server.address().port, pid: process.pid, version });
  bridge.start();
});

function readSecret(file) {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    if (error.code === 'ENOENT') {
      return undefined;
    }
    throw error;
  }
}
