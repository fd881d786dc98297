#pragma once
// A file that one process holds. The kernel drops the lock in the instant that process dies, however it dies.
#include <cstdint>
#include <string>

#include "common/io/unique_fd.hpp"

namespace agentlocator {

enum class LockWait : std::uint8_t { no, yes };  // yes: until whoever holds it lets go.

// Opens for reading and writing, with `flags` of open(2) beside (O_CREAT: 0600), and locks. What comes back is locked,
// and is the file that has this name now: whoever held it may have taken it away between our open and our lock. Empty:
// errno says why; EWOULDBLOCK when another holds it, ESTALE when it was taken away.
[[nodiscard]] UniqueFd open_locked(const std::string& path, int flags, LockWait wait = LockWait::no);

}  // namespace agentlocator
