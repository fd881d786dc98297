#pragma once
// G.711 mu-law (ITU-T G.711), the one audio format of the telephone side: 8000 Hz, mono, one byte a sample.
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace agentlocator {

inline constexpr std::size_t samples_per_second = 8000;
inline constexpr std::size_t frame_samples = 160;    // 20 ms.
inline constexpr std::uint8_t mulaw_silence = 0xff;  // Not 0x00, which is full-scale negative: a loud click (F-25).

[[nodiscard]] constexpr std::int16_t mulaw_to_pcm(std::uint8_t code) {
    const int inverted = ~code & 0xff;
    const int magnitude = ((((inverted & 0x0f) << 3) + 132) << ((inverted >> 4) & 7)) - 132;
    return static_cast<std::int16_t>((inverted & 0x80) != 0 ? -magnitude : magnitude);
}

[[nodiscard]] constexpr std::uint8_t pcm_to_mulaw(std::int16_t sample) {
    constexpr int bias = 132;
    constexpr int clip = 32635;
    const int sign = sample < 0 ? 0x80 : 0;
    int magnitude = sample < 0 ? -static_cast<int>(sample) : sample;
    magnitude = (magnitude > clip ? clip : magnitude) + bias;
    int exponent = 7;
    for (int bit = 0x4000; exponent > 0 && (magnitude & bit) == 0; bit >>= 1) {
        --exponent;
    }
    return static_cast<std::uint8_t>(~(sign | exponent << 4 | ((magnitude >> (exponent + 3)) & 0x0f)));
}

// Square of each code's sample: energy needs no PCM at all.
inline constexpr std::array<std::uint32_t, 256> mulaw_square = [] {
    std::array<std::uint32_t, 256> table{};
    for (std::size_t code = 0; code < table.size(); ++code) {
        const int sample = mulaw_to_pcm(static_cast<std::uint8_t>(code));
        table[code] = static_cast<std::uint32_t>(sample * sample);
    }
    return table;
}();

// Mean square of the samples, in PCM16 units squared; 0 for none.
[[nodiscard]] inline std::uint32_t mulaw_mean_square(std::span<const std::uint8_t> audio) {
    std::uint64_t sum = 0;
    for (const std::uint8_t code : audio) {
        sum += mulaw_square[code];
    }
    return audio.empty() ? 0 : static_cast<std::uint32_t>(sum / audio.size());
}

}  // namespace agentlocator
