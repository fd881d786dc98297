#pragma once
// WAV files in (any rate, PCM 8 to 32 bit, float, mu-law, any number of channels, mixed to one) and out (8 kHz, mono;
// 16 bit, or mu-law as on the telephone line). Pure: bytes to samples, no files.
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/result.hpp"

namespace agentlocator {

inline constexpr std::uint32_t telephone_rate = 8000;
inline constexpr std::uint32_t wav_rate_min = 1000;     // Below is no voice; resamplers take ratios up to 256.
inline constexpr std::uint32_t wav_rate_max = 768'000;  // The highest rate that studio converters use.

struct Sound {
    std::uint32_t rate = telephone_rate;
    std::vector<float> samples;  // Mono, -1..1.
};

[[nodiscard]] Result<Sound> read_wav(std::string_view file);
[[nodiscard]] std::string write_wav(std::span<const std::int16_t> samples);        // At telephone_rate.
[[nodiscard]] std::string write_mulaw_wav(std::span<const std::uint8_t> samples);  // At telephone_rate.

}  // namespace agentlocator
