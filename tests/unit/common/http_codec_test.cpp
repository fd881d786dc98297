#include "common/http_codec.hpp"

#include <doctest/doctest.h>

using namespace agentlocator;

namespace {

struct Parsed {
    HttpParse state = HttpParse::need_more;
    unsigned error = 0;
    HttpRequest request;
    std::size_t consumed = 0;  // Of the whole input.
};

// Feeds pieces of `step` bytes until the first message is complete or failed. Step 0: cut once, at `cut`.
Parsed parse(std::string_view input, std::size_t step, std::size_t cut, HttpLimits limits) {
    HttpRequestParser parser(limits);
    Parsed result;
    while (result.state == HttpParse::need_more && result.consumed < input.size()) {
        std::size_t length = step;
        if (step == 0) {
            length = result.consumed < cut ? cut - result.consumed : input.size() - result.consumed;
        }
        std::size_t consumed = 0;
        const auto piece = input.substr(result.consumed, length);
        result.state = parser.feed(piece, consumed);
        REQUIRE(consumed <= piece.size());
        if (result.state == HttpParse::need_more) {
            REQUIRE(consumed == piece.size());
        }
        result.consumed += consumed;
    }
    result.error = parser.error_status();
    if (result.state == HttpParse::complete) {
        result.request = parser.take();
    }
    return result;
}

Parsed parse_whole(std::string_view input, HttpLimits limits = {}) {
    return parse(input, input.size(), 0, limits);
}

// The outcome must not depend on how the network cut the bytes.
Parsed parse_all_ways(std::string_view input, HttpLimits limits = {}) {
    const Parsed whole = parse_whole(input, limits);
    const auto same = [&](const Parsed& other) {
        CHECK(other.state == whole.state);
        CHECK(other.error == whole.error);
        CHECK(other.request.method == whole.request.method);
        CHECK(other.request.target == whole.request.target);
        CHECK(other.request.body == whole.request.body);
        CHECK(other.request.headers.size() == whole.request.headers.size());
        CHECK(other.request.keep_alive == whole.request.keep_alive);
        if (whole.state == HttpParse::complete) {
            CHECK(other.consumed == whole.consumed);
        }
    };
    same(parse(input, 1, 0, limits));
    for (std::size_t cut = 1; cut < input.size(); ++cut) {
        CAPTURE(cut);
        same(parse(input, 0, cut, limits));
    }
    return whole;
}

std::string request_of_size(std::size_t header_bytes) {
    const std::string front = "GET / HTTP/1.1\r\nHost: a\r\nX: ";
    const std::string back = "\r\n\r\n";
    return front + std::string(header_bytes - front.size() - back.size(), 'x') + back;
}

unsigned error_of(std::string_view input) {
    const Parsed parsed = parse_all_ways(input);
    CHECK(parsed.state == HttpParse::failed);
    return parsed.error;
}

}  // namespace

TEST_CASE("http_codec: a request is the same however it is split") {
    const Parsed parsed = parse_all_ways(
        "POST //webhook/incoming_call?a=%20b HTTP/1.1\r\nHost: voice.example.com\r\nx-twilio-signature:  abc= \r\n"
        "Content-Length: 14\r\n\r\nCallSid=CA_TEST");
    REQUIRE(parsed.state == HttpParse::complete);
    CHECK(parsed.request.method == "POST");
    CHECK(parsed.request.target == "//webhook/incoming_call?a=%20b");
    CHECK(parsed.request.path() == "//webhook/incoming_call");
    CHECK(parsed.request.query() == "a=%20b");
    CHECK(parsed.request.header("X-Twilio-Signature") == "abc=");
    CHECK_FALSE(parsed.request.header("X-Absent"));
    CHECK(parsed.request.body == "CallSid=CA_TES");  // Content-Length counts, the rest is the next message.
    CHECK(parsed.request.keep_alive);
}

TEST_CASE("http_codec: a chunked body is joined, extensions and trailers are dropped") {
    const Parsed parsed = parse_all_ways(
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
        "5;name=value\r\nhello\r\n1\r\n,\r\n6\r\n world\r\n0\r\nX-Forwarded-Host: evil\r\n\r\n");
    REQUIRE(parsed.state == HttpParse::complete);
    CHECK(parsed.request.body == "hello, world");
    CHECK_FALSE(parsed.request.header("X-Forwarded-Host"));

    const Parsed empty = parse_all_ways("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n");
    CHECK(empty.state == HttpParse::complete);
    CHECK(empty.request.body.empty());
}

TEST_CASE("http_codec: pipelined requests come out one at a time") {
    const std::string first = "POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nok";
    const std::string second = "GET /b HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    const std::string input = first + second + "\x81\x80";
    HttpRequestParser parser;
    std::size_t consumed = 0;
    REQUIRE(parser.feed(input, consumed) == HttpParse::complete);
    CHECK(consumed == first.size());
    CHECK(parser.feed(input, consumed) == HttpParse::complete);  // Not taken yet: nothing more is consumed.
    CHECK(consumed == 0);
    CHECK(parser.take().target == "/a");
    CHECK(parser.idle());
    CHECK_FALSE(parser.header_done());
    REQUIRE(parser.feed(std::string_view(input).substr(first.size()), consumed) == HttpParse::complete);
    CHECK(consumed == second.size());  // Bytes of another protocol after an upgrade stay with the caller.
    const HttpRequest request = parser.take();
    CHECK(request.target == "/b");
    CHECK_FALSE(request.keep_alive);
}

TEST_CASE("http_codec: idle and header_done follow the bytes") {
    HttpRequestParser parser;
    std::size_t consumed = 0;
    CHECK(parser.idle());
    CHECK(parser.feed("\r\n", consumed) == HttpParse::need_more);  // RFC 9112 2.2
    CHECK(parser.idle());
    CHECK(parser.feed("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r", consumed) == HttpParse::need_more);
    CHECK_FALSE(parser.idle());
    CHECK_FALSE(parser.header_done());
    CHECK(parser.feed("\n", consumed) == HttpParse::need_more);
    CHECK(parser.header_done());
    CHECK(parser.feed("x", consumed) == HttpParse::complete);
}

TEST_CASE("http_codec: only one empty line may precede a request") {
    CHECK(parse_all_ways("\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n").state == HttpParse::complete);
    CHECK(error_of("\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n") == 400);
    CHECK(error_of("\nGET / HTTP/1.1\r\nHost: a\r\n\r\n") == 400);
}

TEST_CASE("http_codec: the header limit is exact, whatever the split") {
    const HttpLimits limits{.header_bytes_max = 128, .body_bytes_max = 8};
    CHECK(parse_all_ways(request_of_size(128), limits).state == HttpParse::complete);
    const Parsed parsed = parse_all_ways(request_of_size(129), limits);
    CHECK(parsed.state == HttpParse::failed);
    CHECK(parsed.error == 431);
    // Many short fields in pieces: each piece alone is far below the limit.
    std::string many = "GET / HTTP/1.1\r\nHost: a\r\n";
    for (int i = 0; i < 40; ++i) {
        many += "A: b\r\n";
    }
    CHECK(parse_all_ways(many, limits).error == 431);
    CHECK(parse_all_ways("GET /" + std::string(200, 'x'), limits).error == 431);
}

TEST_CASE("http_codec: the body limit is exact for both framings") {
    const HttpLimits limits{.header_bytes_max = 256, .body_bytes_max = 8};
    const std::string post = "POST / HTTP/1.1\r\nHost: a\r\n";
    CHECK(parse_all_ways(post + "Content-Length: 8\r\n\r\n12345678", limits).state == HttpParse::complete);
    CHECK(parse_all_ways(post + "Content-Length: 9\r\n\r\n", limits).error == 413);
    const std::string chunked = post + "Transfer-Encoding: chunked\r\n\r\n";
    CHECK(parse_all_ways(chunked + "4\r\n1234\r\n4\r\n5678\r\n0\r\n\r\n", limits).request.body == "12345678");
    CHECK(parse_all_ways(chunked + "4\r\n1234\r\n5\r\n12345", limits).error == 413);
}

TEST_CASE("http_codec: endless chunk extensions and trailers end the connection") {
    const HttpLimits limits{.header_bytes_max = 256, .body_bytes_max = 64};
    const std::string chunked = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
    CHECK(parse_all_ways(chunked + "1;" + std::string(300, 'x'), limits).error == 400);
    std::string trailers = chunked + "0\r\n";
    for (int i = 0; i < 100; ++i) {
        trailers += "A: b\r\n";
    }
    CHECK(parse_whole(trailers, limits).error == 400);
    // Chunks of one byte are wasteful, and legal.
    std::string bytes = chunked;
    for (int i = 0; i < 64; ++i) {
        bytes += "1\r\nx\r\n";
    }
    CHECK(parse_all_ways(bytes + "0\r\n\r\n", limits).request.body.size() == 64);
}

TEST_CASE("http_codec: framing that two parsers could read differently is refused") {
    const std::string post = "POST / HTTP/1.1\r\nHost: a\r\n";
    CHECK(error_of(post + "Content-Length: 1\r\nContent-Length: 2\r\n\r\nxx") == 400);
    CHECK(error_of(post + "Content-Length: 1, 2\r\n\r\nxx") == 400);
    CHECK(error_of(post + "Content-Length: -1\r\n\r\nx") == 400);
    CHECK(error_of(post + "Content-Length: 1x\r\n\r\nx") == 400);
    CHECK(error_of(post + "Content-Length: 99999999999999999999\r\n\r\nx") == 400);
    CHECK(error_of(post + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n") == 400);
    CHECK(error_of(post + "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n") == 400);
    CHECK(error_of(post + "Transfer-Encoding: gzip\r\n\r\n") == 400);
    CHECK(error_of(post + "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n") == 400);
    CHECK(error_of(post + "Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n") == 400);
    CHECK(error_of("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n") == 400);
    CHECK(error_of(post + "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n") == 400);
    for (const char* body :
         {"x\r\nabc", "-1\r\nabc", "ffffffffffffffffff\r\n", "5 \r\nhello\r\n", "2\r\nabc\r\n0\r\n\r\n"}) {
        CAPTURE(body);
        CHECK(error_of(post + "Transfer-Encoding: chunked\r\n\r\n" + body) == 400);
    }
}

TEST_CASE("http_codec: malformed requests are 400, other versions 505") {
    CHECK(error_of("GET / HTTP/2.0\r\nHost: a\r\n\r\n") == 505);
    CHECK(error_of("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n") == 505);
    CHECK(error_of("GET / HTTP/0.9\r\nHost: a\r\n\r\n") == 505);
    CHECK(error_of("GET / HTTP/1\r\nHost: a\r\n\r\n") == 400);
    CHECK(error_of("GET / FTP/1.1\r\nHost: a\r\n\r\n") == 400);
    CHECK(error_of("GET / HTTP/1.1\nHost: a\n\n") == 400);
    CHECK(error_of("GET  HTTP/1.1\r\nHost: a\r\n\r\n") == 400);
    CHECK(error_of("GET / HTTP/1.1\r\nHost a\r\n\r\n") == 400);
    CHECK(error_of("GET / HTTP/1.1\r\nHost: a\x01\r\n\r\n") == 400);
    CHECK(error_of("GET / HTTP/1.1\r\nX: y\r\n\r\n") == 400);                // No Host.
    CHECK(error_of("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n") == 400);  // RFC 9112 3.2
    CHECK(error_of(std::string("\x16\x03\x01\x02\x00\x01", 6)) == 400);      // TLS on a plain port.
    CHECK(parse_whole("GET / HTTP/1.0\r\n\r\n").state == HttpParse::complete);
    CHECK_FALSE(parse_whole("GET / HTTP/1.0\r\n\r\n").request.keep_alive);
    CHECK(parse_whole("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n").request.keep_alive);
}

TEST_CASE("http_codec: an unknown method is still a request") {
    const Parsed parsed = parse_all_ways("BREW /pot HTTP/1.1\r\nHost: a\r\n\r\n");
    REQUIRE(parsed.state == HttpParse::complete);
    CHECK(parsed.request.method == "BREW");
}

TEST_CASE("http_codec: a failed parser stays failed") {
    HttpRequestParser parser;
    std::size_t consumed = 0;
    CHECK(parser.feed("?\r\n\r\n", consumed) == HttpParse::failed);
    CHECK(parser.feed("GET / HTTP/1.1\r\nHost: a\r\n\r\n", consumed) == HttpParse::failed);
    CHECK(consumed == 0);
    CHECK(parser.error_status() == 400);
}

namespace {

struct Answer {
    HttpParse state = HttpParse::need_more;
    HttpResponse response;
    std::size_t consumed = 0;
};

Answer parse_answer(std::string_view input, std::size_t step, bool end, bool head = false, HttpLimits limits = {}) {
    HttpResponseParser parser(limits, head);
    Answer answer;
    while (answer.state == HttpParse::need_more && answer.consumed < input.size()) {
        std::size_t consumed = 0;
        answer.state = parser.feed(input.substr(answer.consumed, step), consumed);
        answer.consumed += consumed;
    }
    if (end) {
        answer.state = parser.feed_end();
    }
    if (answer.state == HttpParse::complete) {
        answer.response = parser.take();
    }
    return answer;
}

}  // namespace

TEST_CASE("http_codec: responses of every framing, in pieces of every size") {
    const std::string sized = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";
    const std::string chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n";
    const std::string until_close = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\nhello";
    for (std::size_t step = 1; step <= chunked.size(); ++step) {
        CAPTURE(step);
        CHECK(parse_answer(sized, step, false).response.body == "hello");
        CHECK(parse_answer(chunked, step, false).response.body == "hello");
        const Answer open = parse_answer(until_close, step, true);
        CHECK(open.state == HttpParse::complete);
        CHECK(open.response.body == "hello");
        CHECK(open.response.close);
        CHECK(open.response.header("content-type") == "text/plain");
        // Cut short: not a success.
        CHECK(parse_answer(sized.substr(0, sized.size() - 1), step, true).state == HttpParse::failed);
        CHECK(parse_answer(chunked.substr(0, chunked.size() - 1), step, true).state == HttpParse::failed);
        CHECK(parse_answer("HTTP/1.1 200 OK\r\nContent-", step, true).state == HttpParse::failed);
    }
    CHECK(parse_answer("", 1, true).state == HttpParse::failed);
}

TEST_CASE("http_codec: an upgrade response ends with its header") {
    const std::string upgrade = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n";
    const Answer answer = parse_answer(upgrade + "\x81\x05hello", 1000, false);
    REQUIRE(answer.state == HttpParse::complete);
    CHECK(answer.response.status == 101);
    CHECK(answer.consumed == upgrade.size());
}

TEST_CASE("http_codec: interim responses are passed over, HEAD answers have no body") {
    const std::string interim = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n";
    for (std::size_t step = 1; step <= interim.size(); ++step) {
        const Answer answer = parse_answer(interim, step, false);
        CHECK(answer.response.status == 204);
        CHECK(answer.consumed == interim.size());
    }
    CHECK(parse_answer("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", 9, false, true).state == HttpParse::complete);
}

TEST_CASE("http_codec: response bodies are limited at max + 1 in every framing") {
    const HttpLimits limits{.header_bytes_max = 128, .body_bytes_max = 4};
    const auto state_of = [&](const std::string& text, std::size_t step, bool end) {
        return parse_answer("HTTP/1.1 200 OK\r\n" + text, step, end, false, limits).state;
    };
    for (const std::size_t step : {std::size_t{1}, std::size_t{3}, std::size_t{500}}) {
        CHECK(state_of("Content-Length: 4\r\n\r\n1234", step, false) == HttpParse::complete);
        CHECK(state_of("Content-Length: 5\r\n\r\n12345", step, false) == HttpParse::failed);
        CHECK(state_of("\r\n1234", step, true) == HttpParse::complete);
        CHECK(state_of("\r\n12345", step, true) == HttpParse::failed);
        CHECK(state_of("Transfer-Encoding: chunked\r\n\r\n5\r\n12345", step, false) == HttpParse::failed);
    }
}
