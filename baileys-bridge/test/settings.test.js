import assert from 'node:assert/strict';
import test from 'node:test';

import { PORT_DEFAULT, readSettings } from '../settings.js';

test('settings: the port of the environment, or the default', () => {
  assert.equal(readSettings({}).settings.port, PORT_DEFAULT);
  assert.equal(readSettings({ BAILEYS_PORT: '' }).settings.port, PORT_DEFAULT);
  assert.equal(readSettings({ BAILEYS_PORT: '65535' }).settings.port, 65535);
  assert.equal(readSettings({ BAILEYS_PORT: '0' }).settings.port, 0);
});

test('settings: a fault names the setting, the value and what is valid', () => {
  const { settings, faults } = readSettings({ BAILEYS_PORT: '65536' });
  assert.equal(settings, undefined);
  assert.deepEqual(faults, ['BAILEYS_PORT=65536: not a port; valid: 0-65535, 0 takes any free port']);
});
