#pragma once
// HTTP/1.1 requests and responses as values. Pure; no Beast in here (see http_codec).
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace agentlocator {

struct HttpHeader {
    std::string name;
    std::string value;
};

struct HttpRequest {
    std::string method;  // As sent: "GET", "POST".
    std::string target;  // Raw, as received: never decoded or normalised, because it is signed.
    std::vector<HttpHeader> headers{};
    std::string body{};
    bool keep_alive = true;
    bool http_1_1 = true;

    // The target up to '?'; the rest after it without '?'.
    [[nodiscard]] std::string_view path() const;
    [[nodiscard]] std::string_view query() const;
    // First header of that name, any case.
    [[nodiscard]] std::optional<std::string_view> header(std::string_view name) const;
};

struct HttpResponse {
    unsigned status = 200;
    std::vector<HttpHeader> headers{};  // Content-Length and Connection are added by serialize().
    std::string body{};
    bool close = false;  // Close the connection after this response.

    [[nodiscard]] std::optional<std::string_view> header(std::string_view name) const;
};

// "OK" for 200 and so on; "Status" for a number without a registered text.
[[nodiscard]] std::string_view reason_phrase(unsigned status);

// Status line, headers, Content-Length (not for 1xx and 204, RFC 9110 8.6), Connection, body (not for HEAD).
[[nodiscard]] std::string serialize(const HttpResponse& response, const HttpRequest& request);

// A request as a client sends it, with Host, Content-Length when there is a body, and Connection.
[[nodiscard]] std::string serialize(const HttpRequest& request, std::string_view host);

}  // namespace agentlocator
