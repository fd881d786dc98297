#include "supervisor/call/base64.hpp"

#include <array>
#include <cstdint>

namespace agentlocator::call {
namespace {

constexpr std::string_view alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr std::uint8_t invalid = 0xFF;

constexpr std::array<std::uint8_t, 256> make_values() {
    std::array<std::uint8_t, 256> values{};
    for (auto& value : values) {
        value = invalid;
    }
    for (std::size_t i = 0; i < alphabet.size(); ++i) {
        values[static_cast<std::uint8_t>(alphabet[i])] = static_cast<std::uint8_t>(i);
    }
    return values;
}
constexpr auto values = make_values();

std::uint32_t byte_at(std::string_view bytes, std::size_t i) {
    return i < bytes.size() ? static_cast<std::uint8_t>(bytes[i]) : 0U;
}

}  // namespace

void append_base64(std::string& out, std::string_view bytes) {
    for (std::size_t i = 0; i < bytes.size(); i += 3) {
        const std::uint32_t group = byte_at(bytes, i) << 16 | byte_at(bytes, i + 1) << 8 | byte_at(bytes, i + 2);
        out += alphabet[group >> 18];
        out += alphabet[group >> 12 & 63];
        out += i + 1 < bytes.size() ? alphabet[group >> 6 & 63] : '=';
        out += i + 2 < bytes.size() ? alphabet[group & 63] : '=';
    }
}

std::string base64(std::string_view bytes) {
    std::string out;
    append_base64(out, bytes);
    return out;
}

bool decode_base64(std::string_view text, std::string& out) {
    out.clear();
    if (text.size() % 4 != 0) {
        return false;
    }
    const std::size_t padding = text.ends_with("==") ? 2 : text.ends_with('=') ? 1 : 0;
    out.reserve(text.size() / 4 * 3);
    for (std::size_t i = 0; i < text.size(); i += 4) {
        const std::size_t pad = i + 4 == text.size() ? padding : 0;
        std::uint32_t group = 0;
        std::uint8_t seen = 0;
        for (std::size_t k = 0; k < 4 - pad; ++k) {
            const std::uint8_t value = values[static_cast<std::uint8_t>(text[i + k])];
            seen |= value;
            group |= static_cast<std::uint32_t>(value) << (18 - 6 * k);
        }
        if ((seen & 0xC0U) != 0) {
            return false;
        }
        if (pad != 0 && (group & (pad == 1 ? 0xFFU : 0xFFFFU)) != 0) {
            return false;  // Bits that no encoder leaves set.
        }
        for (std::size_t k = 0; k < 3 - pad; ++k) {
            out += static_cast<char>(group >> (16 - 8 * k) & 0xFF);
        }
    }
    return true;
}

}  // namespace agentlocator::call
