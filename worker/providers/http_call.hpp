#pragma once
// What a provider asks over HTTP and what it can hear back, as values: the codecs build and read these, io/http_client
// moves the bytes. Pure.
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/http_message.hpp"

namespace agentlocator {

struct HttpCall {
    std::string method = "POST";
    std::string url;
    std::vector<HttpHeader> headers{};
    std::string body{};
};

// Status and headers of an answer, once all of them have arrived.
struct HttpHead {
    int status = 0;
    std::vector<HttpHeader> headers{};

    [[nodiscard]] std::string_view header(std::string_view name) const;  // Any case; empty when absent.
};

// Why no answer came, or why it broke off.
enum class TransportFault : std::uint8_t {
    resolve,
    connect,
    connect_timeout,
    tls,
    certificate,
    proxy,
    broken,     // The connection was reset or ended too early.
    timeout,    // Ours: the operation's own deadline.
    too_large,  // The peer sent more than the limit of this operation.
    protocol,   // Broken HTTP or WebSocket framing.
    local,      // No descriptor, no memory, a wrong address in a setting.
};
struct TransportFailure {
    TransportFault fault = TransportFault::broken;
    std::string detail;
};

// Percent-encodes everything but RFC 3986's unreserved characters: fit for a query, a path segment and a form.
[[nodiscard]] std::string url_encode(std::string_view text);

// "https://host:8443" of "https://host:8443/a/b?c"; the host alone of it, without port and brackets.
[[nodiscard]] std::string_view url_origin(std::string_view url);
[[nodiscard]] std::string_view url_host(std::string_view url);

}  // namespace agentlocator
