#include "supervisor/call/signature.hpp"

#include <doctest/doctest.h>

using namespace agentlocator::call;

namespace {

constexpr const char* token = "0f1e2d3c4b5a69788796a5b4c3d2e1f0";
const std::string account = "AC22222222222222222222222222222222";
const std::string call_sid = "CA11111111111111111111111111111111";
const std::string stream_sid = "MZ44444444444444444444444444444444";

}  // namespace

// The expected values were computed with Twilio's official Node validator and checked with the Python one.
TEST_CASE("signature: Twilio's published example") {
    CHECK(twilio_signature("12345", "https://example.com/myapp.php?foo=1&bar=2",
                           {{"Digits", "1234"},
                            {"To", "+18005551212"},
                            {"From", "+14158675310"},
                            {"Caller", "+14158675310"},
                            {"CallSid", "CA1234567890ABCDE"}}) == "L/OH5YylLD5NRKLltdqwSvS0BnU=");
}

TEST_CASE("signature: an inbound call with an empty value; fragment and credentials are not signed") {
    const FormParameters call{{"AccountSid", account},   {"ApiVersion", "2010-04-01"}, {"CallSid", call_sid},
                              {"CallStatus", "ringing"}, {"Called", "+97233760000"},   {"Caller", "+972501234567"},
                              {"Direction", "inbound"},  {"From", "+972501234567"},    {"FromCity", ""},
                              {"FromCountry", "IL"},     {"To", "+97233760000"},       {"ToCountry", "IL"}};
    const std::string signature = "9OpaPx2Tucr0Uqf362ts/WjxIGk=";
    CHECK(twilio_signature(token, "https://voice.example.com/twilio/voice", call) == signature);
    CHECK(twilio_signature(token, "https://voice.example.com/twilio/voice#rc=2", call) == signature);
    CHECK(twilio_signature(token, "https://user:p@ss@voice.example.com/twilio/voice", call) == signature);
}

TEST_CASE("signature: Hebrew, emoji, blanks at both ends, repeated names") {
    CHECK(twilio_signature(token, "https://voice.example.com/twilio/gather?lang=he",
                           {{"AccountSid", account},
                            {"CallSid", call_sid},
                            {"CallStatus", "in-progress"},
                            {"Confidence", "0.91"},
                            {"From", "+972501234567"},
                            {"SpeechResult", "שלום, אני רוצה לקבוע תור"},
                            {"To", "+97233760000"}}) == "0VPOPB+LppusNPsOWCAFWb1L57g=");
    CHECK(twilio_signature(
              token, "https://voice.example.com/twilio/multi",
              {{"CallSid", call_sid}, {"Digits", "5678"}, {"Digits", "1234"}, {"Digits", "1234"}, {"Z", ""}}) ==
          "8SxPcVZ/jwjn9t6feyyMHLYoEOU=");
    CHECK(twilio_signature(token, "https://voice.example.com/twilio/sms",
                           {{"Body", " leading, trailing & plus+sign "},
                            {"From", "+972501234567"},
                            {"MessageSid", "SM33333333333333333333333333333333"}}) == "uEwXfepASaxhg5Qn+papYHn10IY=");
    CHECK(twilio_signature(token,
                           "https://voice.example.com/twilio/voice?tenant=%D7%A2%D7%91%D7%A8%D7%99%D7%AA&name=It's",
                           {{"CallSid", call_sid}}) == "ZB81ifnGKN8U3kWS6zk4zO7zy8k=");
}

TEST_CASE("signature: the upgrade signs wss:// and nothing else; ports are kept as given") {
    CHECK(twilio_signature(token, "wss://voice.example.com/twilio/media", {}) == "ZGLq5x5lwA3JplybVQGvOJI5P/8=");
    CHECK(twilio_signature(token, "wss://voice.example.com/twilio/media/", {}) == "p0ZnxTTfVXo2MXg/YcyYxc4QTFo=");
    CHECK(twilio_signature(token, "wss://voice.example.com:8443/twilio/media", {}) == "0tmeLpZYp3Zpi0z71x/YyKOte7o=");
    CHECK(twilio_signature(token, "wss://voice.example.com", {}) == "tWLldNSrgr4AyOwtJ0l9jcFQkCY=");
    CHECK(twilio_signature(token, "wss://voice.example.com/", {}) == "Ffxo7za8ct0xc9SRWgQb7OKLTmE=");
    CHECK(twilio_signature(token, "http://voice.example.com:8080/twilio/voice",
                           {{"CallSid", call_sid}, {"CallStatus", "completed"}}) == "GiTbMWVpSg0xUv0XOnokJBNz254=");
}

TEST_CASE("signature: a stream status callback") {
    CHECK(twilio_signature(token, "https://voice.example.com/twilio/stream-status",
                           {{"AccountSid", account},
                            {"CallSid", call_sid},
                            {"StreamEvent", "stream-started"},
                            {"StreamName", stream_sid},
                            {"StreamSid", stream_sid},
                            {"Timestamp", "2026-10-08T07:41:12.602648368Z"}}) == "/QiIx7gyIBUSyFXkdjd7mtEnt4I=");
}

TEST_CASE("form: encoded as a form, empty values kept") {
    CHECK(form_encode({{"From", "+972501234567"}, {"Body", "a b&c=d"}, {"FromCity", ""}, {"Name", "דנה"}}) ==
          "From=%2B972501234567&Body=a+b%26c%3Dd&FromCity=&Name=%D7%93%D7%A0%D7%94");
    CHECK(form_encode({}).empty());
}
