#include "worker/twiml.hpp"

#include <doctest/doctest.h>

using namespace agentlocator;

namespace {

const BaseUrl base = *parse_base_url("https://voice.example.com");

ConnectDocument document_for(std::string_view call_sid, std::string_view from = {}, std::string_view token = {}) {
    return connect_document({.base = base, .call_sid = call_sid, .from = from, .to = {}, .token = token});
}

}  // namespace

TEST_CASE("twiml: the connect document, character for character") {
    const auto document = connect_document(
        {.base = base, .call_sid = "CA_TEST", .from = "+972501234567", .to = "+97233760000", .token = "t1.5.ab"});
    CHECK(document.xml ==
          R"(<?xml version="1.0" encoding="UTF-8"?><Response><Connect )"
          R"(action="https://voice.example.com/webhook/stream_ended" method="POST"><Stream )"
          R"(url="wss://voice.example.com/ws/twilio-media" )"
          R"(statusCallback="https://voice.example.com/webhook/stream_status" statusCallbackMethod="POST">)"
          R"(<Parameter name="call_sid" value="CA_TEST"/><Parameter name="CallSid" value="CA_TEST"/>)"
          R"(<Parameter name="from" value="+972501234567"/><Parameter name="to" value="+97233760000"/>)"
          R"(<Parameter name="token" value="t1.5.ab"/></Stream></Connect><Hangup/></Response>)");
    CHECK(document.dropped.empty());
}

TEST_CASE("twiml: no double slash but behind a scheme, no blank between tags") {
    const BaseUrl mounted = *parse_base_url("http://127.0.0.1:5000//app//");
    const auto document = connect_document({.base = mounted, .call_sid = "CA1", .from = {}, .to = {}, .token = {}});
    std::string xml = document.xml;
    for (auto at = xml.find("://"); at != std::string::npos; at = xml.find("://")) {
        xml.replace(at, 3, ":");
    }
    CHECK(xml.find("//") == std::string::npos);
    CHECK(xml.find("> ") == std::string::npos);
    CHECK(xml.find('\n') == std::string::npos);
    CHECK(document.xml.find("url=\"wss://127.0.0.1:5000/app/ws/twilio-media\"") != std::string::npos);
}

TEST_CASE("twiml: what a caller sends cannot leave its attribute") {
    const auto document = document_for("CA1", "\"/><Dial>+1900</Dial><x a=\"&amp;");
    CHECK(document.xml.find("<Dial>") == std::string::npos);
    CHECK(document.xml.find("value=\"&quot;/&gt;&lt;Dial&gt;+1900&lt;/Dial&gt;&lt;x a=&quot;&amp;amp;\"") !=
          std::string::npos);
}

TEST_CASE("twiml: text that XML cannot hold is replaced, the rest stays") {
    constexpr const char* bad = "\xEF\xBF\xBD";
    CHECK(xml_escape("שלום 👋 'it'") == "שלום 👋 &apos;it&apos;");
    CHECK(xml_escape("a\tb\r\n") == "a&#9;b&#13;&#10;");
    CHECK(xml_escape(std::string("\0", 1)) == bad);
    CHECK(xml_escape("\x01\x7f") == std::string(bad) + "\x7f");  // DEL is a legal Char.
    CHECK(xml_escape("\xff") == bad);
    CHECK(xml_escape("a\xd7") == std::string("a") + bad);                         // Cut short.
    CHECK(xml_escape("\xc0\xaf") == std::string(bad) + bad);                      // Overlong '/'.
    CHECK(xml_escape("\xed\xa0\x80") == std::string(bad) + bad + bad);            // Surrogate.
    CHECK(xml_escape("\xf4\x90\x80\x80") == std::string(bad) + bad + bad + bad);  // Above U+10FFFF.
    CHECK(xml_escape("\xef\xbf\xbf") == bad);                                     // U+FFFF
    CHECK(xml_escape("\xf4\x8f\xbf\xbd") == "\xf4\x8f\xbf\xbd");                  // U+10FFFD
}

TEST_CASE("twiml: a parameter at Twilio's limit is passed, one byte more is dropped and named") {
    const std::string fits(parameter_bytes_max - std::string_view("from").size(), 'x');
    CHECK(document_for("CA1", fits).dropped.empty());
    const auto document = document_for("CA1", fits + "x");
    CHECK(document.dropped == std::vector<std::string_view>{"from"});
    CHECK(document.xml.find("name=\"from\"") == std::string::npos);
    CHECK(document.xml.find("name=\"CallSid\"") != std::string::npos);
}

TEST_CASE("twiml: absent values make no parameter") {
    CHECK(document_for("").xml.find("<Parameter") == std::string::npos);
}

TEST_CASE("twiml: the documents without parts") {
    CHECK(empty_document() == R"(<?xml version="1.0" encoding="UTF-8"?><Response/>)");
    CHECK(busy_document().find("Google.he-IL-Wavenet-A") != std::string_view::npos);
    CHECK(busy_document().find("language=\"en-US\"") != std::string_view::npos);
    CHECK(busy_document().ends_with("<Hangup/></Response>"));
}
