#pragma once
// Time is an argument: pure code takes TimePoint, only shells read the clock (common/io/clock.hpp).
#include <chrono>

namespace agentlocator {

using Clock = std::chrono::steady_clock;  // CLOCK_MONOTONIC, so it is the same for every process of the machine.
using TimePoint = Clock::time_point;
using Duration = Clock::duration;
using namespace std::chrono_literals;

}  // namespace agentlocator
