#include "worker/providers/twilio_rest.hpp"

#include "worker/digest.hpp"
#include "worker/providers/json_text.hpp"

namespace agentlocator {
namespace {

HttpCall update(const TwilioAccount& account, std::string_view call_sid, std::string body) {
    HttpCall call;
    call.url = account.base_url + "/2010-04-01/Accounts/" + url_encode(account.account_sid) + "/Calls/" +
               url_encode(call_sid) + ".json";
    call.headers = {{"Authorization", "Basic " + to_base64(account.account_sid + ":" + account.auth_token)},
                    {"Content-Type", "application/x-www-form-urlencoded"}};
    call.body = std::move(body);
    return call;
}

}  // namespace

HttpCall twilio_hang_up(const TwilioAccount& account, std::string_view call_sid) {
    return update(account, call_sid, "Status=completed");
}

HttpCall twilio_redirect(const TwilioAccount& account, std::string_view call_sid, std::string_view twiml) {
    return update(account, call_sid, "Twiml=" + url_encode(twiml));
}

const ProviderPlace& twilio_place() {
    static const ProviderPlace place{"twilio", "call", "TWILIO_AUTH_TOKEN", "", "TWILIO_API_BASE_URL"};
    return place;
}

std::optional<ProviderError> twilio_problem(const HttpHead& head, std::string_view body) {
    if (head.status / 100 == 2) {
        return std::nullopt;
    }
    const std::string code = text_or_number_at(parse_json(body), "code");
    if (code == "21220" || code == "20404") {  // Not in progress any more; deleted or unknown.
        return std::nullopt;
    }
    return http_error(twilio_place(), head, body);
}

}  // namespace agentlocator
