#include "supervisor/hand_back.hpp"

namespace agentlocator {

std::optional<HandBack::Kept> HandBack::on_packet(const ControlPacket& packet, bool has_descriptor) {
    switch (step_) {
        case Step::nothing:
            if (packet.type != PacketType::returned || !has_descriptor || packet.arg >= worker_entries_max) {
                return std::nullopt;
            }
            worker_ = packet.arg;
            draining_ = (packet.flags & packet_flag_draining) != 0;
            step_ = Step::named;
            return Kept::slab;
        case Step::named:
            if (packet.type != PacketType::returned_listener || !has_descriptor) {
                return std::nullopt;
            }
            step_ = Step::returning;
            return Kept::listener;
        case Step::returning:
            if (packet.type == PacketType::returned_call && has_descriptor && packet.slot < call_slots_max &&
                calls_.size() < returned_calls_max) {
                calls_.push_back({packet.slot, packet.call, (packet.flags & packet_flag_released) != 0});
                return Kept::call;
            }
            if (packet.type == PacketType::returned_all && packet.arg == calls_.size()) {
                began_later_ = packet.call;
                step_ = Step::complete;
                return Kept::nothing;
            }
            return std::nullopt;
        case Step::complete:
            return std::nullopt;  // What comes now is for the control channel.
    }
    return std::nullopt;
}

}  // namespace agentlocator
