#include "supervisor/bridge_beat.hpp"

#include <doctest/doctest.h>

using namespace agentlocator;

TEST_CASE("bridge_beat: three truths, a state and its reason") {
    const auto beat = parse_bridge_beat(
        "event=bridge_beat connected=true paired=true can_send=false state=open reason=storage_failed");
    REQUIRE(beat);
    CHECK(*beat == BridgeBeat{true, true, false, "open", "storage_failed"});
    const auto plain =
        parse_bridge_beat("event=bridge_beat connected=false paired=false can_send=false state=unpaired reason=-");
    REQUIRE(plain);
    CHECK(plain->reason.empty());
}

TEST_CASE("bridge_beat: anything else is an ordinary line") {
    for (const char* line :
         {"", "event=bridge_beat", "event=bridge_ready connected=true", "npm: event=bridge_beat connected=true",
          "event=bridge_beat connected=true paired=true can_send=true state=open",
          "event=bridge_beat connected=yes paired=true can_send=true state=open reason=-",
          "event=bridge_beat connected=true paired=true can_send=true state=\x1b[2J reason=-",
          "event=bridge_beat connected paired=true can_send=true state=open reason=-"}) {
        CAPTURE(line);
        CHECK_FALSE(parse_bridge_beat(line));
    }
    const std::string word(64, 'a');
    const std::string start = "event=bridge_beat connected=true paired=true can_send=true state=open reason=";
    CHECK(parse_bridge_beat(start + word));
    CHECK_FALSE(parse_bridge_beat(start + word + "a"));
}

TEST_CASE("bridge_beat: silence is a hang only after a first beat") {
    const TimePoint begin{1h};
    CHECK_FALSE(bridge_is_hung(std::nullopt, begin + 1h));
    CHECK_FALSE(bridge_is_hung(begin, begin + bridge_silence_max - 1ms));
    CHECK(bridge_is_hung(begin, begin + bridge_silence_max));
}

TEST_CASE("bridge_beat: an unpaired bridge is told what to do, a linked one is left alone") {
    CHECK(describe({false, false, false, "unpaired", ""}) ==
          "not linked to a phone; link it: agentlocator whatsapp pair");
    CHECK(describe({true, true, true, "open", ""}) == "linked and connected");
    CHECK(describe({false, true, false, "waiting", "connection_lost"}) == "waiting (connection_lost)");
}
