#pragma once
// One ControlPacket, with at most one descriptor, over a SOCK_SEQPACKET socket. Used by both ends of the channel.
#include "common/control_packet.hpp"
#include "common/io/unique_fd.hpp"

namespace agentlocator {

enum class PacketIo : std::uint8_t { done, again, closed };

// Never blocks, never raises SIGPIPE.
[[nodiscard]] PacketIo send_packet(int socket, const ControlPacket& packet, int fd = -1);

// A packet of another size or version counts as `closed`: the peer is not ours to talk to.
[[nodiscard]] PacketIo receive_packet(int socket, ControlPacket& packet, UniqueFd& fd);

}  // namespace agentlocator
