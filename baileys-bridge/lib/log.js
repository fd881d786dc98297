// One line per fact: event=noun_verb key=value. Values are escaped, so that nobody can forge a line; personal data and
// keys never come here: phone numbers and long codes are blotted out of texts that other people's code wrote.

const quoted = (value) => (/^[!#-<>-~]+$/.test(value) ? value : JSON.stringify(value));

export function logLine(event, fields = {}) {
  const pairs = Object.entries(fields).map(([key, value]) => `${key}=${quoted(String(value))}`);
  return [`event=${event}`, ...pairs].join(' ');
}

export function log(event, fields) {
  process.stdout.write(logLine(event, fields) + '\n');
}

const TEXT_MAX = 200; // A foreign error text that is longer explains nothing more.

// What is left of a text somebody else wrote: no number that could be a phone's, nothing that could be a key, a code, or
// a token.
export function redacted(text) {
  return String(text)
    .replace(/[\x00-\x1f]+/g, ' ')
    .replace(/(?=[A-Za-z0-9+/=_-]*\d)[A-Za-z0-9+/=_-]{20,}/g, '[code]')
    .replace(/\d[\d\s-]{5,}\d/g, '[number]')
    .slice(0, TEXT_MAX);
}

// Repeating lines are counted, not repeated (a broken session has logged 168,000 times in two hours).
export class RepeatFilter {
  #seen = new Map();
  constructor({ periodMs = 60_000, each = 5, textsMax = 200 } = {}) {
    Object.assign(this, { periodMs, each, textsMax });
  }
  // undefined: leave it out. A number: print, so many were left out in the period before.
  pass(text, now) {
    let entry = this.#seen.get(text);
    if (!entry || now - entry.since >= this.periodMs) {
      const left_out = entry ? Math.max(0, entry.count - this.each) : 0;
      if (this.#seen.size >= this.textsMax) {
        this.#seen.clear();
      }
      entry = { since: now, count: 1 };
      this.#seen.set(text, entry);
      return left_out;
    }
    return ++entry.count <= this.each ? 0 : undefined;
  }
}

const repeats = new RepeatFilter();
function foreign(source, level, text, now = Date.now()) {
  const shown = redacted(text);
  const left_out = repeats.pass(`${source} ${shown}`, now);
  if (left_out !== undefined) {
    log('library_said', { source, level, text: shown, ...(left_out > 0 ? { left_out } : {}) });
  }
}

// The logger Baileys gets (pino's shape). Its objects hold keys, numbers and whole messages: only an error's text and the
// constant text are taken, from `warn` up.
export const libraryLogger = {
  level: 'warn',
  child: () => libraryLogger,
  trace() {},
  debug() {},
  info() {},
  warn: (object, text) => foreign('baileys', 'warn', describe(object, text)),
  error: (object, text) => foreign('baileys', 'error', describe(object, text)),
  fatal: (object, text) => foreign('baileys', 'error', describe(object, text)),
};

function describe(object, text) {
  if (typeof object === 'string') {
    return object;
  }
  const error = object?.err ?? object?.error;
  const cause = error instanceof Error || typeof error?.message === 'string' ? `: ${error.message}` : '';
  return `${text ?? 'error'}${cause}`;
}

// libsignal prints whole sessions, private keys included, with console.*. What reaches our output is the first argument,
// if it is a text, up to its first colon; the rest is never even formatted.
export function guardConsole(target = console, now = Date.now) {
  for (const level of ['log', 'info', 'warn', 'error', 'debug', 'trace', 'dir']) {
    target[level] = (first) => {
      const text = typeof first === 'string' ? first.split(':', 1)[0] : typeof first;
      foreign('console', level, text, now());
    };
  }
}
