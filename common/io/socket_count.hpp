#pragma once
// What the kernel knows about a TCP connection that a dead process could not record.
#include <cstdint>

#include "common/result.hpp"

namespace agentlocator {

struct SocketCount {
    std::uint64_t sent = 0;      // Bytes ever handed to send: tcpi_bytes_acked + SIOCOUTQ.
    std::uint64_t received = 0;  // Bytes ever taken by recv: tcpi_bytes_received - SIOCINQ.
};

// Exact when nobody else uses the socket meanwhile; acknowledgements and arrivals may come in: the counts are read
// until two readings agree. Error: io, when the kernel lacks the counters or the socket is dead.
[[nodiscard]] Result<SocketCount> count_socket(int fd);

// The kernel's own name for a socket, the same through every descriptor and never given again (Linux 4.12). 0: none.
[[nodiscard]] std::uint64_t socket_cookie(int fd);

// Whether this kernel tells the truth: known bytes over a loopback connection, both directions, read and unread. Taken
// once, at the start. Error: what was wrong, in words.
[[nodiscard]] Result<void> prove_socket_counts();

}  // namespace agentlocator
