#pragma once
// Starts one child process: no descriptor, signal state or group of ours leaks into it, and nothing here blocks.
// Main thread only: leftovers are looked for among its children.
//
// The child waits at a gate before exec until open_gate(), so that its record is on disk before it runs: there is
// never a running child that the next supervisor could not name.
#include <sys/types.h>

#include <string>
#include <vector>

#include "common/io/unique_fd.hpp"
#include "common/result.hpp"

namespace agentlocator {

struct SpawnPlan {
    std::string program;                   // Absolute path.
    std::vector<std::string> arguments;    // argv, the name first.
    std::vector<std::string> environment;  // NAME=VALUE.
    int output = -1;                       // Becomes stdout and stderr.
    std::vector<int> passed;               // Become descriptors 3, 4, ...; LISTEN_PID is added for them.
    std::vector<int> kept;                 // The next descriptors: held open by the child, of no use to it.
};

struct Spawned {
    pid_t pid = -1;
    UniqueFd pidfd;       // Empty where the kernel or a sandbox has none: SIGCHLD then tells of the death.
    UniqueFd exec_error;  // Readable: 4 bytes of errno, or the end when exec has happened.
    UniqueFd gate;
};

// An error is about the machine (no process, no descriptor), never about the program: that arrives by exec_error.
[[nodiscard]] Result<Spawned> spawn(const SpawnPlan& plan);

// Lets the child go on to exec.
void open_gate(Spawned& child);

// Signals exactly this process; through the pidfd when there is one. The child must not be reaped yet.
bool signal_child(pid_t pid, int pidfd, int number);

}  // namespace agentlocator
