#include "worker/api/io/http_media.hpp"

#include <doctest/doctest.h>

using namespace agentlocator;

namespace {

Settings settings() {
    Settings made;
    made.bridge_enabled = true;
    made.bridge_port = 4001;
    made.bridge_secret = "bridge-secret";
    made.twilio_account_sid = "AC1";
    made.twilio_auth_token = "token";
    made.providers.twilio_api_url = "https://api.twilio.com";
    return made;
}

}  // namespace

TEST_CASE("http media: a file of the bridge is asked of the bridge, with its secret") {
    const auto call = media_call(settings(), "baileys", "/v1/media/in:972@s.whatsapp.net:3A");
    REQUIRE(call);
    CHECK(call->method == "GET");
    CHECK(call->url == "http://127.0.0.1:4001/v1/media/in%3A972%40s.whatsapp.net%3A3A");
    CHECK(call->headers[0].value == "Bearer bridge-secret");
}

TEST_CASE("http media: a file of Twilio is asked of Twilio, with our account") {
    const auto call = media_call(settings(), "twilio", "https://api.twilio.com/2010-04-01/Accounts/AC1/Media/ME1");
    REQUIRE(call);
    CHECK(call->headers[0].value == "Basic QUMxOnRva2Vu");
}

TEST_CASE("http media: no other address is asked, whatever a message names") {
    for (const char* url :
         {"", "http://127.0.0.1:4001/v1/media/x", "https://api.twilio.com.evil.example/x", "http://api.twilio.com/x",
          "https://169.254.169.254/latest", "file:///etc/passwd", "https://api.twilio.com@evil.example/x"}) {
        CAPTURE(url);
        CHECK_FALSE(media_call(settings(), "twilio", url));
        CHECK_FALSE(media_call(settings(), "baileys", url));
    }
    // Neither way out of the path, nor a question.
    CHECK(media_call(settings(), "baileys", "/v1/media/../messages?x=1")->url ==
          "http://127.0.0.1:4001/v1/media/..%2Fmessages%3Fx%3D1");
    Settings bare = settings();
    bare.bridge_enabled = false;
    bare.twilio_auth_token.clear();
    CHECK_FALSE(media_call(bare, "baileys", "/v1/media/x"));
    CHECK_FALSE(media_call(bare, "twilio", "https://api.twilio.com/x"));
}

TEST_CASE("http media: which answers may be others later") {
    const auto later = [](int status) { return media_file({.status = status}, "").later; };
    CHECK(media_file({.status = 200, .headers = {{"Content-Type", "audio/ogg"}}}, "OggS").sound.mime == "audio/ogg");
    for (const int status : {401, 404, 410, 422}) {
        CHECK_FALSE(later(status));
    }
    for (const int status : {429, 500, 503}) {
        CHECK(later(status));
    }
}
