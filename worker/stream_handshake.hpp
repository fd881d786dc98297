#pragma once
// The WebSocket upgrade of the media path: RFC 6455 4.2, sans-I/O. Pure.
//
// Who may upgrade: anybody with a sound request. X-Twilio-Signature is not judged here. Its URL is the hardest of all
// to rebuild (scheme, port and slash vary by Twilio's own account, and proxies rewrite upgrades more than requests), so
// a check would lose calls; and it would gain nothing over the token that `start` must present, which alone names the
// call and expires. A stream without a token holds one slot until the deadline for `start`. There is no Origin check:
// Twilio sends none, and a browser page cannot know a token either.
#include <string>
#include <string_view>

#include "common/http_message.hpp"
#include "worker/web_context.hpp"

namespace agentlocator {

inline constexpr std::string_view stream_subprotocol = "audio.twilio.com";

// base64(SHA1(key + the GUID of RFC 6455 1.3))
[[nodiscard]] std::string websocket_accept(std::string_view key);

// True when a list header (all of that name together) holds the token, any case.
[[nodiscard]] bool header_holds(const HttpRequest& request, std::string_view name, std::string_view token);

// A request on the media path: the 101, or a refusal that names the fault: 400 no or bad upgrade, 405 other method, 426
// other WebSocket version, 503 no slot left.
[[nodiscard]] RouteResult stream_handshake(const HttpRequest& request, const WebContext& context);

}  // namespace agentlocator
