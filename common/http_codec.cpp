#include "common/http_codec.hpp"

#include <boost/beast/http/basic_parser.hpp>
#include <limits>
#include <utility>

#include "common/ensure.hpp"
#include "common/text.hpp"

// What this adds to Beast's basic_parser:
// - Exact limits, whatever the split points. Beast measures its header limit anew for each piece it is given, so a
//   header that arrives in pieces could be any size.
// - Strictness where leniency lets two parsers disagree about where a message ends (request smuggling, RFC 9112 11.2).
// - A place for bytes that cannot be parsed yet, so that the caller never has to present bytes twice.

namespace agentlocator {

namespace {

namespace http = boost::beast::http;
using boost::beast::error_code;
using BeastText = boost::beast::string_view;

// Beast asserts that the end of a chunked body is never presented in fewer bytes: "0\r\n\r\n".
constexpr std::size_t last_chunk_bytes = 5;

// Framing bytes tolerated for each body byte of a chunked body: a chunk of one byte costs six. Without a bound a peer
// could keep the parser busy with chunk extensions for ever without ever reaching the body limit.
constexpr std::size_t chunk_overhead_factor = 16;

std::string to_string(BeastText text) {
    return {text.data(), text.size()};
}

// The parts of a message, as the parser reports them.
template <bool is_request>
class Collector final : public http::basic_parser<is_request> {
public:
    std::string method;
    std::string target;
    unsigned status = 0;
    bool http_1_1 = true;
    std::vector<HttpHeader> headers;
    std::string body;

private:
    void on_request_impl(http::verb, BeastText method_text, BeastText target_text, int version, error_code&) override {
        method = to_string(method_text);
        target = to_string(target_text);
        http_1_1 = version >= 11;
    }
    void on_response_impl(int code, BeastText, int version, error_code&) override {
        status = static_cast<unsigned>(code);
        http_1_1 = version >= 11;
    }
    void on_field_impl(http::field, BeastText name, BeastText value, error_code&) override {
        if (!header_complete_) {  // Trailers are dropped: nothing may be decided by a header that came after the body.
            headers.push_back({to_string(name), to_string(value)});
        }
    }
    void on_header_impl(error_code& ec) override {
        header_complete_ = true;
        std::size_t hosts = 0;
        std::size_t codings = 0;
        bool chunked_only = true;
        for (const HttpHeader& header : headers) {
            if (equal_no_case(header.name, "Host")) {
                ++hosts;
            } else if (equal_no_case(header.name, "Transfer-Encoding")) {
                ++codings;
                chunked_only = chunked_only && equal_no_case(trim(header.value), "chunked");
            }
        }
        // RFC 9112 6.1, 6.3: an encoding we cannot undo leaves the length of the body unknown. HTTP/1.0 has none.
        if (codings > 1 || (codings == 1 && (!chunked_only || !http_1_1))) {
            ec = http::error::bad_transfer_encoding;
        }
        // RFC 9112 3.2: exactly one Host in HTTP/1.1, never two.
        if (is_request && (hosts > 1 || (hosts == 0 && http_1_1))) {
            ec = http::error::bad_field;
        }
    }
    void on_body_init_impl(const boost::optional<std::uint64_t>&, error_code&) override {}
    std::size_t on_body_impl(BeastText bytes, error_code&) override {
        body.append(bytes.data(), bytes.size());
        return bytes.size();
    }
    void on_chunk_header_impl(std::uint64_t, BeastText, error_code&) override {}
    std::size_t on_chunk_body_impl(std::uint64_t, BeastText bytes, error_code&) override {
        body.append(bytes.data(), bytes.size());
        return bytes.size();
    }
    void on_finish_impl(error_code&) override {}

    bool header_complete_ = false;
};

// Beast says bad_version for any fault at the end of the request line; 505 is for a well-formed other version.
bool names_another_version(std::string_view request_line) {
    request_line = request_line.substr(0, request_line.find('\r'));
    const auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
    const auto blank = request_line.rfind(' ');
    const auto version = blank == std::string_view::npos ? std::string_view() : request_line.substr(blank + 1);
    return version.size() == 8 && version.starts_with("HTTP/") && is_digit(version[5]) && version[6] == '.' &&
           is_digit(version[7]);
}

// Beast looks at an unfinished header again only when its end has come. Binary data (TLS on a plain port) and bare line
// feeds have no such end: they are refused at once, not at the header deadline.
bool could_be_header(std::string_view bytes, char before) {
    for (const char c : bytes) {
        const auto byte = static_cast<unsigned char>(c);
        const bool control = (byte < 0x20 && c != '\t' && c != '\r' && c != '\n') || byte == 0x7f;
        if (control || (c == '\n') != (before == '\r')) {
            return false;
        }
        before = c;
    }
    return true;
}

// One message after the other out of a byte stream.
template <bool is_request>
class Machine {
public:
    explicit Machine(HttpLimits limits) : limits_(limits) { restart(); }

    HttpParse feed(std::string_view bytes, std::size_t& consumed) {
        consumed = 0;
        if (state_ != HttpParse::need_more) {
            return state_;
        }
        const std::size_t blank = skip_empty_line(bytes);
        bytes.remove_prefix(blank);
        consumed = blank;
        if (bytes.empty()) {
            return state_;
        }
        seen_ = true;
        const std::size_t held = pending_.size();
        if (held > 0) {
            pending_.append(bytes);
        }
        const std::string_view input = held > 0 ? std::string_view(pending_) : bytes;
        const std::size_t used = parse(input, held);
        if (state_ == HttpParse::failed) {
            return state_;
        }
        if (parser_->is_done()) {
            ENSURE(used >= held);  // What was held back was not a whole message.
            state_ = HttpParse::complete;
            consumed += used - held;
            pending_.clear();
            return state_;
        }
        consumed += bytes.size();
        if (held == 0) {
            pending_.assign(input.substr(used));
        } else if (used > 0) {
            pending_.erase(0, used);
        }
        return state_;
    }

    HttpParse feed_end() {
        if (state_ != HttpParse::need_more) {
            return state_;
        }
        error_code ec;
        if (parser_->got_some()) {
            parser_->put_eof(ec);
        }
        state_ = parser_->is_done() && !ec ? HttpParse::complete : HttpParse::failed;
        return state_;
    }

    void restart() {
        parser_.emplace();
        parser_->header_limit(static_cast<std::uint32_t>(limits_.header_bytes_max));
        parser_->body_limit(limits_.body_bytes_max);
        pending_.clear();
        seen_ = false;
        blanks_ = 0;
        header_bytes_ = 0;
        last_header_byte_ = 0;
        body_wire_bytes_ = 0;
        state_ = HttpParse::need_more;
        error_status_ = 0;
    }

    [[nodiscard]] Collector<is_request>& parser() { return *parser_; }
    [[nodiscard]] const Collector<is_request>& parser() const { return *parser_; }
    [[nodiscard]] HttpParse state() const { return state_; }
    [[nodiscard]] bool idle() const { return !seen_; }
    [[nodiscard]] unsigned error_status() const { return error_status_; }

private:
    // RFC 9112 2.2: a server ignores an empty line before a request; old clients send one after a body.
    std::size_t skip_empty_line(std::string_view bytes) {
        constexpr std::string_view empty_line = "\r\n";
        std::size_t skipped = 0;
        while (is_request && !seen_ && blanks_ < empty_line.size() && skipped < bytes.size() &&
               bytes[skipped] == empty_line[blanks_]) {
            ++blanks_;
            ++skipped;
        }
        return skipped;
    }

    // How much of `input`, whose first `held` bytes were presented before, was used for good. Sets state_ on failure.
    std::size_t parse(std::string_view input, std::size_t held) {
        std::size_t used = 0;
        if (!parser_->is_header_done()) {
            used = parse_header(input, held);
        }
        if (state_ == HttpParse::need_more && parser_->is_header_done() && !parser_->is_done() && used < input.size()) {
            used += parse_body(input.substr(used));
        }
        return used;
    }

    std::size_t parse_header(std::string_view input, std::size_t held) {
        error_code ec;
        parser_->eager(false);
        const std::size_t used = parser_->put({input.data(), input.size()}, ec);
        header_bytes_ += used;
        const std::size_t unfinished = parser_->is_header_done() ? 0 : input.size() - used;
        if (ec && ec != http::error::need_more) {
            fail(status_of(ec, input));
        } else if (header_bytes_ + unfinished > limits_.header_bytes_max) {
            fail(431);
        } else if (!parser_->is_header_done() && !could_be_header(input.substr(held), last_header_byte_)) {
            fail(400);
        }
        last_header_byte_ = input.back();
        return used;
    }

    std::size_t parse_body(std::string_view input) {
        std::size_t used = 0;
        if (!parser_->chunked() || input.size() >= last_chunk_bytes) {
            error_code ec;
            parser_->eager(true);
            used = parser_->put({input.data(), input.size()}, ec);
            if (ec && ec != http::error::need_more) {
                fail(status_of(ec, {}));
                return used;
            }
        }
        body_wire_bytes_ += used;
        const std::size_t unfinished = parser_->is_done() ? 0 : input.size() - used;
        const std::size_t body_bytes = parser_->body.size();
        if (parser_->chunked() && body_wire_bytes_ + unfinished - body_bytes >
                                      limits_.header_bytes_max + chunk_overhead_factor * body_bytes) {
            fail(400);
        }
        return used;
    }

    unsigned status_of(const error_code& ec, std::string_view request_line) const {
        if (ec == http::error::header_limit) {
            return 431;
        }
        if (ec == http::error::body_limit) {
            return 413;
        }
        return ec == http::error::bad_version && names_another_version(request_line) ? 505 : 400;
    }

    void fail(unsigned status) {
        state_ = HttpParse::failed;
        error_status_ = status;
    }

    HttpLimits limits_;
    std::optional<Collector<is_request>> parser_;  // Beast's parser takes one message and cannot be moved.
    std::string pending_;                          // Received, but too little to parse. Bounded by the header limit.
    bool seen_ = false;
    std::size_t blanks_ = 0;
    std::size_t header_bytes_ = 0;
    char last_header_byte_ = 0;
    std::size_t body_wire_bytes_ = 0;
    HttpParse state_ = HttpParse::need_more;
    unsigned error_status_ = 0;
};

}  // namespace

struct HttpRequestParser::Impl {
    Machine<true> machine;
};

HttpRequestParser::HttpRequestParser(HttpLimits limits) : impl_(new Impl{Machine<true>(limits)}) {
    ENSURE(limits.header_bytes_max <= std::numeric_limits<std::uint32_t>::max());
}
HttpRequestParser::~HttpRequestParser() = default;
HttpRequestParser::HttpRequestParser(HttpRequestParser&&) noexcept = default;
HttpRequestParser& HttpRequestParser::operator=(HttpRequestParser&&) noexcept = default;

HttpParse HttpRequestParser::feed(std::string_view bytes, std::size_t& consumed) {
    return impl_->machine.feed(bytes, consumed);
}

HttpRequest HttpRequestParser::take() {
    ENSURE(impl_->machine.state() == HttpParse::complete);
    Collector<true>& parser = impl_->machine.parser();
    HttpRequest request{std::move(parser.method), std::move(parser.target), std::move(parser.headers),
                        std::move(parser.body),   parser.keep_alive(),      parser.http_1_1};
    impl_->machine.restart();
    return request;
}

bool HttpRequestParser::header_done() const {
    return impl_->machine.parser().is_header_done();
}
bool HttpRequestParser::idle() const {
    return impl_->machine.idle();
}
unsigned HttpRequestParser::error_status() const {
    return impl_->machine.error_status();
}

struct HttpResponseParser::Impl {
    Impl(HttpLimits limits, bool head) : machine(limits), head_request(head) { restart(); }

    void restart() {
        machine.restart();
        machine.parser().skip(head_request);
    }

    Machine<false> machine;
    bool head_request;
};

HttpResponseParser::HttpResponseParser(HttpLimits limits, bool head_request)
    : impl_(std::make_unique<Impl>(limits, head_request)) {
    ENSURE(limits.header_bytes_max <= std::numeric_limits<std::uint32_t>::max());
}
HttpResponseParser::~HttpResponseParser() = default;
HttpResponseParser::HttpResponseParser(HttpResponseParser&&) noexcept = default;
HttpResponseParser& HttpResponseParser::operator=(HttpResponseParser&&) noexcept = default;

HttpParse HttpResponseParser::feed(std::string_view bytes, std::size_t& consumed) {
    consumed = 0;
    for (;;) {
        std::size_t taken = 0;
        const HttpParse state = impl_->machine.feed(bytes.substr(consumed), taken);
        consumed += taken;
        const unsigned status = impl_->machine.parser().status;
        // RFC 9110 15.2: interim responses precede the final one. 101 is final: other bytes follow it.
        if (state != HttpParse::complete || status >= 200 || status == 101) {
            return state;
        }
        impl_->restart();
    }
}

HttpParse HttpResponseParser::feed_end() {
    return impl_->machine.feed_end();
}

HttpResponse HttpResponseParser::take() {
    ENSURE(impl_->machine.state() == HttpParse::complete);
    Collector<false>& parser = impl_->machine.parser();
    HttpResponse response{parser.status, std::move(parser.headers), std::move(parser.body), !parser.keep_alive()};
    impl_->restart();
    return response;
}

}  // namespace agentlocator
