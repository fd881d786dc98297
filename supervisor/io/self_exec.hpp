#pragma once
// Becoming another program with the same pid: lock, listening socket, slab and the calls' sockets stay open across the
// exec, named in an Inheritance. Everything else is close-on-exec and ends with the old program.
#include <optional>
#include <string>
#include <vector>

#include "common/io/unique_fd.hpp"
#include "common/result.hpp"
#include "supervisor/inheritance.hpp"

namespace agentlocator {

// What came with the exec. The descriptors are ours, close-on-exec again.
struct Heritage {
    Inheritance document;
    UniqueFd lock;
    UniqueFd listener;
    UniqueFd slab;
    UniqueFd old_program;
    UniqueFd old_worker;
    std::vector<UniqueFd> sockets;  // As document.sockets.
};

// Reads and removes AGENTLOCATOR_INHERIT. Nothing: an ordinary start.
[[nodiscard]] Result<std::optional<Heritage>> take_heritage();

// Execs `program` with our own arguments and environment, `more` added to it ("NOTIFY_SOCKET=..."). Returns only when
// that failed, with the reason, and everything as it was. Main thread; other threads end with the exec.
[[nodiscard]] Error become(const std::string& program, const Inheritance& document,
                           const std::vector<std::string>& more);

// A descriptor of the program that we are, or that process `pid` is; it outlives the file's replacement.
[[nodiscard]] UniqueFd open_program_of(const std::string& pid);
[[nodiscard]] std::string descriptor_path(int fd);  // "/proc/self/fd/7"

}  // namespace agentlocator
