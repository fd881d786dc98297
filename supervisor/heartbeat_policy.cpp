#include "supervisor/heartbeat_policy.hpp"

#include <algorithm>

namespace agentlocator {

HeartbeatRound judge_heartbeats(TimePoint now, TimePoint planned, std::span<const HeartbeatSample> samples,
                                const HeartbeatLimits& limits) {
    HeartbeatRound round;
    if (now - planned > limits.stall_max) {
        // A frozen machine or a stopped supervisor ages every heartbeat at once. Two beats are enough for the living.
        round.skipped = true;
        round.next = now + 2 * limits.beat;
        return round;
    }
    round.next = now + limits.hang_timeout;
    for (const HeartbeatSample& sample : samples) {
        // A heartbeat from the future was not written by a clock: the worker's memory is damaged.
        const bool nonsense = sample.last - now > limits.hang_timeout;
        if (nonsense || now - sample.last >= limits.hang_timeout) {
            round.hung.push_back(sample.seat);
        } else {
            round.next = std::min(round.next, sample.last + limits.hang_timeout);
        }
    }
    return round;
}

}  // namespace agentlocator
