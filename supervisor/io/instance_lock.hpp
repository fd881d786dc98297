#pragma once
// One supervisor for each lock file: flock on a file that is never removed. The kernel drops the lock when its holder
// dies, so a file left behind is no lock. Order at a start: lock, stale processes, port, children.
#include <cstdint>
#include <optional>
#include <string>

#include "common/io/unique_fd.hpp"
#include "common/result.hpp"
#include "supervisor/lock_record.hpp"

namespace agentlocator {

struct LockAttempt {
    UniqueFd held;                    // Valid: ours. Keep it open (close-on-exec) for the life of the supervisor.
    std::optional<LockRecord> other;  // Held: what the previous holder, now dead, had written. Taken: the holder.
    std::int64_t holder_pid = 0;      // Taken: the holder, also when its record cannot be read. 0: not visible.
};

// An error is about the file (a link, a folder, another user's, not writable) and names the remedy.
[[nodiscard]] Result<LockAttempt> try_lock(const std::string& path, const LockRecord& self);

// A lock held before an exec of ours: it came with the descriptor. Says who holds it now.
[[nodiscard]] Result<LockAttempt> keep_lock(UniqueFd held, const LockRecord& self);

// Overwrites what the held lock says. False: it could not be written.
bool write_lock_record(int held, const LockRecord& record);

// For the line that refuses a second start: who holds the lock and what to do.
[[nodiscard]] std::string describe_holder(const std::string& path, const LockAttempt& attempt);

// What the file says, of a living holder or a dead one. Only from a file of this user or of root.
[[nodiscard]] std::optional<LockRecord> read_lock_record(const std::string& path);

// The living holder by its record, without touching the lock: a look must never make a start fail.
[[nodiscard]] std::optional<LockRecord> find_lock_holder(const std::string& path);

}  // namespace agentlocator
