#pragma once
// The way between a recording's rate and the telephone's. Pure.
#include <cstdint>
#include <span>
#include <vector>

#include "common/wav.hpp"

namespace agentlocator::call {

// To the telephone's rate, by libsamplerate's best band-limited sinc: nothing above 4 kHz folds into the voice band.
[[nodiscard]] Result<std::vector<float>> to_telephone_rate(const Sound& sound);

[[nodiscard]] std::vector<std::uint8_t> to_mulaw(std::span<const float> samples);

}  // namespace agentlocator::call
