#pragma once
// What a worker that hangs still holds, taken out of it without its help before it is killed: the slab, the listening
// socket, and the connections of its calls.
//
// Which descriptor is which is asked of the kernel (SocketMark in common/call_slab.hpp), never told by its number:
// numbers are given again. Needs pidfd_getfd (Linux 5.6) and the right to trace the worker, which the same user has
// unless kernel.yama.ptrace_scope or a sandbox says otherwise. A worker that is dead already holds nothing, even while
// it waits to be reaped.
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "common/call_slab.hpp"
#include "common/io/unique_fd.hpp"
#include "supervisor/io/adoption.hpp"

namespace agentlocator {

struct TakenDescriptors {
    UniqueFd slab;                              // Of a control part that this build reads.
    UniqueFd listener;                          // A listening TCP socket.
    std::map<std::uint64_t, UniqueFd> sockets;  // Connections by their cookie, calls and others.
    std::string problem;                        // Why not everything could be taken; empty: it could.
};

// Duplicates of what process `pid`, pinned by `pidfd`, has open. The process is not disturbed, and may go on using them
// until it is killed.
[[nodiscard]] TakenDescriptors take_descriptors(std::int64_t pid, const UniqueFd& pidfd);

// The connections among them that are calls of the slab. Pure.
[[nodiscard]] std::vector<Adoption::Kept> calls_among(const CallSlab& slab, std::map<std::uint64_t, UniqueFd> sockets);

}  // namespace agentlocator
