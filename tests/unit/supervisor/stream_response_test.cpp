#include "supervisor/stream_response.hpp"

#include <doctest/doctest.h>

using namespace agentlocator;

namespace {

const std::string chunked =
    "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\ntransfer-encoding:  Chunked \r\n\r\n"
    "6\r\nhello\n\r\nA;x=y\r\n0123456789\r\n0\r\nTrailer: 1\r\n\r\nrest";

bool feed(StreamResponse& response, std::string_view bytes, std::string& body, std::size_t step) {
    for (std::size_t i = 0; i < bytes.size(); i += step) {
        if (!response.feed(bytes.substr(i, step), body)) {
            return false;
        }
    }
    return true;
}

}  // namespace

TEST_CASE("stream_response: chunks come out whole, split at every place") {
    for (std::size_t step = 1; step <= chunked.size(); ++step) {
        StreamResponse response;
        std::string body;
        CHECK(feed(response, chunked, body, step));
        CHECK(body == "hello\n0123456789");
        CHECK(response.ended());
        CHECK(response.status() == 200);
    }
}

TEST_CASE("stream_response: a chunk is given out before it is complete") {
    StreamResponse response;
    std::string body;
    CHECK(response.feed("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhe", body));
    CHECK(body == "he");
    CHECK_FALSE(response.ended());
}

TEST_CASE("stream_response: without chunks the body lasts until the end") {
    StreamResponse response;
    std::string body;
    CHECK(response.feed("HTTP/1.1 404 Not Found\r\nContent-Length: 3\r\n\r\nabc", body));
    CHECK(response.status() == 404);
    CHECK(body == "abc");
    CHECK_FALSE(response.ended());
}

TEST_CASE("stream_response: what is not HTTP is refused") {
    const std::string head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    for (const std::string& bad :
         {std::string("SSH-2.0\r\n\r\n"), std::string("HTTP/1.1 20x OK\r\n\r\n"),
          std::string("HTTP/1.1 100 Continue\r\n\r\n"), std::string("HTTP/1.1\r\n\r\n"), head + "x\r\n", head + "\r\n",
          head + "1000001\r\n", head + "ffffffffffffffffffff\r\n", head + "1\r\nab"}) {
        StreamResponse response;
        std::string body;
        CAPTURE(bad);
        CHECK_FALSE(response.feed(bad, body));
        CHECK_FALSE(response.feed("more", body));
    }
}

TEST_CASE("stream_response: the header has a limit") {
    for (const std::size_t extra : {0U, 1U}) {
        const std::string begin = "HTTP/1.1 200 OK\r\nX: ";
        const std::string block =
            begin + std::string(stream_header_bytes_max - begin.size() - 4 + extra, 'x') + "\r\n\r\n";
        StreamResponse response;
        std::string body;
        CHECK(response.feed(block, body) == (extra == 0));
    }
}
