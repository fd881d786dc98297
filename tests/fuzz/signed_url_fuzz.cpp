// Base URL and signature candidates from what a peer may write: "target \n host \n forwarded host \n proto \n
// signature".
#include <set>
#include <string>
#include <vector>

#include "common/text.hpp"
#include "tests/fuzz/check.hpp"
#include "worker/base_url.hpp"
#include "worker/stream_token.hpp"
#include "worker/twilio_signature.hpp"

namespace {

using namespace agentlocator;

void check_base(const BaseUrl& base) {
    const std::string url = base.http();
    MUST(url.find("//") == url.rfind("//"));
    MUST(!url.ends_with('/'));
    MUST(url.find_first_of("\"<> \t\r\n?#") == std::string::npos);
    const auto again = parse_base_url(url);
    MUST(again && again->http() == url);
    MUST(base.websocket().starts_with("wss://"));
}

void check_candidates(const std::vector<std::string>& urls, std::size_t most, std::string_view scheme) {
    MUST(urls.size() <= most);
    MUST(std::set<std::string>(urls.begin(), urls.end()).size() == urls.size());
    for (const std::string& url : urls) {
        MUST(url.starts_with(scheme));
        MUST(port_forms(url).size() == 2);
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    auto parts = split(text_of(data, size), '\n');
    parts.resize(5);
    Settings settings;
    settings.twilio_auth_token = "token";
    settings.trusted_proxies = {"private"};
    HttpRequest request{.method = "GET", .target = std::string(parts[0])};
    request.headers = {{"Host", std::string(parts[1])},
                       {"X-Forwarded-Host", std::string(parts[2])},
                       {"X-Forwarded-Proto", std::string(parts[3])},
                       {"X-Twilio-Signature", std::string(parts[4])}};
    if (const auto base = base_from_request(request, settings, "10.0.0.1")) {
        check_base(*base);
    }
    if (const auto base = parse_base_url(parts[0])) {
        check_base(*base);
        settings.public_base_url = parts[0];
    }
    // Two bases, each spelled two ways under two schemes, with and without port; upgrades with three paths.
    const auto urls = signed_url_candidates(request, settings, "10.0.0.1");
    check_candidates(urls, 16, "http");
    check_candidates(signed_stream_url_candidates(request, settings, "10.0.0.1"), 48, "ws");
    MUST(check_signature(request, {}, urls, settings) != SignatureVerdict::genuine);
    const auto token = check_stream_token(settings, "instance", parts[4], parts[0], 1'790'000'000);
    MUST(token != TokenVerdict::ok && token != TokenVerdict::expired);
    return 0;
}
