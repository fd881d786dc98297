#include "store/clean_text.hpp"

namespace agentlocator {
namespace {

constexpr std::string_view replacement = "\xEF\xBF\xBD";

unsigned byte_at(std::string_view text, std::size_t i) {
    return i < text.size() ? static_cast<unsigned char>(text[i]) : 0U;
}

bool continues(std::string_view text, std::size_t i) {
    return (byte_at(text, i) & 0xC0U) == 0x80U;
}

// Length of the well-formed character at `i`, 0 when there is none (RFC 3629 section 4).
std::size_t character_bytes(std::string_view text, std::size_t i) {
    const unsigned first = byte_at(text, i);
    const unsigned second = byte_at(text, i + 1);
    if (first < 0x80) {
        return first == 0 ? 0 : 1;
    }
    if (first >= 0xC2 && first <= 0xDF) {
        return continues(text, i + 1) ? 2 : 0;
    }
    if (first >= 0xE0 && first <= 0xEF) {
        const bool second_ok =
            continues(text, i + 1) && (first != 0xE0 || second >= 0xA0) && (first != 0xED || second <= 0x9F);
        return second_ok && continues(text, i + 2) ? 3 : 0;
    }
    if (first >= 0xF0 && first <= 0xF4) {
        const bool second_ok =
            continues(text, i + 1) && (first != 0xF0 || second >= 0x90) && (first != 0xF4 || second <= 0x8F);
        return second_ok && continues(text, i + 2) && continues(text, i + 3) ? 4 : 0;
    }
    return 0;
}

}  // namespace

std::string clean_text(std::string_view text, std::size_t bytes_max) {
    std::string clean;
    clean.reserve(text.size() < bytes_max ? text.size() : bytes_max);
    for (std::size_t i = 0; i < text.size();) {
        const std::size_t size = character_bytes(text, i);
        const std::string_view piece = size == 0 ? replacement : text.substr(i, size);
        if (clean.size() + piece.size() > bytes_max) {
            break;
        }
        clean.append(piece);
        i += size == 0 ? 1 : size;
    }
    return clean;
}

}  // namespace agentlocator
