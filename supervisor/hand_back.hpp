#pragma once
// What one worker of a dead supervisor hands back, packet by packet (common/control_packet.hpp). Pure; the descriptors
// that come with the packets are kept by io/adoption.
//
//   nothing --returned--> named --returned_listener--> returning --returned_all--> complete
//
// A worker that says anything else, leaves out a descriptor or miscounts is not one of ours to talk to: it is refused
// as a whole, because half a hand-back would lose calls in silence.
#include <cstdint>
#include <optional>
#include <vector>

#include "common/control_packet.hpp"
#include "supervisor/call_vault.hpp"

namespace agentlocator {

// Every slot carried, and every slot given up once more.
inline constexpr std::size_t returned_calls_max = 2 * std::size_t{call_slots_max};

class HandBack {
public:
    enum class Kept : std::uint8_t { nothing, slab, listener, call };  // What the descriptor of the packet is.

    // Nothing: the packet does not belong here, and neither does its sender.
    [[nodiscard]] std::optional<Kept> on_packet(const ControlPacket& packet, bool has_descriptor);

    [[nodiscard]] bool complete() const { return step_ == Step::complete; }
    [[nodiscard]] std::uint32_t worker() const { return worker_; }  // Entry in the slab.
    [[nodiscard]] bool draining() const { return draining_; }
    [[nodiscard]] std::uint64_t began_later() const { return began_later_; }
    [[nodiscard]] const std::vector<CallReport>& calls() const { return calls_; }  // As many as Kept::call.

private:
    enum class Step : std::uint8_t { nothing, named, returning, complete };

    Step step_ = Step::nothing;
    std::uint32_t worker_ = 0;
    bool draining_ = false;
    std::uint64_t began_later_ = 0;
    std::vector<CallReport> calls_;
};

}  // namespace agentlocator
