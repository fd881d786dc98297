#pragma once
// ECHO mode: proves both directions of the line with the caller's own audio. Nothing of AI mode reaches this code (P2).
//
// `clear` once before the first frame, then each payload unchanged, and mark f<frames> after every 50th frame.
#include <cstdint>
#include <functional>
#include <string>

#include "common/call_state.hpp"

namespace agentlocator {

inline constexpr std::uint64_t echo_mark_every = 50;  // Frames: one second.

struct EchoStep {
    bool clear = false;
    std::string mark;  // Empty: none.
};

// What goes with the echo of the frame that makes `tx` frames in all.
[[nodiscard]] inline EchoStep echo_step(std::uint64_t tx) {
    return {tx == 1, tx % echo_mark_every == 0 ? "f" + std::to_string(tx) : std::string()};
}

}  // namespace agentlocator
