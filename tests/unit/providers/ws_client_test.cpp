#include "worker/providers/ws_client.hpp"

#include <doctest/doctest.h>

using namespace agentlocator;
using Kind = WsEvent::Kind;

namespace {

// RFC 6455 1.3: the key of its example, and the accept that belongs to it.
const std::string example_key = "the sample nonce";
const std::string accept_line = "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n";
const std::string switching =
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" + accept_line + "\r\n";

WsClient make(std::string_view url = "wss://api.example/v1/listen?model=x",
              const std::vector<HttpHeader>& headers = {{"Authorization", "Token dg-test"}}) {
    return {url, headers, {example_key, [] { return 0x04030201U; }}};
}

std::string frame(std::uint8_t first, std::string_view payload) {
    std::string out(1, static_cast<char>(first));
    if (payload.size() < 126) {
        out.push_back(static_cast<char>(payload.size()));
    } else {
        out.push_back(126);
        out.push_back(static_cast<char>(payload.size() >> 8U));
        out.push_back(static_cast<char>(payload.size() & 0xffU));
    }
    return out + std::string(payload);
}

std::vector<WsEvent> feed(WsClient& client, std::string_view bytes, std::size_t step = 1U << 30U) {
    std::vector<WsEvent> events;
    for (std::size_t at = 0; at < bytes.size(); at += step) {
        client.feed(bytes.substr(at, step), events);
    }
    return events;
}

WsClient open() {
    WsClient client = make();
    feed(client, switching);
    REQUIRE(client.is_open());
    CHECK_FALSE(client.take_output().empty());
    return client;
}

}  // namespace

TEST_CASE("ws_client: the upgrade asks as RFC 6455 says, with our headers") {
    WsClient client = make();
    const std::string request = client.take_output();
    CHECK(request.starts_with("GET /v1/listen?model=x HTTP/1.1\r\nHost: api.example\r\n"));
    CHECK(request.find("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n") != std::string::npos);
    CHECK(request.find("Authorization: Token dg-test\r\n") != std::string::npos);
    CHECK(request.ends_with("\r\n\r\n"));
    CHECK(make("ws://127.0.0.1:80").take_output().starts_with("GET / HTTP/1.1\r\nHost: 127.0.0.1:80\r\n"));
    CHECK(make("ws://h?a=b").take_output().starts_with("GET /?a=b HTTP/1.1\r\n"));
}

TEST_CASE("ws_client: handshake and messages arrive whole in any split") {
    const std::string bytes = switching + frame(0x81, "שלום") + frame(0x02, "ab") + frame(0x89, "hi") +
                              frame(0x80, "cd") + frame(0x82, std::string(300, 'x'));
    for (std::size_t step = 1; step <= bytes.size(); ++step) {
        WsClient client = make();
        CHECK_FALSE(client.take_output().empty());
        const auto events = feed(client, bytes, step);
        REQUIRE(events.size() == 4);
        CHECK(events[0].kind == Kind::opened);
        CHECK(events[1].kind == Kind::text);
        CHECK(events[1].payload == "שלום");
        CHECK(events[2].kind == Kind::binary);
        CHECK(events[2].payload == "abcd");  // A ping may stand between fragments.
        CHECK(events[3].payload.size() == 300);
        CHECK(client.take_output() == std::string("\x8a\x82\x01\x02\x03\x04", 6) + char('h' ^ 1) + char('i' ^ 2));
    }
}

TEST_CASE("ws_client: what is sent is masked, and waits for the handshake") {
    WsClient client = make();
    CHECK_FALSE(client.take_output().empty());
    client.send_text("ab");
    CHECK(client.take_output().empty());
    feed(client, switching);
    CHECK(client.take_output() == std::string("\x81\x82\x01\x02\x03\x04", 6) + char('a' ^ 1) + char('b' ^ 2));
    client.send_binary(std::string(126, 'x'));
    const std::string medium = client.take_output();
    CHECK(medium.substr(0, 4) == std::string("\x82\xfe\x00\x7e", 4));
    CHECK(medium.size() == 8 + 126);
    client.send_binary(std::string(65'536, 'x'));
    CHECK(client.take_output().substr(0, 10) == std::string("\x82\xff\0\0\0\0\0\1\0\0", 10));
}

TEST_CASE("ws_client: a refused upgrade keeps status and body, where 401 and 429 are explained") {
    WsClient client = make();
    const auto events =
        feed(client, "HTTP/1.1 401 Unauthorized\r\nContent-Length: 4\r\ndg-request-id: r1\r\n\r\nnope", 3);
    REQUIRE(events.size() == 1);
    CHECK(events[0].kind == Kind::refused);
    CHECK(events[0].head.status == 401);
    CHECK(events[0].head.header("dg-request-id") == "r1");
    CHECK(events[0].payload == "nope");
    CHECK(client.is_over());
    WsClient until_end = make();
    std::vector<WsEvent> late = feed(until_end, "HTTP/1.1 429 Too Many\r\nConnection: close\r\n\r\nwait");
    CHECK(late.empty());
    until_end.feed_end(late);
    REQUIRE(late.size() == 1);
    CHECK(late[0].head.status == 429);
    CHECK(late[0].payload == "wait");
}

TEST_CASE("ws_client: a wrong accept, no upgrade, an extension and no HTTP are failures") {
    const std::string wrong[] = {
        "HTTP/1.1 101 X\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: AAAA\r\n\r\n",
        "HTTP/1.1 101 X\r\nConnection: Upgrade\r\n" + accept_line + "\r\n",
        "HTTP/1.1 101 X\r\nUpgrade: websocket\r\nSec-WebSocket-Extensions: permessage-deflate\r\n" + accept_line +
            "\r\n",
        "SSH-2.0-OpenSSH_9.2\r\n\r\n"};
    for (const std::string& answer : wrong) {
        CAPTURE(answer);
        WsClient client = make();
        const auto events = feed(client, answer);
        REQUIRE(events.size() == 1);
        CHECK(events[0].kind == Kind::failed);
        CHECK(client.is_over());
    }
}

// Found by provider_socket_fuzz: at once it was no HTTP, in pieces a connection that was gone.
TEST_CASE("ws_client: an answer that is not whole is the same failure in any split") {
    for (const std::string_view answer : {"HP./T1T1 40+ X\r\nCon0+ X\r\nContent-Leng{}", "HTTP/1.1 101 Switching"}) {
        for (const std::size_t step : {std::size_t{1}, std::size_t{2}, answer.size()}) {
            WsClient client = make();
            std::vector<WsEvent> events = feed(client, answer, step);
            client.feed_end(events);
            REQUIRE(events.size() == 1);
            CHECK(events[0].kind == Kind::failed);
        }
    }
}

TEST_CASE("ws_client: broken frames end the connection, with the code RFC 6455 names") {
    const std::pair<std::string, char> wrong[] = {
        {frame(0xc1, "x"), '\xea'},                                 // A reserved bit: 1002.
        {frame(0x83, "x"), '\xea'},                                 // An unknown opcode.
        {frame(0x80, "x"), '\xea'},                                 // A continuation of nothing.
        {frame(0x01, "x") + frame(0x81, "y"), '\xea'},              // A message inside another.
        {frame(0x09, "x"), '\xea'},                                 // A fragmented ping.
        {frame(0x89, std::string(126, 'x')), '\xea'},               // Too long a ping.
        {std::string("\x81\x81\x01\x02\x03\x04x"), '\xea'},         // Masked by a server.
        {frame(0x81, "\xff"), '\xef'},                              // No UTF-8: 1007.
        {std::string("\x81\x7f\0\0\0\0\0\x10\0\x01", 10), '\xf1'},  // One byte over the limit: 1009.
    };
    for (const auto& entry : wrong) {
        WsClient client = open();
        const auto events = feed(client, entry.first);
        REQUIRE(!events.empty());
        CHECK(events.back().kind == Kind::failed);
        const std::string out = client.take_output();
        REQUIRE(out.size() == 8);
        CHECK(out[0] == '\x88');
        CHECK(char(out[7] ^ 2) == entry.second);
    }
}

TEST_CASE("ws_client: a message may have its longest length, in fragments too") {
    WsClient client = open();
    const std::string half(WsClient::message_bytes_max / 2, 'x');
    const auto long_frame = [&](std::uint8_t first, std::string_view payload) {
        std::string out(1, static_cast<char>(first));
        out.push_back(127);
        for (int i = 7; i >= 0; --i) {
            out.push_back(static_cast<char>(std::uint64_t{payload.size()} >> (8 * i)));
        }
        return out + std::string(payload);
    };
    auto events = feed(client, long_frame(0x02, half) + long_frame(0x80, half));
    REQUIRE(events.size() == 1);
    CHECK(events[0].payload.size() == WsClient::message_bytes_max);
    events = feed(client, long_frame(0x02, half) + long_frame(0x00, half) + frame(0x80, "x"));
    REQUIRE(events.size() == 1);
    CHECK(events[0].kind == Kind::failed);
}

TEST_CASE("ws_client: a close is answered once and reported with its reason") {
    WsClient client = open();
    const auto events = feed(client, frame(0x88, std::string("\x03\xf3", 2) + "NET-0001") + frame(0x81, "late"));
    REQUIRE(events.size() == 1);
    CHECK(events[0].kind == Kind::closed);
    CHECK(events[0].code == 1011);
    CHECK(events[0].payload == "NET-0001");
    CHECK(client.take_output().size() == 8);
    client.send_text("late");
    CHECK(client.take_output().empty());
    std::vector<WsEvent> none;
    client.feed_end(none);
    CHECK(none.empty());
}

TEST_CASE("ws_client: a broken connection is closed with 1006") {
    WsClient client = open();
    std::vector<WsEvent> events;
    client.feed_end(events);
    REQUIRE(events.size() == 1);
    CHECK(events[0].kind == Kind::closed);
    CHECK(events[0].code == 1006);
    WsClient early = make();
    events.clear();
    early.feed_end(events);
    REQUIRE(events.size() == 1);
    CHECK(events[0].kind == Kind::closed);
}
