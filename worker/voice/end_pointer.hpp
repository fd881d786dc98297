#pragma once
// Where does an utterance begin and end? From voice frames, by counting. Pure.
//
//   quiet --N of the last M frames have voice--> open --`hangover` frames without voice--> quiet
//
// Silence is counted in frames without voice, never in frames that did not arrive (F-21).
#include <algorithm>
#include <bit>
#include <cstdint>

#include "common/call_state.hpp"

namespace agentlocator {

struct EndPointing {
    unsigned start_frames = 3;
    unsigned start_window = 5;  // At most 64.
    unsigned hangover_frames = 25;
};

// Takes in one frame.
inline void hear(EarState& ear, bool voice, const EndPointing& rules) {
    ear.recent = ear.recent << 1U | (voice ? 1U : 0U);
    if (!ear.open) {
        const std::uint64_t window = ear.recent & (~std::uint64_t{0} >> (64 - rules.start_window));
        const int count = std::popcount(window);
        if (count < static_cast<int>(rules.start_frames)) {
            return;
        }
        ear.open = true;
        ear.voiced = static_cast<std::uint16_t>(count);
        ear.silence = 0;
        return;
    }
    if (voice) {
        ear.voiced = static_cast<std::uint16_t>(std::min(ear.voiced + 1, 0xffff));
        ear.silence = 0;
    } else if (++ear.silence >= rules.hangover_frames) {
        ear.open = false;
        ear.recent = 0;
    }
}

}  // namespace agentlocator
