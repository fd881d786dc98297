// What follows when the link to WhatsApp closes: by close code, how often, and how long it had been open. Pure.
//
//   515                    a restart WhatsApp asked for (always after pairing): at once
//   408 428 500 503 other  network or server: back-off 1 s, doubled, at most 60 s, with full jitter
//   440                    another process took the link: once more after 15 s, then `replaced`
//   401                    unlinked: `logged_out`
//   402 403 406            banned or blocked: `restricted`
//   405 409                our version is refused, or a conflict: every 15 minutes
//   411                    not a multi-device account: `failed`
//   429                    too many logins: 15 minutes
//   500 five times running the session is broken: `failed`
//
// The count goes back to none only after a minute of open link: one that opens and dies at once must not be a loop.

const SECOND = 1000;
const MINUTE = 60 * SECOND;

export const POLICY = {
  backoffMs: SECOND,
  backoffMsMax: MINUTE,
  stableMs: MINUTE,
  replacedRetryMs: 15 * SECOND,
  replacedWindowMs: 10 * MINUTE,
  slowRetryMs: 15 * MINUTE,
  badSessionMax: 5,
};

export class ReconnectPolicy {
  attempt = 0;
  #openedAt = undefined;
  #replacedAt = -Infinity;
  #badSessions = 0;

  constructor(policy = POLICY) {
    this.policy = policy;
  }

  onOpen(now) {
    this.#openedAt = now;
  }

  // random: 0 up to 1. Gives {retryMs} or {stop: state}, both with `reason`.
  onClose(code, now, random) {
    const { policy } = this;
    if (this.#openedAt !== undefined && now - this.#openedAt >= policy.stableMs) {
      this.attempt = 0;
      this.#badSessions = 0;
    }
    this.#openedAt = undefined;
    if (code === 515) {
      return { retryMs: 0, reason: 'restart_required' };
    }
    this.attempt += 1;
    this.#badSessions = code === 500 ? this.#badSessions + 1 : 0;
    switch (code) {
      case 401:
        return { stop: 'logged_out', reason: 'unlinked_on_the_phone' };
      case 402:
      case 403:
      case 406:
        return { stop: 'restricted', reason: 'account_blocked' };
      case 411:
        return { stop: 'failed', reason: 'not_multi_device' };
      case 405:
        return { retryMs: policy.slowRetryMs, reason: 'client_version_refused_set_BAILEYS_WA_VERSION' };
      case 409:
        return { retryMs: policy.slowRetryMs, reason: 'conflict' };
      case 429:
        return { retryMs: policy.slowRetryMs, reason: 'too_many_logins' };
      case 440: {
        const again = now - this.#replacedAt < policy.replacedWindowMs;
        this.#replacedAt = now;
        return again
          ? { stop: 'replaced', reason: 'another_process_uses_this_link' }
          : { retryMs: policy.replacedRetryMs, reason: 'another_process_took_the_link' };
      }
      case 500:
        if (this.#badSessions >= policy.badSessionMax) {
          return { stop: 'failed', reason: 'bad_session' };
        }
        break;
    }
    const ceiling = Math.min(policy.backoffMsMax, policy.backoffMs * 2 ** Math.min(this.attempt - 1, 16));
    // Full jitter, but never nothing at all: a tenth of the ceiling at least.
    return { retryMs: Math.round(ceiling * (0.1 + 0.9 * random)), reason: REASONS[code] ?? 'connection_lost' };
  }
}

const REASONS = { 408: 'timed_out', 428: 'connection_lost', 500: 'server_error', 503: 'server_unavailable' };
