#include "supervisor/heartbeat_policy.hpp"

#include <doctest/doctest.h>

using namespace agentlocator;

namespace {

const TimePoint now{1000s};
const HeartbeatLimits limits;
constexpr SeatId one{1};
constexpr SeatId two{2};

}  // namespace

TEST_CASE("heartbeat_policy: hung at the timeout, not a nanosecond before") {
    const HeartbeatSample fresh{one, now - 1999ms};
    const HeartbeatSample old{two, now - 2s};
    const auto round = judge_heartbeats(now, now, std::vector{fresh, old}, limits);
    CHECK(round.hung == std::vector{two});
    CHECK(round.next == now + 1ms);
}

TEST_CASE("heartbeat_policy: an idle supervisor sleeps until the oldest heartbeat could be a hang") {
    std::vector<HeartbeatSample> samples;
    for (int i = 0; i < 100; ++i) {
        samples.push_back({SeatId{static_cast<std::uint64_t>(i)}, now - i * 1ms});
    }
    CHECK(judge_heartbeats(now, now, samples, limits).next == now + 2s - 99ms);
    CHECK(judge_heartbeats(now, now, {}, limits).next == now + 2s);
}

TEST_CASE("heartbeat_policy: nobody is judged when our own clockwork was late") {
    const std::vector<HeartbeatSample> samples{{one, now - 10s}};
    const auto just = judge_heartbeats(now, now - 500ms, samples, limits);
    CHECK_FALSE(just.skipped);
    CHECK(just.hung == std::vector{one});
    const auto late = judge_heartbeats(now, now - 501ms, samples, limits);
    CHECK(late.skipped);
    CHECK(late.hung.empty());
    CHECK(late.next == now + 500ms);
    CHECK(judge_heartbeats(late.next, late.next, samples, limits).hung == std::vector{one});
}

TEST_CASE("heartbeat_policy: a heartbeat from the far future is damage, one from this instant is not") {
    CHECK(judge_heartbeats(now, now, std::vector<HeartbeatSample>{{one, now + 1ms}}, limits).hung.empty());
    CHECK(judge_heartbeats(now, now, std::vector<HeartbeatSample>{{one, now + 3s}}, limits).hung == std::vector{one});
    CHECK(judge_heartbeats(now, now, std::vector<HeartbeatSample>{{one, TimePoint::max()}}, limits).hung ==
          std::vector{one});
}
