#include "common/http_message.hpp"

#include <doctest/doctest.h>

#include "common/http_codec.hpp"

using namespace agentlocator;

TEST_CASE("http_message: a response says its length and what happens to the connection") {
    const HttpRequest request{.method = "POST", .target = "/"};
    const HttpResponse response{.status = 200, .headers = {{"Content-Type", "text/xml"}}, .body = "<Response/>"};
    CHECK(
        serialize(response, request) ==
        "HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\nContent-Length: 11\r\nConnection: keep-alive\r\n\r\n<Response/>");

    HttpRequest last = request;
    last.keep_alive = false;
    CHECK(serialize(HttpResponse{.status = 403}, last) ==
          "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    CHECK(serialize(HttpResponse{.status = 799, .close = true}, request) ==
          "HTTP/1.1 799 Status\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
}

TEST_CASE("http_message: 1xx and 204 carry no length, HEAD carries no body") {
    const HttpRequest post{.method = "POST", .target = "/"};
    CHECK(serialize(HttpResponse{.status = 204, .body = "dropped"}, post) ==
          "HTTP/1.1 204 No Content\r\nConnection: keep-alive\r\n\r\n");
    CHECK(serialize(HttpResponse{.status = 101, .headers = {{"Connection", "Upgrade"}}}, post) ==
          "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\n\r\n");
    const HttpRequest head{.method = "HEAD", .target = "/"};
    CHECK(serialize(HttpResponse{.body = "abc"}, head) ==
          "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nConnection: keep-alive\r\n\r\n");
}

TEST_CASE("http_message: a value cannot forge a header") {
    const HttpRequest request{.method = "GET", .target = "/"};
    const std::string text = serialize(HttpResponse{.headers = {{"Allow", "GET\r\nSet-Cookie: a"}}}, request);
    CHECK(text.find("\r\nSet-Cookie") == std::string::npos);
    CHECK(text.find("Allow: GET  Set-Cookie: a\r\n") != std::string::npos);
}

TEST_CASE("http_message: what serialize writes, the parser reads") {
    const HttpRequest sent{.method = "POST",
                           .target = "/webhook/call_status?x=1",
                           .headers = {{"Content-Type", "application/x-www-form-urlencoded"}},
                           .body = "CallStatus=completed",
                           .keep_alive = false};
    HttpRequestParser parser;
    std::size_t consumed = 0;
    const std::string text = serialize(sent, "127.0.0.1:5000");
    REQUIRE(parser.feed(text, consumed) == HttpParse::complete);
    CHECK(consumed == text.size());
    const HttpRequest read = parser.take();
    CHECK(read.method == sent.method);
    CHECK(read.target == sent.target);
    CHECK(read.body == sent.body);
    CHECK(read.header("host") == "127.0.0.1:5000");
    CHECK(read.header("content-length") == "20");
    CHECK_FALSE(read.keep_alive);

    CHECK(serialize(HttpRequest{.method = "POST", .target = "/"}, "a") ==
          "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\nConnection: keep-alive\r\n\r\n");
    CHECK(serialize(HttpRequest{.method = "GET", .target = "/", .headers = {{"Connection", "Upgrade"}}}, "a") ==
          "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\n\r\n");
}

TEST_CASE("http_message: a target without a query has an empty one") {
    const HttpRequest request{.method = "GET", .target = "/a"};
    CHECK(request.path() == "/a");
    CHECK(request.query().empty());
    CHECK(reason_phrase(101) == "Switching Protocols");
    CHECK(reason_phrase(599) == "Status");
}
