#include "worker/base64.hpp"

#include <array>
#include <cstring>

namespace agentlocator {
namespace {

constexpr char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

// One table for each of the four characters of a group, with the value already shifted to its place; a character
// outside the alphabet has the top bit, so one test covers the group.
constexpr std::uint32_t invalid = 0x8000'0000U;
using Table = std::array<std::uint32_t, 256>;
constexpr Table make_table(unsigned shift) {
    Table table{};
    table.fill(invalid);
    for (std::uint32_t value = 0; value < 64; ++value) {
        table[static_cast<unsigned char>(alphabet[value])] = value << shift;
    }
    return table;
}
constexpr Table first = make_table(18);
constexpr Table second = make_table(12);
constexpr Table third = make_table(6);
constexpr Table fourth = make_table(0);

// Two characters at once: 4096 pairs.
constexpr std::array<std::array<char, 2>, 4096> pairs = [] {
    std::array<std::array<char, 2>, 4096> table{};
    for (std::size_t value = 0; value < table.size(); ++value) {
        table[value] = {alphabet[value >> 6], alphabet[value & 63]};
    }
    return table;
}();

[[nodiscard]] std::uint32_t group(const unsigned char* in) {
    return first[in[0]] | second[in[1]] | third[in[2]] | fourth[in[3]];
}

void put(std::uint32_t value, std::size_t count, std::uint8_t* out) {
    for (std::size_t i = 0; i < count; ++i) {
        out[i] = static_cast<std::uint8_t>(value >> (16 - 8 * i));
    }
}

}  // namespace

void base64_encode(std::span<const std::uint8_t> bytes, char* out) {
    std::size_t i = 0;
    for (; i + 3 <= bytes.size(); i += 3) {
        const std::uint32_t value =
            static_cast<std::uint32_t>(bytes[i]) << 16 | static_cast<std::uint32_t>(bytes[i + 1]) << 8 | bytes[i + 2];
        std::memcpy(out, pairs[value >> 12].data(), 2);
        std::memcpy(out + 2, pairs[value & 4095].data(), 2);
        out += 4;
    }
    const std::size_t rest = bytes.size() - i;
    if (rest == 0) {
        return;
    }
    const std::uint32_t value =
        static_cast<std::uint32_t>(bytes[i]) << 16 | (rest == 2 ? static_cast<std::uint32_t>(bytes[i + 1]) << 8 : 0U);
    out[0] = alphabet[value >> 18];
    out[1] = alphabet[value >> 12 & 63];
    out[2] = rest == 2 ? alphabet[value >> 6 & 63] : '=';
    out[3] = '=';
}

std::optional<std::size_t> base64_decode(std::string_view text, std::uint8_t* out) {
    if (text.size() % 4 != 0) {
        return std::nullopt;
    }
    if (text.empty()) {
        return 0;
    }
    const auto* in = reinterpret_cast<const unsigned char*>(text.data());
    const std::size_t padding = text.back() != '=' ? 0 : text[text.size() - 2] != '=' ? 1 : 2;
    const std::size_t whole = text.size() - (padding != 0 ? 4 : 0);
    std::uint32_t bad = 0;
    std::uint8_t* to = out;
    for (std::size_t i = 0; i < whole; i += 4, to += 3) {
        const std::uint32_t value = group(in + i);
        bad |= value;
        put(value, 3, to);
    }
    if (padding != 0) {
        const unsigned char last[4] = {in[whole], in[whole + 1],
                                       padding == 1 ? in[whole + 2] : static_cast<unsigned char>('A'), 'A'};
        const std::uint32_t value = group(last);
        // Bits beyond the last byte must be zero (RFC 4648 3.5): one text for one value.
        bad |= value | ((value & (padding == 1 ? 0xffU : 0xffffU)) != 0 ? invalid : 0U);
        put(value, 3 - padding, to);
        to += 3 - padding;
    }
    if ((bad & invalid) != 0) {
        return std::nullopt;
    }
    return static_cast<std::size_t>(to - out);
}

}  // namespace agentlocator
