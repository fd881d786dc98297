#pragma once
// Who listens on a TCP port: rows of /proc/net/tcp and tcp6, and the processes that hold each socket. It sees the
// processes that we may see; a socket without a visible owner belongs to another user or another pid namespace.
#include <cstdint>
#include <string>
#include <vector>

#include "supervisor/proc_text.hpp"

namespace agentlocator {

struct PortOwner {
    TcpListener listener;
    std::vector<std::int64_t> pids;  // All that share the socket: a server and its forks.
};

// Listeners that stand in the way of `address`:`port`.
[[nodiscard]] std::vector<PortOwner> find_port_owners(const std::string& address, std::uint16_t port);

}  // namespace agentlocator
