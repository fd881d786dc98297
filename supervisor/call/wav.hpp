#pragma once
// WAV files in (any rate, PCM 8 to 32 bit, float, mu-law, any number of channels, mixed to one) and out (16 bit, mono,
// 8 kHz), and the way between their rate and the telephone's. Pure: bytes to samples, no files.
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/result.hpp"

namespace agentlocator::call {

constexpr std::uint32_t telephone_rate = 8000;
constexpr std::uint32_t wav_rate_min = 1000;     // libsamplerate takes ratios up to 256; below 1 kHz is no voice.
constexpr std::uint32_t wav_rate_max = 768'000;  // The highest rate that studio converters use.

struct Sound {
    std::uint32_t rate = telephone_rate;
    std::vector<float> samples;  // Mono, -1..1.
};

[[nodiscard]] Result<Sound> read_wav(std::string_view file);
[[nodiscard]] std::string write_wav(std::span<const std::int16_t> samples);  // At telephone_rate.

// To the telephone's rate, by libsamplerate's best band-limited sinc: nothing above 4 kHz folds into the voice band.
[[nodiscard]] Result<std::vector<float>> to_telephone_rate(const Sound& sound);

[[nodiscard]] std::vector<std::uint8_t> to_mulaw(std::span<const float> samples);

}  // namespace agentlocator::call
