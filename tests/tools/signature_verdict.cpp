// The worker's own signature code behind standard input and output, one JSON object a line, for tests that compare it
// with Twilio's library: {"token","base","method","target","content_type","body","signature","kind"} in,
// {"accepted": bool, "signature": "what we would have signed"} out.
#include <iostream>
#include <nlohmann/json.hpp>
#include <string>

#include "worker/twilio_signature.hpp"

namespace {

using namespace agentlocator;
using Json = nlohmann::json;

Json judge(const Json& in) {
    const bool stream = in["kind"] == "stream";
    Settings settings;
    settings.public_base_url = in["base"];
    settings.twilio_auth_token = in["token"];
    HttpRequest request{.method = in["method"], .target = in["target"], .body = in["body"]};
    request.headers = {{"Host", "127.0.0.1:5000"}, {"X-Twilio-Signature", in["signature"]}};
    if (in["content_type"] != "") {
        request.headers.push_back({"Content-Type", in["content_type"]});
    }
    const auto form = parse_form(has_form_body(request) ? request.body : std::string());
    if (!form) {
        return {{"error", form.error().detail}};
    }
    const auto urls = stream ? signed_stream_url_candidates(request, settings, "203.0.113.1")
                             : signed_url_candidates(request, settings, "203.0.113.1");
    const auto verdict = check_signature(request, *form, urls, settings);
    const std::string base = in["base"];
    const std::string url = (stream ? "ws" + base.substr(4) : base) + request.target;
    return {{"accepted", verdict == SignatureVerdict::genuine},
            {"signature", twilio_signature(settings.twilio_auth_token, url, *form)}};
}

}  // namespace

int main() {
    std::string line;
    while (std::getline(std::cin, line)) {
        const Json in = Json::parse(line, nullptr, false);
        if (!in.is_object()) {
            return 65;
        }
        std::cout << judge(in).dump() << '\n';
    }
}
