#pragma once
// What a voice call keeps in its slot beside the small CallState: rings of audio, the detector's memory, the agent's
// notes. Plain data, no pointers; whatever the last call left there is harmless. Rings are addressed by absolute
// positions that the CallState commits: bytes beyond them are free to write, so a process that dies half-way harms
// nothing. Pages that a call never reaches are never allocated: a call that listens touches the first 8 KiB, what the
// caller and the agent say touches as much more as it is long.
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

namespace agentlocator {

// Memory of the voice detector. The histories are the truth; each has one entry more than its window, so that the frame
// being worked on overwrites none that counts. The counts follow from them and are rebuilt when they are not exactly
// those of the committed frame.
inline constexpr std::size_t vad_bands = 8;
inline constexpr std::uint32_t vad_band_window = 255;   // Frames, 5.1 s: the counts fit a byte.
inline constexpr std::uint32_t vad_level_window = 435;  // 8.7 s.
inline constexpr std::size_t vad_band_bins = 80;        // 1.25 dB each.
inline constexpr std::size_t vad_level_bins = 200;      // 0.5 dB each.
inline constexpr std::uint32_t vad_line_window = 4;  // 80 ms: no vowel of speech keeps its harmonics in place so long.
inline constexpr std::size_t vad_line_words = 3;     // 96 bins, one bit each.
struct VadMemory {
    std::array<std::array<std::uint8_t, vad_bands>, vad_band_window + 1> band_history;
    std::array<std::uint8_t, vad_level_window + 1> level_history;
    std::array<std::array<std::uint32_t, vad_line_words>, vad_line_window + 1> line_history;
    std::array<std::array<std::uint8_t, vad_band_bins>, vad_bands> band_counts;
    std::array<std::uint16_t, vad_level_bins> level_counts;
    std::atomic<std::uint32_t> counts_of;  // Frames counted, plus one; 0: the counts are not to be trusted.
};

// A sentence of the agent that is wholly in the speech ring; its first sample is where the one before it ends.
struct SpokenSentence {
    std::uint64_t end;  // Position behind its last sample.
    std::uint32_t turn;
    std::uint32_t number;
};

inline constexpr std::size_t recent_bytes = 4000;         // Caller audio for pre-roll and overlap: half a second.
inline constexpr std::size_t sentences_max = 36;          // Whole, and not yet heard.
inline constexpr std::size_t utterance_bytes = 524'288;   // 65 s of the caller. Power of two.
inline constexpr std::size_t speech_bytes = 524'288;      // 65 s of the agent, sent or not. Power of two.
inline constexpr std::size_t call_memory_bytes = 16'384;  // The agent's notes: agent_payload_max.

struct alignas(4096) VoiceArea {
    VadMemory vad;
    std::array<std::uint8_t, recent_bytes> recent;  // Position p of the caller lies at recent[p % recent_bytes].
    std::array<SpokenSentence, sentences_max> sentences;
    alignas(4096) std::array<std::uint8_t, utterance_bytes> utterances;
    std::array<std::uint8_t, speech_bytes> speech;
    std::array<std::array<char, call_memory_bytes>, 2> memory;
};
static_assert(offsetof(VoiceArea, utterances) == 8192);

}  // namespace agentlocator
