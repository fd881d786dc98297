#include "worker/stream_handshake.hpp"

#include <algorithm>
#include <optional>
#include <utility>

#include "common/log_line.hpp"
#include "common/text.hpp"
#include "worker/digest.hpp"
#include "worker/http_reply.hpp"

namespace agentlocator {

namespace {

// RFC 6455 4.1: 16 random bytes in base64, that is 22 characters and two of padding.
bool valid_key(std::string_view key) {
    const auto in_alphabet = [](char c) {
        const char lower = to_lower(c);
        return (lower >= 'a' && lower <= 'z') || (c >= '0' && c <= '9') || c == '+' || c == '/';
    };
    return key.size() == 24 && key.ends_with("==") && std::all_of(key.begin(), key.end() - 2, in_alphabet);
}

std::optional<std::string_view> single_header(const HttpRequest& request, std::string_view name) {
    std::optional<std::string_view> found;
    for (const HttpHeader& header : request.headers) {
        if (equal_no_case(header.name, name)) {
            if (found) {
                return std::nullopt;
            }
            found = trim(header.value);
        }
    }
    return found;
}

struct Refusal {
    unsigned status;
    std::string_view fault;
    std::string_view remedy;
};

RouteResult refuse_stream(const HttpRequest& request, const Refusal& refusal) {
    HttpResponse answer = text_reply(refusal.status, refusal.fault);
    if (refusal.status == 405) {
        answer.headers.push_back({"Allow", "GET"});
    }
    if (refusal.status == 426) {  // RFC 6455 4.4, RFC 9110 15.5.22
        answer.headers.push_back({"Sec-WebSocket-Version", "13"});
        answer.headers.push_back({"Upgrade", "websocket"});
        answer.headers.push_back({"Connection", "Upgrade"});
    }
    // Whatever was meant to follow the upgrade is no HTTP.
    answer.close = true;
    return refuse(std::move(answer), log_line("stream_refused", {{"path", log_path(request.target)},
                                                                 {"status", refusal.status},
                                                                 {"reason", refusal.fault},
                                                                 {"remedy", refusal.remedy}}));
}

constexpr std::string_view proxy_remedy =
    "a proxy in front must pass HTTP/1.1 with the headers Upgrade and Connection (Twilio reports 31920)";

std::optional<Refusal> fault_of(const HttpRequest& request, const WebContext& context) {
    if (request.method != "GET") {
        return Refusal{405, "this path takes GET with a WebSocket upgrade only",
                       "point the <Stream> url here, no webhook"};
    }
    if (!header_holds(request, "Upgrade", "websocket")) {
        return Refusal{400, "this path takes WebSocket upgrades only", proxy_remedy};
    }
    if (!request.http_1_1) {
        return Refusal{400, "a WebSocket upgrade needs HTTP/1.1", proxy_remedy};
    }
    if (!header_holds(request, "Connection", "upgrade")) {
        return Refusal{400, "a WebSocket upgrade needs Connection: Upgrade", proxy_remedy};
    }
    if (single_header(request, "Sec-WebSocket-Version") != "13") {
        return Refusal{426, "only WebSocket version 13 is spoken here", "use a client of RFC 6455"};
    }
    if (const auto key = single_header(request, "Sec-WebSocket-Key"); !key || !valid_key(*key)) {
        return Refusal{400, "Sec-WebSocket-Key is not 16 bytes in base64", "use a client of RFC 6455"};
    }
    if (!request.body.empty()) {
        return Refusal{400, "a WebSocket upgrade has no body", "use a client of RFC 6455"};
    }
    if (context.call_capacity > 0 && context.live_calls >= context.call_capacity) {
        return Refusal{503, "every line is taken", "run a second host behind a balancer, or end idle calls"};
    }
    return std::nullopt;
}

}  // namespace

std::string websocket_accept(std::string_view key) {
    return to_base64(sha1(std::string(key) + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"));
}

bool header_holds(const HttpRequest& request, std::string_view name, std::string_view token) {
    for (const HttpHeader& header : request.headers) {
        if (!equal_no_case(header.name, name)) {
            continue;
        }
        for (const std::string_view part : split(header.value, ',')) {
            if (equal_no_case(trim(part), token)) {
                return true;
            }
        }
    }
    return false;
}

RouteResult stream_handshake(const HttpRequest& request, const WebContext& context) {
    if (const auto refusal = fault_of(request, context)) {
        return refuse_stream(request, *refusal);
    }
    AcceptStream accept;
    accept.subprotocol = header_holds(request, "Sec-WebSocket-Protocol", stream_subprotocol);
    accept.response =
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: " +
        websocket_accept(*single_header(request, "Sec-WebSocket-Key")) + "\r\n";
    if (accept.subprotocol) {
        // RFC 6455 4.1: a client must fail the connection when one is named that it did not offer.
        accept.response.append("Sec-WebSocket-Protocol: ").append(stream_subprotocol).append("\r\n");
    }
    accept.response += "\r\n";
    return {.answer = std::move(accept)};
}

}  // namespace agentlocator
