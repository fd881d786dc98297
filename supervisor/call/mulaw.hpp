#pragma once
// G.711 mu-law. Pure. Decoded samples are 16-bit linear.
#include <cstdint>

namespace agentlocator::call {

[[nodiscard]] std::int16_t decode_mulaw(std::uint8_t code);
[[nodiscard]] std::uint8_t encode_mulaw(std::int16_t sample);

}  // namespace agentlocator::call
