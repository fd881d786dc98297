#include "worker/call_adoption.hpp"

#include <cstring>
#include <string>
#include <vector>

#include "common/crash_point.hpp"
#include "worker/call_handle.hpp"

namespace agentlocator {
namespace {

Error contradiction(const char* what, std::uint64_t kernel, std::uint64_t record) {
    return error(Errc::io, std::string(what) + ": the kernel says " + std::to_string(kernel) + ", the record says " +
                               std::to_string(record));
}

}  // namespace

Result<void> adopt_call(CallSlab& slab, const ControlPacket& packet, const SocketCount& kernel) {
    if (packet.slot >= call_slots_max || packet.arg >= worker_entries_max) {
        return error(Errc::bad_message, "no such slot or worker entry");
    }
    SlotEntry& entry = slab.directory[packet.slot];
    if (entry.call.load() != packet.call) {
        return error(Errc::not_found, "the slot holds another call");
    }
    CallHandle call(slab, packet.slot);
    const CallState& state = call.state();
    const std::uint64_t sent = kernel.sent - entry.sent_base.load();
    const std::uint64_t received = kernel.received - entry.received_base.load();
    const bool closing = state.phase == StreamPhase::closed;
    // A shut socket counts its FIN as a byte; and what a closed stream still receives does not matter.
    if (sent > state.send.tail && !closing) {
        return contradiction("bytes sent", sent, state.send.tail);
    }
    entry.sent.store(sent > state.send.tail ? state.send.tail : sent, std::memory_order_release);
    CRASH_POINT(adopt_half);
    if (closing) {
        return {};
    }
    const std::uint64_t known = state.frames.known_end();
    if (received < known) {
        return contradiction("bytes received", received, known);
    }
    if (received == known) {
        return {};
    }
    // The last worker took bytes that no state tells of: they lie in its staging area, behind position staging_from.
    const WorkerEntry& last = slab.workers[packet.arg];
    const std::uint64_t from = last.staging_from.load(std::memory_order_acquire);
    if (last.slot_in_hand.load(std::memory_order_acquire) != packet.slot || from > state.frames.parsed ||
        received - from > staging_bytes) {
        return contradiction("bytes in the staging area", received, known);
    }
    const std::uint64_t at = state.frames.parsed;
    const auto size = static_cast<std::size_t>(received - at);
    call.begin();
    call.keep_remainder(at, {slab.staging[packet.arg].bytes.data() + (at - from), size});
    CRASH_POINT(adopt_kept);
    call.commit();
    return {};
}

Result<void> adopt_call(CallSlab& slab, const ControlPacket& packet, int socket) {
    const auto kernel = count_socket(socket);
    if (!kernel) {
        return kernel.error();
    }
    return adopt_call(slab, packet, *kernel);
}

}  // namespace agentlocator
