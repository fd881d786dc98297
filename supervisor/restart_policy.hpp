#pragma once
// When a crashed child is started again, and when no longer. Pure; one object a slot.
//
// Delay: full jitter, uniform(0, min(cap, base * 2^level)), so that slots that fell together do not rise together.
// `level` counts crashes and falls by one for each healthy period served. The first crash after a healthy period is
// answered at once: that was an accident, not a loop. crash_limit crashes inside crash_window hold the slot.
#include <cstdint>
#include <deque>

#include "common/time.hpp"

namespace agentlocator {

struct RestartLimits {
    Duration base = 50ms;
    Duration cap = 30s;
    Duration healthy = 60s;         // Served, not merely lived.
    std::uint32_t crash_limit = 5;  // 0: never hold.
    Duration crash_window = 60s;
};

struct RestartVerdict {
    bool hold = false;
    Duration delay{};  // Only when not held.
    friend bool operator==(const RestartVerdict&, const RestartVerdict&) = default;
};

class RestartPolicy {
public:
    explicit RestartPolicy(RestartLimits limits) : limits_(limits) {}

    // `served`: from ready to death, zero when it never was ready. `random`: any value, all bits used.
    [[nodiscard]] RestartVerdict on_crash(TimePoint now, Duration served, std::uint64_t random);
    // The machine had no process, memory or descriptor to give: back off, but never hold, since it heals by itself.
    [[nodiscard]] Duration on_spawn_failed(std::uint64_t random);
    // The delay of a first crash, whatever the past. For a process that a call's bytes ended: such a call is closed at
    // its second death, so that few calls end few workers, and one caller must not empty the pool. And for one whose
    // calls have no other worker to go to: the crash counts, but callers do not sit out the backoff.
    [[nodiscard]] Duration first_delay(std::uint64_t random) const;
    // An operator asked for a restart: the past does not count.
    void forgive();
    void set_limits(RestartLimits limits) { limits_ = limits; }

    // What an earlier supervisor remembered of the same slot.
    void restore(std::uint32_t level, std::deque<TimePoint> crashes);

    [[nodiscard]] std::uint32_t level() const { return level_; }
    [[nodiscard]] const std::deque<TimePoint>& crashes() const { return crashes_; }
    [[nodiscard]] std::uint32_t crashes_in_window(TimePoint now) const;

private:
    [[nodiscard]] Duration jittered(std::uint64_t random) const;

    RestartLimits limits_;
    std::uint32_t level_ = 0;
    std::deque<TimePoint> crashes_;  // At most crash_limit, oldest first.
};

}  // namespace agentlocator
