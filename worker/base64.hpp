#pragma once
// Base64 (RFC 4648 section 4) for media payloads: standard alphabet, padding required, no line breaks. Allocates
// nothing.
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace agentlocator {

[[nodiscard]] constexpr std::size_t base64_size(std::size_t bytes) {
    return (bytes + 2) / 3 * 4;
}
[[nodiscard]] constexpr std::size_t base64_decoded_max(std::size_t characters) {
    return characters / 4 * 3;
}

// Writes base64_size(bytes.size()) characters to `out`.
void base64_encode(std::span<const std::uint8_t> bytes, char* out);

// Writes at most base64_decoded_max(text.size()) bytes to `out`; returns how many, or nothing for any character or
// padding that the RFC does not allow.
[[nodiscard]] std::optional<std::size_t> base64_decode(std::string_view text, std::uint8_t* out);

}  // namespace agentlocator
