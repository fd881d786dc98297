#include "supervisor/restart_policy.hpp"

#include <doctest/doctest.h>

#include <random>

using namespace agentlocator;

namespace {

const TimePoint start{1000s};
constexpr std::uint64_t most = ~std::uint64_t{0};

Duration longest_of(RestartPolicy policy, TimePoint now) {
    Duration longest{};
    std::mt19937_64 random(7);
    for (int i = 0; i < 2000; ++i) {
        RestartPolicy copy = policy;
        longest = std::max(longest, copy.on_crash(now, 0s, random()).delay);
    }
    return longest;
}

}  // namespace

TEST_CASE("restart_policy: the first crash after a healthy period is answered at once") {
    const RestartLimits limits;
    RestartPolicy policy(limits);
    CHECK(policy.on_crash(start, limits.healthy, most) == RestartVerdict{false, 0s});
    RestartPolicy younger(limits);
    CHECK(younger.on_crash(start, limits.healthy - 1ns, 1).delay == 1ns);
}

TEST_CASE("restart_policy: the ceiling doubles with each crash up to the cap, with full jitter below it") {
    RestartPolicy policy({.crash_limit = 0});
    Duration ceiling = 50ms;
    for (int crash = 0; crash < 40; ++crash) {
        const Duration longest = longest_of(policy, start);
        CHECK(longest <= ceiling);
        CHECK(longest >= ceiling * 9 / 10);
        CHECK_FALSE(policy.on_crash(start, 0s, 0).hold);
        ceiling = std::min<Duration>(ceiling * 2, 30s);
    }
    CHECK(ceiling == 30s);
}

TEST_CASE("restart_policy: the level falls by one for each healthy period served") {
    RestartPolicy policy({.crash_limit = 0});
    for (int i = 0; i < 5; ++i) {
        CHECK_FALSE(policy.on_crash(start, 0s, 0).hold);
    }
    CHECK(policy.level() == 5);
    CHECK_FALSE(policy.on_crash(start, 59s, 0).hold);
    CHECK(policy.level() == 6);
    CHECK_FALSE(policy.on_crash(start, 180s, 0).hold);  // Three periods: 6 - 3 + 1.
    CHECK(policy.level() == 4);
    CHECK_FALSE(policy.on_crash(start, 24h, 0).hold);
    CHECK(policy.level() == 1);
}

TEST_CASE("restart_policy: held at the crash limit inside the window, not one crash before, not one outside") {
    const RestartLimits limits{.crash_limit = 5, .crash_window = 60s};
    RestartPolicy policy(limits);
    for (int i = 0; i < 4; ++i) {
        CHECK_FALSE(policy.on_crash(start + i * 1s, 0s, 0).hold);
    }
    RestartPolicy late = policy;
    CHECK(policy.on_crash(start + 60s - 1ns, 0s, 0).hold);
    CHECK_FALSE(late.on_crash(start + 60s, 0s, 0).hold);  // The first has left the window.
    CHECK(late.on_crash(start + 60s, 0s, 0).hold);
    late.forgive();
    CHECK_FALSE(late.on_crash(start + 60s, 0s, 0).hold);
}

TEST_CASE("restart_policy: a child that crashes at once is spawned at most 8 times in 60 s, whatever the dice say") {
    const auto seed = std::random_device{}();
    CAPTURE(seed);
    std::mt19937_64 random(seed);
    for (int run = 0; run < 1000; ++run) {
        RestartPolicy policy({});
        TimePoint now = start;
        int spawns = 1;
        while (now < start + 60s) {
            const RestartVerdict verdict = policy.on_crash(now, 0s, random());
            if (verdict.hold) {
                break;
            }
            now += verdict.delay;
            ++spawns;
        }
        REQUIRE(spawns <= 8);
    }
}

TEST_CASE("restart_policy: a spawn the machine could not do backs off and never holds") {
    RestartPolicy policy({.crash_limit = 2});
    for (int i = 0; i < 100; ++i) {
        CHECK(policy.on_spawn_failed(most) <= 30s);
    }
    CHECK(policy.level() == 32);
    CHECK_FALSE(policy.on_crash(start, 0s, 0).hold);
}
