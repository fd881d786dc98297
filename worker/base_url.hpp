#pragma once
// Where Twilio reaches us: the front of every URL that we hand out or that a signature was made for. Pure.
//
//   1. PUBLIC_BASE_URL, when set.
//   2. Else X-Forwarded-Proto and X-Forwarded-Host (their first element), when the TCP peer is a trusted proxy.
//   3. Else Host.
//
// Whom to trust: TRUSTED_PROXIES lists numeric addresses; its default, the word `private`, means peers in loopback,
// private and link-local ranges. Hosting platforms (Replit, Cloud Run, a compose network) put their proxy exactly
// there, on an address nobody knows beforehand, and must work without configuration; a stranger on the internet never
// has such an address, so a server that is reachable directly does not believe him. What a forger inside the private
// network gains is little: the host shapes only the answer to his own request, answers are never cached, and with an
// auth token set he gets none, because no signature fits.
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/config.hpp"
#include "common/http_message.hpp"
#include "common/result.hpp"

namespace agentlocator {

inline constexpr std::size_t host_bytes_max = 255;  // RFC 1035 2.3.4.

struct BaseUrl {
    bool secure = true;
    // False: nobody said whether the caller came by TLS, `secure` is our guess (see base_from_request).
    bool scheme_known = true;
    std::string host;    // As spelled: name, IPv4 or [IPv6].
    std::string port;    // Digits; empty when not named.
    std::string prefix;  // Path below which we are mounted, "/app"; empty or with leading and without trailing slash.

    // "https://voice.example.com/app", "wss://voice.example.com/app": lower-case host, default port left out, no slash
    // at the end. Append paths that begin with a slash. The stream is wss whatever the scheme: Twilio takes no other.
    [[nodiscard]] std::string http() const;
    [[nodiscard]] std::string websocket() const;

    bool operator==(const BaseUrl&) const = default;
};

// An absolute http(s) URL without query, fragment and credentials. Slashes at its end are dropped, repeated ones
// joined.
[[nodiscard]] std::optional<BaseUrl> parse_base_url(std::string_view url);

// "host", "host:port", "[v6]:port" with valid characters only; what a peer sent goes into XML and logs.
[[nodiscard]] bool valid_authority(std::string_view authority);

[[nodiscard]] bool trusted_proxy(const std::vector<std::string>& trusted, std::string_view remote_address);

// Steps 2 and 3. Nothing when no valid host is named.
// Without a word about TLS the scheme is a guess: plain for an IP address, localhost or a named port (a test, or a
// client inside the same network), TLS for a public name (Twilio opens streams by wss only, so nothing else could work;
// the proxy just did not say).
[[nodiscard]] std::optional<BaseUrl> base_from_request(const HttpRequest& request, const Settings& settings,
                                                       std::string_view remote_address);

// The one to build URLs with. Error: what to set.
[[nodiscard]] Result<BaseUrl> public_base(const HttpRequest& request, const Settings& settings,
                                          std::string_view remote_address);

}  // namespace agentlocator
