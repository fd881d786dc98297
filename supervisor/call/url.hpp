#pragma once
// The few URL operations TwiML needs: split, resolve, and send a public URL to the dialled address instead. Pure.
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace agentlocator::call {

struct Url {
    std::string scheme;     // Lower case.
    std::string authority;  // As written, without user:password@: "host", "host:8443", "[::1]:5000".
    std::string target;     // Path and query as written; "/" when there is none.

    [[nodiscard]] std::string text() const { return scheme + "://" + authority + target; }
    [[nodiscard]] std::string_view path() const;
    [[nodiscard]] bool has_query() const;
    friend bool operator==(const Url&, const Url&) = default;
};

// An absolute URL with a host. The fragment is dropped: it is never sent (Twilio docs: connection overrides).
[[nodiscard]] std::optional<Url> parse_url(std::string_view text);

// RFC 3986 5.2 for what TwiML uses: absolute URLs, "/path", "path", "" and "?query"; no dot segments.
[[nodiscard]] std::optional<Url> resolve_url(const Url& base, std::string_view reference);

// Where a URL from TwiML is really dialled. When the call was dialled in clear (http://), everything goes to that same
// address with the named path, as a tunnel in front of the server would carry it; the name stays in Host and in the
// signature. When it was dialled over TLS, the URL is used as it stands, as Twilio does.
struct Route {
    std::string dial;  // http(s)://host:port, what the connection is opened to.
    std::string host;  // For the Host header.
    std::string target;
    friend bool operator==(const Route&, const Route&) = default;
};
[[nodiscard]] Route route(const Url& dialled, const Url& named);

}  // namespace agentlocator::call
