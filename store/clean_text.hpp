#pragma once
// Text that every database takes: valid UTF-8 without NUL. Pure.
#include <cstddef>
#include <string>
#include <string_view>

namespace agentlocator {

// Bytes that are not UTF-8 (RFC 3629: overlong forms, surrogates and values above U+10FFFF included) and NUL become
// U+FFFD, one a byte. At most `bytes_max` bytes, cut between characters.
[[nodiscard]] std::string clean_text(std::string_view text, std::size_t bytes_max);

}  // namespace agentlocator
