#pragma once
// What /proc says about one process, as a value: io/process_table fills it, stale.hpp judges it. Everything in it was
// written by somebody else and may lie; only uid, pid, parent and start ticks are the kernel's own.
#include <cstdint>
#include <string>
#include <vector>

namespace agentlocator {

struct ProcessView {
    std::int64_t pid = 0;
    std::int64_t parent = 0;
    std::uint64_t start_ticks = 0;  // Since boot, field 22 of /proc/PID/stat. With the pid and the boot id: identity.
    std::uint32_t uid = 0;          // Effective.
    char state = '?';               // 'Z' and 'X' are dead already.
    std::string name;               // comm, at most 15 bytes, anything but NUL.
    std::vector<std::string> argv;  // Empty for kernel threads and zombies.
    std::string cwd;                // Empty: not readable (another user's).
    std::string exe;                // " (deleted)" removed.
    std::vector<std::string> environment;  // Empty: not readable.
};

}  // namespace agentlocator
