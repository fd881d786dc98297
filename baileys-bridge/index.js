// The WhatsApp bridge: starts the HTTP side, says so in one line, and stops in order. Exit codes are those of
// common/exit_code.hpp: 0 asked to stop, 70 a bug, 75 try again (port taken), 78 wrong settings.
import { readFileSync } from 'node:fs';

import { createServer } from './server.js';
import { readSettings } from './settings.js';

const EXIT = { ok: 0, internal: 70, temporary: 75, badConfig: 78 };

// An answer takes a millisecond; what is still open after this is a client that forgot its connection. The supervisor
// sends SIGKILL some seconds after SIGTERM.
const STOP_MS_MAX = 1000;

const log = (event, fields = {}) => {
  const pairs = Object.entries(fields).map(([key, value]) => `${key}=${quoted(String(value))}`);
  process.stdout.write([`event=${event}`, ...pairs].join(' ') + '\n');
};
const quoted = (value) => (/^[!#-<>-~]+$/.test(value) ? value : JSON.stringify(value));

process.on('uncaughtException', (error) => {
  log('bridge_failed', { error: error.stack ?? error });
  process.exit(EXIT.internal);
});

const { version } = JSON.parse(readFileSync(new URL('./package.json', import.meta.url)));
const { settings, faults } = readSettings(process.env);
if (!settings) {
  for (const fault of faults) {
    log('bridge_settings_wrong', { fault });
  }
  process.exit(EXIT.badConfig);
}

const server = createServer({ link: () => ({ connected: false, paired: false, canSend: false }), version });

server.on('error', (error) => {
  if (error.code !== 'EADDRINUSE') {
    throw error;
  }
  log('bridge_port_taken', {
    address: settings.host,
    port: settings.port,
    remedy: `end the other process (see: ss -ltnp 'sport = :${settings.port}') or set BAILEYS_PORT`,
  });
  process.exit(EXIT.temporary);
});

let stopping = false;
function stop(signal) {
  if (stopping) {
    process.exit(EXIT.ok); // Asked twice: at once.
  }
  stopping = true;
  log('bridge_stopping', { signal });
  setTimeout(() => server.closeAllConnections(), STOP_MS_MAX).unref();
  server.close(() => {
    log('bridge_stopped');
    process.exit(EXIT.ok);
  });
  server.closeIdleConnections();
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

server.listen(settings.port, settings.host, () => {
  log('bridge_ready', { address: settings.host, port: server.address().port, pid: process.pid, version });
});
