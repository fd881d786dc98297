#pragma once
// A worker's HTTP side with settings to play with; shared by the router's and the handshake's tests.
#include <string>
#include <utility>
#include <vector>

#include "worker/router.hpp"
#include "worker/twilio_signature.hpp"

namespace agentlocator {

struct WebFixture {
    Settings settings;
    BuildInfo build{.version = "0.1.0", .build = "b1", .commit = "c0ffee", .build_time = "", .deploy_id = ""};
    WebContext context{.settings = settings,
                       .build = build,
                       .instance = "0123456789abcdef0123456789abcdef",
                       .worker = "1",
                       .remote_address = "127.0.0.1",
                       .mode = WsMode::ai,
                       .live_calls = 0,
                       .call_capacity = 4096,
                       .now = 1'790'000'000,
                       .started_at = 1'789'000'000,
                       .problems = {},
                       .metrics = {}};

    WebFixture() {
        settings.trusted_proxies = {"private"};
        settings.public_base_url = "https://voice.example.com";
    }
    WebFixture(const WebFixture&) = delete;
    WebFixture& operator=(const WebFixture&) = delete;

    void sign_with(std::string token) { settings.twilio_auth_token = std::move(token); }

    static HttpRequest get(std::string target, std::vector<HttpHeader> headers = {}) {
        HttpRequest request{.method = "GET", .target = std::move(target), .headers = {{"Host", "inner:5000"}}};
        request.headers.insert(request.headers.end(), headers.begin(), headers.end());
        return request;
    }

    static HttpRequest post(std::string target, std::string body = {}) {
        HttpRequest request = get(std::move(target), {{"Content-Type", "application/x-www-form-urlencoded"}});
        request.method = "POST";
        request.body = std::move(body);
        return request;
    }

    // As Twilio would send it.
    [[nodiscard]] HttpRequest signed_post(const std::string& target, const std::string& body) const {
        HttpRequest request = post(target, body);
        const auto fields = parse_form(body);
        const std::string url = settings.public_base_url + target;
        request.headers.push_back(
            {"X-Twilio-Signature", twilio_signature(settings.twilio_auth_token, url, fields ? *fields : FormFields{})});
        return request;
    }

    static HttpRequest upgrade(std::vector<HttpHeader> more = {}, std::string target = "/ws/twilio-media") {
        HttpRequest request = get(std::move(target), {{"Connection", "Upgrade"},
                                                      {"Upgrade", "websocket"},
                                                      {"Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="},
                                                      {"Sec-WebSocket-Version", "13"}});
        request.headers.insert(request.headers.end(), more.begin(), more.end());
        return request;
    }
};

inline const HttpResponse& response_of(const RouteResult& result) {
    return std::get<HttpResponse>(result.answer);
}

inline unsigned status_of(const RouteResult& result) {
    return std::holds_alternative<AcceptStream>(result.answer) ? 101 : response_of(result).status;
}

inline bool contains(std::string_view text, std::string_view part) {
    return text.find(part) != std::string_view::npos;
}

}  // namespace agentlocator
