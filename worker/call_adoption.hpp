#pragma once
// Takes over a call that another worker left at any instruction: corrects what it could not
// record by what the kernel counted, and saves received bytes from the dead worker's staging area.
#include "common/call_slab.hpp"
#include "common/control_packet.hpp"
#include "common/io/socket_count.hpp"
#include "common/result.hpp"

namespace agentlocator {

// The arithmetic, pure: `packet` names slot, call and the worker entry (`arg`) that last served it. Afterwards the slot
// is exact: sent position, and every received byte either parsed or kept. Doing it twice changes nothing more, so an
// adopter that dies half-way is itself recovered.
// Error: the slot holds another call, or the counts contradict the record; then the stream cannot go on.
[[nodiscard]] Result<void> adopt_call(CallSlab& slab, const ControlPacket& packet, const SocketCount& kernel);

// The same with the counts of the socket.
[[nodiscard]] Result<void> adopt_call(CallSlab& slab, const ControlPacket& packet, int socket);

}  // namespace agentlocator
