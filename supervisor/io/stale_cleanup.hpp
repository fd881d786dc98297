#pragma once
// Takes the snapshots that stale.hpp judges and performs its verdicts: SIGTERM through a pidfd, wait, SIGKILL; again
// until two looks in a row find nothing. Blocks: for a start before anything runs, and for `agentlocator stale --kill`.
#include <chrono>
#include <functional>
#include <string>
#include <vector>

#include "common/config.hpp"
#include "common/result.hpp"
#include "supervisor/lock_record.hpp"
#include "supervisor/stale.hpp"

namespace agentlocator {

// What is to be looked for. `previous`: what the lock file said before we took it (LockAttempt::other), or, for a look
// from outside, the living holder of the lock, which is then left alone.
[[nodiscard]] StaleScope make_stale_scope(const Settings& settings, const std::string& installation_root,
                                          const std::optional<LockRecord>& previous, bool takeover);

[[nodiscard]] StaleSnapshot take_snapshot(const StaleScope& scope);

struct StaleCleanup {
    std::vector<StaleVerdict> stopped;
    std::vector<StaleVerdict> remaining;  // Named only: unknown owners of the port. Not empty: the port is not ours.
};

// `report` gets one line for each process before it is asked to end and one when it had to be killed.
// timeout: something comes back again and again, or cannot be ended; the detail names it.
[[nodiscard]] Result<StaleCleanup> clear_stale(const StaleScope& scope, std::chrono::milliseconds term_timeout,
                                               const std::function<void(const std::string&)>& report);

// "pid 7 (user leah, since 2026-..., in /srv): gunicorn main:app ...: why; remedy"
[[nodiscard]] std::string describe(const StaleVerdict& verdict);

}  // namespace agentlocator
