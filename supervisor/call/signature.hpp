#pragma once
// X-Twilio-Signature as Twilio makes it (Twilio docs: Security, Validating requests). Pure. Written apart from the
// worker's on purpose: this program is the independent oracle, a mistake shared by both sides would never show.
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace agentlocator::call {

using FormParameters = std::vector<std::pair<std::string, std::string>>;  // In the order they are posted.

// application/x-www-form-urlencoded.
[[nodiscard]] std::string form_encode(const FormParameters& parameters);

// base64(HMAC-SHA1(token, url + sorted unique name/value pairs)). `url` is signed as given, but without a fragment
// and without user:password@.
[[nodiscard]] std::string twilio_signature(std::string_view token, std::string_view url,
                                           const FormParameters& parameters);

}  // namespace agentlocator::call
