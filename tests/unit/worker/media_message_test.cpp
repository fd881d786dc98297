#include "worker/media_message.hpp"

#include <doctest/doctest.h>

#include <array>
#include <vector>

#include "common/mulaw.hpp"
#include "worker/base64.hpp"

using namespace agentlocator;

TEST_CASE("media_message: the scanner reads media in any key order and with blanks") {
    for (
        const char* text : {
            R"({"event":"media","sequenceNumber":"2","media":{"track":"inbound","chunk":"1","timestamp":"143","payload":"/w=="},"streamSid":"MZ1"})",
            R"({ "streamSid" : "MZ1" , "media" : { "payload" : "/w==" , "chunk" : 1 } , "event" : "media" , "sequenceNumber" : 2 } )",
        }) {
        MediaFrame frame;
        CHECK(scan_media(text, frame));
        CHECK(frame.stream_sid == "MZ1");
        CHECK(frame.payload == "/w==");
    }
}

TEST_CASE("media_message: the scanner declines what it does not know, the parser decides") {
    for (const char* text : {
             R"({"event":"mark","streamSid":"MZ1","mark":{"name":"x"}})",
             R"({"event":"media","media":{"payload":"\/w=="},"streamSid":"MZ1"})",
             R"({"event":"media","media":{"payload":"/w==","track":"outbound"},"streamSid":"MZ1"})",
             R"({"event":"media","media":{},"streamSid":"MZ1"})",
             R"({"event":"media","media":{"payload":"/w=="},"streamSid":"MZ1"} x)",
             R"({"event":"media","media":{"payload":"/w=="},"streamSid":"MZ1")",
             R"({"event":"media","media":{"payload":"/w=="},"extra":{"a":[1]}})",
             "",
             "{",
             "[]",
             "null",
             R"({"event")",
             R"({"event":)",
         }) {
        CAPTURE(text);
        MediaFrame frame;
        CHECK_FALSE(scan_media(text, frame));
    }
    StreamMessage message;
    REQUIRE(
        parse_message(R"({"event":"media","media":{"payload":"\/w==","track":"inbound"},"streamSid":"MZ1"})", message));
    CHECK(message.payload == "/w==");
    CHECK_FALSE(message.outbound_track);
}

TEST_CASE("media_message: start gives ids from every place the senders use") {
    StreamMessage message;
    REQUIRE(parse_message(
        R"({"event":"start","start":{"streamSid":"MZ1","callSid":"CA1","customParameters":{"from":"+972"},)"
        R"("mediaFormat":{"encoding":"audio/x-mulaw","sampleRate":"8000","channels":1}}})",
        message));
    CHECK(message.event == StreamEvent::start);
    CHECK(message.stream_sid == "MZ1");
    CHECK(message.call_sid == "CA1");
    CHECK(message.parameter("from") == "+972");
    CHECK(message.sample_rate == 8000);
    for (const char* key : {"CallSid", "call_sid", "CALL_SID"}) {
        REQUIRE(parse_message(
            R"({"event":"start","streamSid":"MZ2","start":{"customParameters":{")" + std::string(key) + R"(":"CA2"}}})",
            message));
        CHECK(message.stream_sid == "MZ2");
        CHECK(message.call_sid == "CA2");
    }
    REQUIRE(parse_message(
        R"({"event":"start","start":{"streamSid":"MZ3","customParameters":"{\"call_sid\":\"CA3\"}"}})", message));
    CHECK(message.call_sid == "CA3");
}

TEST_CASE("media_message: wrong types leave fields empty, wrong JSON is told") {
    StreamMessage message;
    CHECK(parse_message(R"({"event":"start","start":[1,2],"streamSid":7})", message));
    CHECK(message.stream_sid.empty());
    CHECK(parse_message(R"({"event":"dtmf","dtmf":{"digit":"12"}})", message));
    CHECK(message.digit == 0);
    CHECK(parse_message(R"({"event":"dtmf","dtmf":{"digit":"#"}})", message));
    CHECK(message.digit == '#');
    CHECK(parse_message(R"({"event":"someday"})", message));
    CHECK(message.event == StreamEvent::unknown);
    for (const char* text : {"", "{", "[]", "7", R"({"event":7})", R"({"x":1})", R"({"event":"media",})"}) {
        CAPTURE(text);
        CHECK_FALSE(parse_message(text, message));
    }
    CHECK_FALSE(parse_message(std::string(60'000, '['), message));
}

TEST_CASE("media_message: we send exactly the three shapes") {
    std::array<char, 512> out;
    CHECK(std::string_view(out.data(), write_clear("MZ1", out.data())) == R"({"event":"clear","streamSid":"MZ1"})");
    CHECK(std::string_view(out.data(), write_mark("MZ1", "tts_1", out.data())) ==
          R"({"event":"mark","streamSid":"MZ1","mark":{"name":"tts_1"}})");
    CHECK(std::string_view(out.data(), write_media_text("MZ1", "/w==", out.data())) ==
          R"({"event":"media","streamSid":"MZ1","media":{"payload":"/w=="}})");
    CHECK(plain_id("MZ44444444444444444444444444444444"));
    CHECK_FALSE(plain_id(""));
    CHECK_FALSE(plain_id("a\"b"));
    CHECK_FALSE(plain_id("a b"));
}

TEST_CASE("base64: round trip at every length; garbage and bad padding are refused") {
    for (std::size_t size = 0; size < 200; ++size) {
        std::vector<std::uint8_t> bytes(size);
        for (std::size_t i = 0; i < size; ++i) {
            bytes[i] = static_cast<std::uint8_t>(i * 37 + size);
        }
        std::string text(base64_size(size), '?');
        base64_encode(bytes, text.data());
        std::vector<std::uint8_t> back(size + 3);
        const auto count = base64_decode(text, back.data());
        REQUIRE(count.has_value());
        back.resize(*count);
        CHECK(back == bytes);
    }
    std::array<std::uint8_t, 64> out;
    for (const char* text :
         {"A", "AAA", "AAAAA", "A===", "====", "AA=A", "A*==", "AAA\n", "AB==", "AAB=", "=AAA", "A A="}) {
        CAPTURE(text);
        CHECK_FALSE(base64_decode(text, out.data()));
    }
    CHECK(base64_decode("", out.data()) == 0);
}

TEST_CASE("mulaw: codes and samples agree with G.711") {
    CHECK(mulaw_to_pcm(0xff) == 0);
    CHECK(mulaw_to_pcm(0x7f) == 0);
    CHECK(mulaw_to_pcm(0x80) == 32124);
    CHECK(mulaw_to_pcm(0x00) == -32124);  // The loud click of F-25.
    for (int code = 0; code < 256; ++code) {
        const auto byte = static_cast<std::uint8_t>(code);
        const std::uint8_t back = pcm_to_mulaw(mulaw_to_pcm(byte));
        CHECK((back == byte || byte == 0x7f));  // 0x7f is the second zero.
    }
    CHECK(mulaw_mean_square({}) == 0);
    const std::vector<std::uint8_t> loud(160, 0x80);
    CHECK(mulaw_mean_square(loud) == 32124U * 32124U);
}
