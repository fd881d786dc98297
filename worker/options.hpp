#pragma once
// Command line of agentlocator-worker. Under the supervisor it has no arguments; alone it is a server of its own.
#include <cstdint>
#include <optional>
#include <string>

namespace agentlocator {

struct WorkerOptions {
    std::optional<std::uint16_t> port;  // 0: any free port, named in the ready line.
    std::string bind_address;           // Empty: BIND_ADDRESS.
};

// Nothing: `exit_status` holds what to end with, and help or the fault has been printed.
[[nodiscard]] std::optional<WorkerOptions> parse_worker_options(int argc, char** argv, int& exit_status);

}  // namespace agentlocator
