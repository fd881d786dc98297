#include "worker/stream_handshake.hpp"

#include <doctest/doctest.h>

#include "common/text.hpp"
#include "tests/unit/worker/web_fixture.hpp"

using namespace agentlocator;

namespace {

HttpRequest upgrade_with(std::string name, std::string value) {
    HttpRequest request = WebFixture::upgrade();
    for (HttpHeader& header : request.headers) {
        if (equal_no_case(header.name, name)) {
            header.value = std::move(value);
            return request;
        }
    }
    request.headers.push_back({std::move(name), std::move(value)});
    return request;
}

HttpRequest upgrade_without(std::string_view name) {
    HttpRequest request = WebFixture::upgrade();
    std::erase_if(request.headers, [&](const HttpHeader& header) { return equal_no_case(header.name, name); });
    return request;
}

}  // namespace

TEST_CASE("stream_handshake: the accept key of RFC 6455 1.3") {
    CHECK(websocket_accept("dGhlIHNhbXBsZSBub25jZQ==") == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
}

TEST_CASE("stream_handshake: both forms of the path are answered directly, exactly") {
    const WebFixture web;
    for (const char* target : {"/ws/twilio-media", "/ws/twilio-media/", "//ws//twilio-media", "/ws/twilio-media?x=1"}) {
        CAPTURE(target);
        const RouteResult result = route(WebFixture::upgrade({}, target), web.context);
        REQUIRE(std::holds_alternative<AcceptStream>(result.answer));
        CHECK(std::get<AcceptStream>(result.answer).response ==
              "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
              "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n");
        CHECK_FALSE(result.refused);
    }
}

TEST_CASE("stream_handshake: the subprotocol is named once, and only when offered") {
    const WebFixture web;
    const auto accept = [&](std::vector<HttpHeader> headers) {
        return std::get<AcceptStream>(route(WebFixture::upgrade(std::move(headers)), web.context).answer);
    };
    for (const char* offer : {"audio.twilio.com", "chat, Audio.Twilio.COM", " audio.twilio.com ,audio.twilio.com"}) {
        CAPTURE(offer);
        const AcceptStream stream = accept({{"sec-websocket-protocol", offer}});
        CHECK(stream.subprotocol);
        CHECK(stream.response.ends_with("\r\nSec-WebSocket-Protocol: audio.twilio.com\r\n\r\n"));
        CHECK(stream.response.find("audio.twilio.com") == stream.response.rfind("audio.twilio.com"));
    }
    CHECK(accept({{"Sec-WebSocket-Protocol", "chat"}, {"Sec-WebSocket-Protocol", "audio.twilio.com"}}).subprotocol);
    for (const char* offer : {"chat", "audio.twilio.com.evil", ""}) {
        CAPTURE(offer);
        CHECK_FALSE(contains(accept({{"Sec-WebSocket-Protocol", offer}}).response, "Sec-WebSocket-Protocol"));
    }
    // No extension is ever agreed to.
    CHECK_FALSE(contains(accept({{"Sec-WebSocket-Extensions", "permessage-deflate"}}).response, "Extensions"));
}

TEST_CASE("stream_handshake: each fault has its status and says what to do") {
    const WebFixture web;
    HttpRequest post = WebFixture::upgrade();
    post.method = "POST";
    HttpRequest old = WebFixture::upgrade();
    old.http_1_1 = false;
    HttpRequest with_body = WebFixture::upgrade();
    with_body.body = "x";
    struct Case {
        HttpRequest request;
        unsigned status;
    };
    const std::vector<Case> cases{
        {WebFixture::get("/ws/twilio-media"), 400},
        {WebFixture::get("/ws/twilio-media/"), 400},
        {WebFixture::post("/ws/twilio-media"), 405},
        {post, 405},
        {old, 400},
        {with_body, 400},
        {upgrade_with("Upgrade", "h2c"), 400},
        {upgrade_with("Connection", "keep-alive"), 400},
        {upgrade_without("Connection"), 400},
        {upgrade_with("Sec-WebSocket-Version", "8"), 426},
        {upgrade_without("Sec-WebSocket-Version"), 426},
        {upgrade_without("Sec-WebSocket-Key"), 400},
        {upgrade_with("Sec-WebSocket-Key", ""), 400},
        {upgrade_with("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ="), 400},
        {upgrade_with("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZ!=="), 400},
        {upgrade_with("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQAA"), 400},
        {WebFixture::upgrade({{"Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="}}), 400},
    };
    for (const Case& one : cases) {
        const RouteResult result = route(one.request, web.context);
        CAPTURE(one.status);
        CHECK(status_of(result) == one.status);
        CHECK(result.refused);
        REQUIRE(result.log.size() == 1);
        CHECK(contains(result.log[0], "event=stream_refused"));
        CHECK(contains(result.log[0], "remedy="));
        CHECK(response_of(result).close);
        if (one.status == 426) {
            CHECK(response_of(result).header("Sec-WebSocket-Version") == "13");
        }
        if (one.status == 405) {
            CHECK(response_of(result).header("Allow") == "GET");
        }
    }
    CHECK(status_of(route(upgrade_with("Connection", "keep-alive, Upgrade"), web.context)) == 101);
    CHECK(status_of(route(upgrade_with("Upgrade", "WebSocket"), web.context)) == 101);
}

TEST_CASE("stream_handshake: the last slot is given, the next call gets 503") {
    WebFixture web;
    web.context.call_capacity = 10;
    web.context.live_calls = 9;
    CHECK(status_of(route(WebFixture::upgrade(), web.context)) == 101);
    web.context.live_calls = 10;
    CHECK(status_of(route(WebFixture::upgrade(), web.context)) == 503);
    // MAX_CONCURRENT_CALLS is for the webhook: a call that was let in there is not dropped here.
    web.settings.max_concurrent_calls = 5;
    web.context.live_calls = 9;
    CHECK(status_of(route(WebFixture::upgrade(), web.context)) == 101);
}

TEST_CASE("stream_handshake: no signature is asked for, and no Origin judged") {
    WebFixture web;
    web.sign_with("secret");
    CHECK(status_of(route(WebFixture::upgrade({{"Origin", "https://evil"}}), web.context)) == 101);
}
