// Settings from the environment: text in, a checked object or the list of faults out. Pure.

// One default for both sides (F-41): common/config.hpp hands BAILEYS_PORT down, so this is used only when the bridge is
// run by hand.
export const PORT_DEFAULT = 4001;

// By number, never "localhost", which may resolve to ::1 (F-41). Not a setting: the bridge has no business on a network.
export const HOST = '127.0.0.1';

export function readSettings(environment) {
  const faults = [];
  const text = environment.BAILEYS_PORT ?? '';
  let port = PORT_DEFAULT;
  if (text !== '') {
    port = /^\d{1,5}$/.test(text) ? Number(text) : NaN;
    if (!(port <= 65535)) {
      faults.push(`BAILEYS_PORT=${text}: not a port; valid: 0-65535, 0 takes any free port`);
    }
  }
  return faults.length > 0 ? { faults } : { faults, settings: { host: HOST, port } };
}
