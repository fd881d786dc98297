#include "supervisor/call/url.hpp"

#include <doctest/doctest.h>

using namespace agentlocator::call;

TEST_CASE("url: split, with credentials and fragment dropped") {
    CHECK(parse_url("HTTPS://user:p@w@Voice.example.com:8443/a/b?x=1&y=2#rc=2") ==
          Url{"https", "Voice.example.com:8443", "/a/b?x=1&y=2"});
    CHECK(parse_url("wss://h") == Url{"wss", "h", "/"});
    CHECK(parse_url("http://h?x") == Url{"http", "h", "/?x"});
    CHECK(parse_url("http://[::1]:5000/ws") == Url{"http", "[::1]:5000", "/ws"});
    for (const char* bad :
         {"", "h/p", "/p", "://h", "http://", "http:///p", "http://:80/", "http://h/a b", "http://h/\r\nX: y"}) {
        CAPTURE(bad);
        CHECK_FALSE(parse_url(bad));
    }
    CHECK(parse_url("http://h/a?b/c")->path() == "/a");
    CHECK(parse_url("http://h/a?b/c")->has_query());
}

TEST_CASE("url: references resolve against the current document") {
    const Url base{"https", "h:1", "/twilio/voice?x=1"};
    CHECK(resolve_url(base, "/webhook/stream_ended")->text() == "https://h:1/webhook/stream_ended");
    CHECK(resolve_url(base, "next")->text() == "https://h:1/twilio/next");
    CHECK(resolve_url(base, "?y=2")->text() == "https://h:1/twilio/voice?y=2");
    CHECK(resolve_url(base, "")->text() == "https://h:1/twilio/voice?x=1");
    CHECK(resolve_url(base, "//other/p")->text() == "https://other/p");
    CHECK(resolve_url(base, " http://o/p ")->text() == "http://o/p");
    CHECK_FALSE(resolve_url(base, "/a b"));
}

TEST_CASE("url: a call dialled in clear goes to the dialled address, whatever name the TwiML uses") {
    const Url clear{"http", "127.0.0.1:5000", "/"};
    CHECK(route(clear, {"wss", "voice.example.com", "/ws/twilio-media"}) ==
          Route{"http://127.0.0.1:5000", "voice.example.com", "/ws/twilio-media"});
    const Url secure{"https", "voice.example.com", "/"};
    CHECK(route(secure, {"wss", "media.example.com", "/ws"}) ==
          Route{"https://media.example.com", "media.example.com", "/ws"});
    CHECK(route(secure, {"http", "old.example.com", "/x"}).dial == "http://old.example.com");
}
