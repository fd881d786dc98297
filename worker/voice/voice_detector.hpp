#pragma once
// Is there a voice in this 20 ms frame? Adaptive: it follows the background of the line, over the whole band and in
// eight parts of it, and asks how far the frame stands out. Pure; no allocation; state is plain data in the call's
// slot.
#include <cstddef>
#include <cstdint>
#include <span>

#include "common/call_state.hpp"
#include "common/mulaw.hpp"
#include "common/voice_area.hpp"
#include "worker/voice/spectrum.hpp"

namespace agentlocator {

// The window reaches so far back before the frame.
inline constexpr std::size_t vad_overlap = spectrum_samples - frame_samples;

struct VadFrame {
    bool voice = false;
    float level = 0;      // dBFS of 150-3400 Hz.
    float threshold = 0;  // What it had to exceed, without the bonus for being in speech already.
};

// `window`: 96 samples before the frame and its 160. `level_min`: no voice on any line is fainter, dBFS.
// Frames must come in order; a frame whose step was not committed may be given again.
[[nodiscard]] VadFrame detect_voice(VadState& state, VadMemory& memory,
                                    std::span<const std::uint8_t, spectrum_samples> window, float level_min);

}  // namespace agentlocator
