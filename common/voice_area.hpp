#pragma once
// What a voice call keeps in its slot beside the small CallState: rings of audio, the detector's memory, the agent's
// notes. Plain data, no pointers; all zeros is the state of a new call. Rings are addressed by absolute positions that
// the CallState commits: bytes beyond them are free to write, so a process that dies half-way harms nothing.
// Each part is aligned to a page, and pages that a call never reaches are never allocated.
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

namespace agentlocator {

// Memory of the voice detector. The histories are the truth; each has one entry more than its window, so that the frame
// being worked on overwrites none that counts. The counts follow from them and are rebuilt when they are not exactly
// those of the committed frame.
inline constexpr std::size_t vad_bands = 8;
inline constexpr std::uint32_t vad_band_window = 300;   // 6 s.
inline constexpr std::uint32_t vad_level_window = 435;  // 8.7 s.
inline constexpr std::size_t vad_band_bins = 80;      // 1.25 dB each.
inline constexpr std::size_t vad_level_bins = 256;    // 0.5 dB each.
struct VadMemory {
    std::array<std::array<std::uint8_t, vad_bands>, vad_band_window + 1> band_history;
    std::array<std::uint8_t, vad_level_window + 1> level_history;
    std::array<std::array<std::uint16_t, vad_band_bins>, vad_bands> band_counts;
    std::array<std::uint16_t, vad_level_bins> level_counts;
    std::atomic<std::uint32_t> counts_of;  // Frames counted, plus one; 0: the counts are not to be trusted.
};

}  // namespace agentlocator
