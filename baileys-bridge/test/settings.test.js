import assert from 'node:assert/strict';
import test from 'node:test';

import { PORT_DEFAULT, readSettings } from '../lib/settings.js';

const SECRET = 'x'.repeat(16);
const read = (environment, file) => readSettings(environment, { root: '/opt/al', readSecret: () => file });

test('settings: the port of the environment, or the default', () => {
  assert.equal(read({ BAILEYS_SECRET: SECRET }).settings.port, PORT_DEFAULT);
  assert.equal(read({ BAILEYS_SECRET: SECRET, BAILEYS_PORT: '' }).settings.port, PORT_DEFAULT);
  assert.equal(read({ BAILEYS_SECRET: SECRET, BAILEYS_PORT: '65535' }).settings.port, 65535);
  assert.equal(read({ BAILEYS_SECRET: SECRET, BAILEYS_PORT: '0' }).settings.port, 0);
});

test('settings: a fault names the setting, the value and what is valid', () => {
  for (const wrong of ['65536', 'abc', '-1', '4001 ']) {
    const { settings, faults } = read({ BAILEYS_SECRET: SECRET, BAILEYS_PORT: wrong });
    assert.equal(settings, undefined);
    assert.deepEqual(faults, [`BAILEYS_PORT=${wrong}: not a number that is valid here; valid: 0-65535, 0 takes any free port`]);
  }
});

test('settings: the secret is set or in the file, long enough, and never in a fault', () => {
  assert.equal(read({}, `${SECRET}\n`).settings.secret, SECRET);
  assert.equal(read({ BAILEYS_SECRET: `${SECRET}y` }, `${SECRET}\n`).settings.secret, `${SECRET}y`);
  assert.match(read({}).faults[0], /is not set/);
  for (const wrong of ['x'.repeat(15), 'x'.repeat(257), `${SECRET} ${SECRET}`]) {
    const [fault] = read({ BAILEYS_SECRET: wrong }).faults;
    assert.match(fault, /^BAILEYS_SECRET: 16-256 printable/);
    assert.ok(!fault.includes(wrong));
  }
});

test('settings: the data folder is where the supervisor puts it', () => {
  const folder = (environment) => read({ BAILEYS_SECRET: SECRET, ...environment }).settings.dataFolder;
  assert.equal(folder({ AGENTLOCATOR_DATA_DIR: '/d', HOME: '/h' }), '/d');
  assert.equal(folder({ AGENTLOCATOR_DATA_DIR: 'd' }), '/opt/al/d');
  assert.equal(folder({ XDG_STATE_HOME: '/s', HOME: '/h' }), '/s/agentlocator');
  assert.equal(folder({ HOME: '/h' }), '/h/.local/state/agentlocator');
  assert.equal(folder({ HOME: '/' }), '/opt/al/data');
});

test("settings: WhatsApp's version is three numbers", () => {
  assert.deepEqual(read({ BAILEYS_SECRET: SECRET, BAILEYS_WA_VERSION: '2.3000.1043857760' }).settings.waVersion, [2, 3000, 1043857760]);
  assert.equal(read({ BAILEYS_SECRET: SECRET, BAILEYS_WA_VERSION: '2.3000' }).faults.length, 1);
});
