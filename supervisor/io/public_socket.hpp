#pragma once
// The listening socket that all workers share. Opened before anything slow, so that the platform sees the port at once
// (F-34), and held for our whole life, so that no connection is lost between two workers.
// No SO_REUSEPORT, on purpose: with it a stale server would silently take a share of the calls instead of showing up
// as "address in use" (F-1, F-2).
#include <cstdint>
#include <string>

#include "common/io/unique_fd.hpp"
#include "common/result.hpp"

namespace agentlocator {

inline constexpr int listen_backlog = 4096;  // The kernel cuts it to net.core.somaxconn.

struct PublicSocket {
    UniqueFd fd;
    std::string address;
    std::uint16_t port = 0;
    bool activated = false;  // Handed to us by the service manager.
};

// The socket of systemd's socket activation, when LISTEN_PID is us (sd_listen_fds(3)). Removes the variables from our
// environment in any case. Nothing inherited: an empty fd. An error: what was inherited is not one listening socket.
[[nodiscard]] Result<PublicSocket> take_activated_socket();

// One that listens already, handed back by a worker.
[[nodiscard]] PublicSocket describe_socket(UniqueFd listener);

// An error of code `refused` means that somebody else listens there.
[[nodiscard]] Result<PublicSocket> open_public_socket(const std::string& address, std::uint16_t port);

}  // namespace agentlocator
