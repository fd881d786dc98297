#include "common/http_message.hpp"

#include <algorithm>
#include <iterator>

#include "common/text.hpp"

namespace agentlocator {

namespace {

std::optional<std::string_view> find_header(const std::vector<HttpHeader>& headers, std::string_view name) {
    const auto found = std::find_if(headers.begin(), headers.end(),
                                    [name](const HttpHeader& header) { return equal_no_case(header.name, name); });
    if (found == headers.end()) {
        return std::nullopt;
    }
    return found->value;
}

// A line break or NUL in a value that came from outside would let it forge a header or a second message.
void append_clean(std::string& out, std::string_view text) {
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        out.push_back((byte < 0x20 && c != '\t') || byte == 0x7f ? ' ' : c);
    }
}

void append_header(std::string& out, std::string_view name, std::string_view value) {
    append_clean(out, name);
    out += ": ";
    append_clean(out, value);
    out += "\r\n";
}

// RFC 9110 8.6: no Content-Length in 1xx and 204. A 304 would have to repeat the length of the 200 it stands for.
bool may_have_length(unsigned status) {
    return status >= 200 && status != 204 && status != 304;
}

struct Reason {
    unsigned status;
    std::string_view phrase;
};

// RFC 9110 15, RFC 6585.
constexpr Reason reasons[] = {
    {100, "Continue"},
    {101, "Switching Protocols"},
    {200, "OK"},
    {201, "Created"},
    {202, "Accepted"},
    {204, "No Content"},
    {301, "Moved Permanently"},
    {302, "Found"},
    {303, "See Other"},
    {304, "Not Modified"},
    {307, "Temporary Redirect"},
    {308, "Permanent Redirect"},
    {400, "Bad Request"},
    {401, "Unauthorized"},
    {402, "Payment Required"},
    {403, "Forbidden"},
    {404, "Not Found"},
    {405, "Method Not Allowed"},
    {406, "Not Acceptable"},
    {408, "Request Timeout"},
    {409, "Conflict"},
    {410, "Gone"},
    {411, "Length Required"},
    {413, "Content Too Large"},
    {414, "URI Too Long"},
    {415, "Unsupported Media Type"},
    {422, "Unprocessable Content"},
    {426, "Upgrade Required"},
    {429, "Too Many Requests"},
    {431, "Request Header Fields Too Large"},
    {500, "Internal Server Error"},
    {501, "Not Implemented"},
    {502, "Bad Gateway"},
    {503, "Service Unavailable"},
    {504, "Gateway Timeout"},
    {505, "HTTP Version Not Supported"},
};

}  // namespace

std::string_view HttpRequest::path() const {
    return std::string_view(target).substr(0, target.find('?'));
}

std::string_view HttpRequest::query() const {
    const auto mark = target.find('?');
    return mark == std::string::npos ? std::string_view() : std::string_view(target).substr(mark + 1);
}

std::optional<std::string_view> HttpRequest::header(std::string_view name) const {
    return find_header(headers, name);
}

std::optional<std::string_view> HttpResponse::header(std::string_view name) const {
    return find_header(headers, name);
}

std::string_view reason_phrase(unsigned status) {
    const auto* found = std::find_if(std::begin(reasons), std::end(reasons),
                                     [status](const Reason& reason) { return reason.status == status; });
    return found == std::end(reasons) ? "Status" : found->phrase;
}

std::string serialize(const HttpResponse& response, const HttpRequest& request) {
    std::string out;
    out.reserve(256 + response.body.size());
    out += "HTTP/1.1 ";
    out += std::to_string(response.status);
    out += ' ';
    out += reason_phrase(response.status);
    out += "\r\n";
    for (const HttpHeader& header : response.headers) {
        append_header(out, header.name, header.value);
    }
    if (may_have_length(response.status)) {
        append_header(out, "Content-Length", std::to_string(response.body.size()));
    }
    if (!response.header("Connection")) {
        append_header(out, "Connection", response.close || !request.keep_alive ? "close" : "keep-alive");
    }
    out += "\r\n";
    if (request.method != "HEAD" && may_have_length(response.status)) {
        out += response.body;
    }
    return out;
}

std::string serialize(const HttpRequest& request, std::string_view host) {
    std::string out;
    out.reserve(256 + request.body.size());
    append_clean(out, request.method);
    out += ' ';
    append_clean(out, request.target);
    out += request.http_1_1 ? " HTTP/1.1\r\n" : " HTTP/1.0\r\n";
    if (!request.header("Host")) {
        append_header(out, "Host", host);
    }
    for (const HttpHeader& header : request.headers) {
        append_header(out, header.name, header.value);
    }
    // RFC 9110 8.6: methods that define a meaning for a body say its length even when it is empty.
    const bool body_expected = request.method == "POST" || request.method == "PUT" || request.method == "PATCH";
    if ((!request.body.empty() || body_expected) && !request.header("Content-Length")) {
        append_header(out, "Content-Length", std::to_string(request.body.size()));
    }
    if (!request.header("Connection")) {
        append_header(out, "Connection", request.keep_alive ? "keep-alive" : "close");
    }
    out += "\r\n";
    out += request.body;
    return out;
}

}  // namespace agentlocator
