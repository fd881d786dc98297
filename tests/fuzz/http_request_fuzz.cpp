// Bytes of an HTTP connection, through the parser and the router. The outcome may not depend on how the bytes were cut;
// the promises of the routes hold for every request; every answer can be read back.
#include <algorithm>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "common/http_codec.hpp"
#include "tests/fuzz/check.hpp"
#include "worker/router.hpp"
#include "worker/twiml.hpp"

namespace {

using namespace agentlocator;

constexpr HttpLimits limits{.header_bytes_max = 2048, .body_bytes_max = 2048};

struct Session {
    std::vector<HttpRequest> requests;
    std::size_t used = 0;
    HttpParse state = HttpParse::need_more;
};

Session read_session(std::string_view bytes, std::size_t step) {
    HttpRequestParser parser(limits);
    Session session;
    while (session.used < bytes.size() && session.state != HttpParse::failed) {
        const auto piece = bytes.substr(session.used, step);
        std::size_t consumed = 0;
        session.state = parser.feed(piece, consumed);
        MUST(consumed <= piece.size());
        if (session.state == HttpParse::need_more) {
            MUST(consumed == piece.size());
        }
        session.used += consumed;
        if (session.state == HttpParse::complete) {
            MUST(consumed > 0);
            session.requests.push_back(parser.take());
            MUST(session.requests.back().body.size() <= limits.body_bytes_max);
            MUST(parser.idle());
        }
    }
    if (session.state == HttpParse::failed) {
        const unsigned status = parser.error_status();
        MUST(status == 400 || status == 413 || status == 431 || status == 505);
    }
    return session;
}

bool same(const HttpRequest& a, const HttpRequest& b) {
    const auto equal = [](const HttpHeader& x, const HttpHeader& y) { return x.name == y.name && x.value == y.value; };
    return a.method == b.method && a.target == b.target && a.body == b.body && a.keep_alive == b.keep_alive &&
           std::equal(a.headers.begin(), a.headers.end(), b.headers.begin(), b.headers.end(), equal);
}

void check_answer(const HttpResponse& response, const HttpRequest& request) {
    MUST(response.status / 100 != 3);
    const std::string text = serialize(response, request);
    HttpResponseParser parser({}, request.method == "HEAD");
    std::size_t consumed = 0;
    MUST(parser.feed(text, consumed) == HttpParse::complete);
    MUST(consumed == text.size());
    const HttpResponse read = parser.take();
    MUST(read.status == response.status);
    MUST(request.method == "HEAD" || read.body == response.body);
}

RouteResult check_route(const HttpRequest& request, const Settings& settings) {
    static const BuildInfo build{.version = "1", .build = "b", .commit = "c", .build_time = "t", .deploy_id = "d"};
    const WebContext context{.settings = settings,
                             .build = build,
                             .instance = "instance",
                             .worker = "1",
                             .remote_address = "10.0.0.1",
                             .mode = WsMode::ai,
                             .live_calls = 0,
                             .call_capacity = 2,
                             .now = 1'790'000'000,
                             .started_at = 1'789'000'000,
                             .problems = {},
                             .metrics = [] { return std::vector<WorkerMetrics>{{.worker = "1"}}; }};
    const RouteResult result = route(request, context);
    MUST(!result.refused || !result.log.empty());
    for (const std::string& line : result.log) {
        MUST(line.find_first_of(std::string_view("\r\n\0", 3)) == std::string::npos);
        MUST(line.size() < 8192);
    }
    if (const auto* accept = std::get_if<AcceptStream>(&result.answer)) {
        MUST(accept->response.starts_with("HTTP/1.1 101 ") && accept->response.ends_with("\r\n\r\n"));
        MUST(request.method == "GET");
        return result;
    }
    const auto& response = std::get<HttpResponse>(result.answer);
    check_answer(response, request);
    const std::string path = normal_path(request.target, {});
    if (request.method == "GET" || request.method == "POST") {
        MUST(path != "/webhook/stream_status" || response.status == 204);
        MUST(path != "/webhook/stream_ended" || (response.status == 200 && response.body == empty_document()));
    }
    // Nobody without our token is answered with a call.
    MUST(settings.twilio_auth_token.empty() || response.body.find("name=\"token\"") == std::string::npos);
    return result;
}

// Without a valid signature nothing that leaves us may depend on the auth token: no answer and no line can give it
// away.
void check_secrecy(const RouteResult& one, const RouteResult& other) {
    MUST(one.log == other.log);
    MUST(one.answer.index() == other.answer.index());
    if (const auto* response = std::get_if<HttpResponse>(&one.answer)) {
        MUST(serialize(*response, {}) == serialize(std::get<HttpResponse>(other.answer), {}));
    }
}

Settings settings_with(std::string token, std::string base) {
    Settings settings;
    settings.twilio_auth_token = std::move(token);
    settings.public_base_url = std::move(base);
    settings.trusted_proxies = {"private"};
    return settings;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size < 1) {
        return 0;
    }
    static const Settings open = settings_with("", "");
    static const Settings closed = settings_with("one token", "https://voice.example.com/app");
    static const Settings locked = settings_with("another token", "https://voice.example.com/app");
    const std::string_view bytes = text_of(data + 1, size - 1);
    const Session whole = read_session(bytes, std::max<std::size_t>(bytes.size(), 1));
    const Session pieces = read_session(bytes, data[0] % 32 + 1U);
    MUST(whole.requests.size() == pieces.requests.size());
    for (std::size_t i = 0; i < whole.requests.size(); ++i) {
        MUST(same(whole.requests[i], pieces.requests[i]));
        (void)check_route(whole.requests[i], open);
        check_secrecy(check_route(whole.requests[i], closed), check_route(whole.requests[i], locked));
    }
    return 0;
}
