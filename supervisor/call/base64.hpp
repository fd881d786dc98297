#pragma once
// Base64 (RFC 4648 4), strict: padding required, no blanks, no stray bits. Pure. The worker has a lenient decoder of
// its own; this one is the judge of what the worker sends, so it shares nothing with it.
#include <optional>
#include <string>
#include <string_view>

namespace agentlocator::call {

void append_base64(std::string& out, std::string_view bytes);
[[nodiscard]] std::string base64(std::string_view bytes);
// Nothing when the text is not canonical base64. `out` is overwritten.
[[nodiscard]] bool decode_base64(std::string_view text, std::string& out);

}  // namespace agentlocator::call
