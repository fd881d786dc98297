#include "supervisor/call/mulaw.hpp"

#include <array>
#include <bit>

namespace agentlocator::call {
namespace {

constexpr int bias = 0x84;   // ITU-T G.711: added before the segment is found.
constexpr int clip = 32635;  // Largest magnitude that still fits after the bias.

constexpr std::int16_t decode(std::uint8_t code) {
    const unsigned bits = ~static_cast<unsigned>(code) & 0xFFU;
    const int magnitude = ((static_cast<int>(bits & 0x0FU) << 3) + bias) << (bits >> 4 & 7U);
    return static_cast<std::int16_t>((bits & 0x80U) != 0 ? bias - magnitude : magnitude - bias);
}

constexpr auto make_table() {
    std::array<std::int16_t, 256> table{};
    for (unsigned code = 0; code < table.size(); ++code) {
        table[code] = decode(static_cast<std::uint8_t>(code));
    }
    return table;
}
constexpr auto decoded = make_table();

}  // namespace

std::int16_t decode_mulaw(std::uint8_t code) {
    return decoded[code];
}

std::uint8_t encode_mulaw(std::int16_t sample) {
    const unsigned sign = sample < 0 ? 0x80U : 0U;
    const int loud = sample < 0 ? -static_cast<int>(sample) : sample;
    const auto magnitude = static_cast<unsigned>((loud > clip ? clip : loud) + bias);
    const auto segment = static_cast<unsigned>(std::bit_width(magnitude)) - 8U;  // 0..7: the bias guarantees bit 7.
    const unsigned mantissa = magnitude >> (segment + 3U) & 0x0FU;
    return static_cast<std::uint8_t>(~(sign | segment << 4 | mantissa) & 0xFFU);
}

}  // namespace agentlocator::call
