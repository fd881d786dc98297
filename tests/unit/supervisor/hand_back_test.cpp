#include "supervisor/hand_back.hpp"

#include <doctest/doctest.h>

using namespace agentlocator;
using Kept = HandBack::Kept;

namespace {

ControlPacket packet(PacketType type, std::uint32_t arg = 0, std::uint32_t flags = 0, std::uint32_t slot = no_slot,
                     std::uint64_t call = 0) {
    ControlPacket made;
    made.type = type;
    made.arg = arg;
    made.flags = flags;
    made.slot = slot;
    made.call = call;
    return made;
}

HandBack begun() {
    HandBack told;
    CHECK(told.on_packet(packet(PacketType::returned, 3), true) == Kept::slab);
    CHECK(told.on_packet(packet(PacketType::returned_listener), true) == Kept::listener);
    return told;
}

}  // namespace

TEST_CASE("hand_back: slab, listener, calls, and their number") {
    HandBack told;
    CHECK(told.on_packet(packet(PacketType::returned, 3, packet_flag_draining), true) == Kept::slab);
    CHECK(told.on_packet(packet(PacketType::returned_listener), true) == Kept::listener);
    CHECK(told.on_packet(packet(PacketType::returned_call, 0, 0, 7, 70), true) == Kept::call);
    CHECK(told.on_packet(packet(PacketType::returned_call, 0, packet_flag_released, 8, 80), true) == Kept::call);
    CHECK_FALSE(told.complete());
    CHECK(told.on_packet(packet(PacketType::returned_all, 2, 0, no_slot, 99), false) == Kept::nothing);
    CHECK(told.complete());
    CHECK(told.worker() == 3);
    CHECK(told.draining());
    CHECK(told.began_later() == 99);
    REQUIRE(told.calls().size() == 2);
    CHECK(told.calls()[0].slot == 7);
    CHECK_FALSE(told.calls()[0].released);
    CHECK(told.calls()[1].call == 80);
    CHECK(told.calls()[1].released);
}

TEST_CASE("hand_back: whoever leaves out a descriptor, miscounts or says something else is refused") {
    CHECK_FALSE(HandBack().on_packet(packet(PacketType::returned, 3), false));
    CHECK_FALSE(HandBack().on_packet(packet(PacketType::ready), false));
    CHECK_FALSE(HandBack().on_packet(packet(PacketType::returned, worker_entries_max), true));
    CHECK(HandBack().on_packet(packet(PacketType::returned, worker_entries_max - 1), true) == Kept::slab);
    CHECK_FALSE(begun().on_packet(packet(PacketType::returned_call, 0, 0, 7, 70), false));
    CHECK_FALSE(begun().on_packet(packet(PacketType::returned_call, 0, 0, call_slots_max, 70), true));
    CHECK(begun().on_packet(packet(PacketType::returned_call, 0, 0, call_slots_max - 1, 70), true) == Kept::call);
    CHECK_FALSE(begun().on_packet(packet(PacketType::returned_all, 1), false));
    CHECK_FALSE(begun().on_packet(packet(PacketType::call_opened, 0, 0, 7, 70), true));
    HandBack done = begun();
    CHECK(done.on_packet(packet(PacketType::returned_all, 0), false) == Kept::nothing);
    CHECK_FALSE(done.on_packet(packet(PacketType::returned_all, 0), false));
}

TEST_CASE("hand_back: no more calls than there can be") {
    HandBack told = begun();
    for (std::size_t i = 0; i < returned_calls_max; ++i) {
        REQUIRE(told.on_packet(packet(PacketType::returned_call, 0, 0, 1, i), true) == Kept::call);
    }
    CHECK_FALSE(told.on_packet(packet(PacketType::returned_call, 0, 0, 1, 1), true));
}
