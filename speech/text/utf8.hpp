#pragma once
// UTF-8 to code points and back. Pure. Malformed bytes become U+FFFD, one for each byte: a text to be spoken is never
// refused for a broken character in it.
#include <string>
#include <string_view>

namespace agentlocator::speech {

[[nodiscard]] std::u32string decode_utf8(std::string_view text);
[[nodiscard]] std::string encode_utf8(std::u32string_view text);

}  // namespace agentlocator::speech
