#include "supervisor/restart_policy.hpp"

#include <algorithm>
#include <utility>

namespace agentlocator {
namespace {

constexpr std::uint32_t level_max = 32;  // base * 2^level must not overflow; the cap is reached long before.

}  // namespace

Duration RestartPolicy::jittered(std::uint64_t random) const {
    Duration ceiling = limits_.base;
    for (std::uint32_t i = 0; i < level_ && ceiling < limits_.cap; ++i) {
        ceiling *= 2;
    }
    ceiling = std::min(ceiling, limits_.cap);
    const auto span = static_cast<std::uint64_t>(ceiling.count()) + 1;
    return Duration(static_cast<Duration::rep>(random % span));
}

RestartVerdict RestartPolicy::on_crash(TimePoint now, Duration served, std::uint64_t random) {
    const bool accident = served >= limits_.healthy;
    const auto healthy_periods = limits_.healthy > Duration::zero() ? served / limits_.healthy : level_max;
    level_ -= static_cast<std::uint32_t>(std::min<std::int64_t>(level_, healthy_periods));

    crashes_.push_back(now);
    while (crashes_.size() > limits_.crash_limit) {
        crashes_.pop_front();
    }
    if (limits_.crash_limit != 0 && crashes_in_window(now) >= limits_.crash_limit) {
        return {true, {}};
    }
    const Duration delay = accident ? Duration::zero() : jittered(random);
    level_ = std::min(level_ + 1, level_max);
    return {false, delay};
}

Duration RestartPolicy::on_spawn_failed(std::uint64_t random) {
    const Duration delay = jittered(random);
    level_ = std::min(level_ + 1, level_max);
    return delay;
}

Duration RestartPolicy::first_delay(std::uint64_t random) const {
    return Duration(static_cast<Duration::rep>(random % (static_cast<std::uint64_t>(limits_.base.count()) + 1)));
}

void RestartPolicy::forgive() {
    level_ = 0;
    crashes_.clear();
}

void RestartPolicy::restore(std::uint32_t level, std::deque<TimePoint> crashes) {
    level_ = std::min(level, level_max);
    crashes_ = std::move(crashes);
    while (crashes_.size() > limits_.crash_limit) {
        crashes_.pop_front();
    }
}

std::uint32_t RestartPolicy::crashes_in_window(TimePoint now) const {
    return static_cast<std::uint32_t>(std::count_if(
        crashes_.begin(), crashes_.end(), [&](TimePoint crash) { return now - crash < limits_.crash_window; }));
}

}  // namespace agentlocator
