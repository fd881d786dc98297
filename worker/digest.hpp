#pragma once
// Hashes, keyed hashes and their text forms, from OpenSSL. Raw bytes are carried in std::string.
#include <string>
#include <string_view>

namespace agentlocator {

[[nodiscard]] std::string sha1(std::string_view bytes);  // RFC 6455 asks for it; nothing of ours relies on it.
[[nodiscard]] std::string sha256(std::string_view bytes);
[[nodiscard]] std::string hmac_sha1(std::string_view key, std::string_view message);  // Twilio's choice.
[[nodiscard]] std::string hmac_sha256(std::string_view key, std::string_view message);

[[nodiscard]] std::string to_base64(std::string_view bytes);     // RFC 4648 section 4, padded.
[[nodiscard]] std::string to_base64url(std::string_view bytes);  // Section 5, without padding: fit for URLs and XML.

}  // namespace agentlocator
