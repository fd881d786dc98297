#pragma once
// What a worker is given at birth: descriptors by the systemd convention (LISTEN_FDS), its place in the slab, signals.
#include <cstdint>
#include <string>

#include "common/io/unique_fd.hpp"
#include "common/result.hpp"

namespace agentlocator {

struct Inherited {
    UniqueFd http;     // Listening socket.
    UniqueFd control;  // To the supervisor.
    UniqueFd slab;     // Call slab.
};

// Reads and unsets LISTEN_PID, LISTEN_FDS and LISTEN_FDNAMES. Descriptors without a name are the listening socket
// (plain socket activation). Nothing is inherited when LISTEN_PID is not us.
[[nodiscard]] Result<Inherited> inherit_descriptors();

// A listening, non-blocking socket. No SO_REUSEPORT: a stale server must show up as "address in use", not take a share
// of the calls.
[[nodiscard]] Result<UniqueFd> listen_on(const std::string& address, std::uint16_t port);

// As many descriptors as the hard limit allows.
void raise_descriptor_limit();

}  // namespace agentlocator
