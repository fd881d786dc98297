#pragma once
// Is a worker hung? Pure: the heartbeats of all serving workers in, a verdict and the time of the next look out.
//
// The next look is the earliest moment at which any of them could be judged hung (oldest heartbeat + hang timeout).
// Healthy workers are at most one beat old, so an idle supervisor wakes about once per (timeout - beat), however many
// workers there are, and a hang is still noticed exactly at its timeout. No polling is left to do.
#include <span>
#include <vector>

#include "common/time.hpp"
#include "supervisor/seat_id.hpp"

namespace agentlocator {

struct HeartbeatLimits {
    Duration hang_timeout = 2s;
    Duration beat = 250ms;       // A healthy worker stores a heartbeat at least this often (contract with workers).
    Duration stall_max = 500ms;  // A look later than this: we were stalled ourselves, and the workers perhaps with us.
};

struct HeartbeatSample {
    SeatId seat{};
    TimePoint last;  // The later of its heartbeat and the moment it became ready.
};

struct HeartbeatRound {
    std::vector<SeatId> hung;
    TimePoint next;
    bool skipped = false;  // Nobody was judged, because our own clockwork was late.
};

// `planned`: when this look was due.
[[nodiscard]] HeartbeatRound judge_heartbeats(TimePoint now, TimePoint planned,
                                              std::span<const HeartbeatSample> samples, const HeartbeatLimits& limits);

}  // namespace agentlocator
