#pragma once
// Twilio's REST API for a live call: hang up, or go on with another TwiML document (Twilio docs: Call resource,
// update). Pure. A call that is over already is a success: nothing is left to be done.
#include <string>
#include <string_view>

#include "worker/providers/failure.hpp"
#include "worker/providers/http_call.hpp"

namespace agentlocator {

inline constexpr std::size_t twiml_bytes_max = 4000;  // Twilio's limit of the Twiml parameter, in characters.

struct TwilioAccount {
    std::string base_url;  // https://api.twilio.com
    std::string account_sid;
    std::string auth_token;
};

[[nodiscard]] HttpCall twilio_hang_up(const TwilioAccount& account, std::string_view call_sid);
// Tears down the call's stream: the last thing one does to it.
[[nodiscard]] HttpCall twilio_redirect(const TwilioAccount& account, std::string_view call_sid, std::string_view twiml);

// Nothing: it worked.
[[nodiscard]] std::optional<ProviderError> twilio_problem(const HttpHead& head, std::string_view body);
[[nodiscard]] const ProviderPlace& twilio_place();

}  // namespace agentlocator
