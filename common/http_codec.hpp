#pragma once
// Incremental HTTP/1.1 parsers: bytes in, messages out, need-more as a value. Sans-I/O; the parsing is Boost.Beast's.
// The one translation unit that includes Beast's parser is http_codec.cpp (20 s of compile time).
#include <cstddef>
#include <memory>
#include <string_view>

#include "common/http_message.hpp"

namespace agentlocator {

struct HttpLimits {
    std::size_t header_bytes_max = 16 * 1024;  // Twilio sends about 1 kB; proxies add some.
    std::size_t body_bytes_max = 256 * 1024;   // A voice webhook is about 1 kB; recordings and messages some more.
};

enum class HttpParse { need_more, complete, failed };

// One request at a time. After `complete`, take() it; the parser then expects the next one (keep-alive, pipelining).
class HttpRequestParser {
public:
    explicit HttpRequestParser(HttpLimits limits = {});
    ~HttpRequestParser();
    HttpRequestParser(HttpRequestParser&&) noexcept;
    HttpRequestParser& operator=(HttpRequestParser&&) noexcept;

    // Consumes from the front of `bytes` and never past the end of one message: `consumed` says how much.
    // failed: error_status() holds the answer to send before closing.
    [[nodiscard]] HttpParse feed(std::string_view bytes, std::size_t& consumed);
    [[nodiscard]] HttpRequest take();
    // True once the header block is complete (a deadline for headers no longer applies).
    [[nodiscard]] bool header_done() const;
    // True when no byte of a next message has been seen.
    [[nodiscard]] bool idle() const;
    // 400 malformed, 413 body too large, 431 header too large, 505 version.
    [[nodiscard]] unsigned error_status() const;

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

// One response to one request of ours. `head_request`: the answer has no body whatever its headers say.
class HttpResponseParser {
public:
    explicit HttpResponseParser(HttpLimits limits = {}, bool head_request = false);
    ~HttpResponseParser();
    HttpResponseParser(HttpResponseParser&&) noexcept;
    HttpResponseParser& operator=(HttpResponseParser&&) noexcept;

    [[nodiscard]] HttpParse feed(std::string_view bytes, std::size_t& consumed);
    // The peer closed: completes a body that ends with the connection, else fails.
    [[nodiscard]] HttpParse feed_end();
    [[nodiscard]] HttpResponse take();

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace agentlocator
