// Settings from the environment: text in, a checked object or the list of faults out. Pure. Under the supervisor the same
// values were checked before (common/config_table.cpp); these checks serve whoever runs the bridge by hand.
import path from 'node:path';

// One default for both sides (F-41): common/config_table.cpp hands BAILEYS_PORT down.
export const PORT_DEFAULT = 4001;

// By number, never "localhost", which may resolve to ::1 (F-41). Not a setting: the bridge has no business on a network.
export const HOST = '127.0.0.1';

const SECRET_CHARACTERS = { min: 16, max: 256 };

const INTEGERS = {
  BAILEYS_PORT: { name: 'port', fallback: PORT_DEFAULT, min: 0, max: 65535, note: ', 0 takes any free port' },
  BAILEYS_SENDS_PER_MINUTE: { name: 'perMinute', fallback: 30, min: 1, max: 1_000_000 },
  BAILEYS_CHAT_SENDS_PER_MINUTE: { name: 'perChatMinute', fallback: 12, min: 1, max: 1_000_000 },
  BAILEYS_NEW_CHATS_PER_DAY: { name: 'newChatsPerDay', fallback: 15, min: 0, max: 1_000_000 },
  BAILEYS_MEDIA_MB_MAX: { name: 'mediaMegabytes', fallback: 64, min: 1, max: 2048 },
  BAILEYS_DATABASE_MB_MAX: { name: 'databaseMegabytes', fallback: 4096, min: 1, max: 1_000_000 },
  BAILEYS_RETENTION_DAYS: { name: 'retentionDays', fallback: 14, min: 1, max: 3650 },
};

// Where common/config_table.cpp puts it.
function dataFolder(environment, root) {
  const { AGENTLOCATOR_DATA_DIR: set, XDG_STATE_HOME: state, HOME: home } = environment;
  if (set) {
    return path.resolve(root, set);
  }
  if (state?.startsWith('/')) {
    return path.join(state, 'agentlocator');
  }
  return home?.startsWith('/') && home !== '/' ? path.join(home, '.local/state/agentlocator') : path.join(root, 'data');
}

// root: the installation's folder. readSecret: (path) => its text, or undefined when there is no such file.
export function readSettings(environment, { root, readSecret }) {
  const faults = [];
  const settings = { host: HOST, dataFolder: dataFolder(environment, root) };
  for (const [variable, { name, fallback, min, max, note = '' }] of Object.entries(INTEGERS)) {
    const text = environment[variable] ?? '';
    const value = text === '' ? fallback : /^\d{1,9}$/.test(text) ? Number(text) : NaN;
    if (value >= min && value <= max) {
      settings[name] = value;
    } else {
      faults.push(`${variable}=${text}: not a number that is valid here; valid: ${min}-${max}${note}`);
    }
  }

  const version = environment.BAILEYS_WA_VERSION ?? '';
  if (/^\d{1,9}(\.\d{1,12}){2}$/.test(version)) {
    settings.waVersion = version.split('.').map(Number);
  } else if (version !== '') {
    faults.push(`BAILEYS_WA_VERSION=${version}: three numbers, as in 2.3000.1043857760`);
  }

  const secretFile = path.join(settings.dataFolder, 'bridge-secret');
  const secret = environment.BAILEYS_SECRET || readSecret(secretFile)?.trim();
  if (!secret) {
    faults.push(`BAILEYS_SECRET: is not set, and there is no ${secretFile} (\`agentlocator run\` makes one)`);
  } else if (!/^[!-~]+$/.test(secret) || secret.length < SECRET_CHARACTERS.min || secret.length > SECRET_CHARACTERS.max) {
    const { min, max } = SECRET_CHARACTERS;
    faults.push(`BAILEYS_SECRET: ${min}-${max} printable characters without a blank are needed`); // Never its value.
  }
  settings.secret = secret;
  return faults.length > 0 ? { faults } : { faults, settings };
}
