#include "worker/twilio_signature.hpp"

#include <doctest/doctest.h>

#include <algorithm>

using namespace agentlocator;

// Vectors V1-V19 were made with Twilio's own Node validator; its Python validator agrees.

namespace {

const std::string token = "0f1e2d3c4b5a69788796a5b4c3d2e1f0";
const std::string call = "CA11111111111111111111111111111111";
const std::string account = "AC22222222222222222222222222222222";

struct Sent {
    std::string method = "POST";
    std::string target;
    std::string signature{};
    std::string body{};
    std::string content_type = "application/x-www-form-urlencoded; charset=UTF-8";
};

Settings settings_for(std::string base, std::string auth_token = token) {
    Settings settings;
    settings.public_base_url = std::move(base);
    settings.twilio_auth_token = std::move(auth_token);
    return settings;
}

HttpRequest request_of(const Sent& sent) {
    HttpRequest request{.method = sent.method, .target = sent.target, .body = sent.body};
    request.headers.push_back({"Host", "inner:8080"});
    request.headers.push_back({"X-Twilio-Signature", sent.signature});
    if (!sent.body.empty()) {
        request.headers.push_back({"Content-Type", sent.content_type});
    }
    return request;
}

SignatureVerdict verdict(const Sent& sent, const Settings& settings) {
    const HttpRequest request = request_of(sent);
    const auto form = parse_form(sent.body);
    REQUIRE(form.has_value());
    return check_signature(request, *form, signed_url_candidates(request, settings, "203.0.113.1"), settings);
}

SignatureVerdict verdict(const Sent& sent, const std::string& base = "https://voice.example.com") {
    return verdict(sent, settings_for(base));
}

SignatureVerdict stream_verdict(const std::string& base, const std::string& target, const std::string& signature) {
    const Settings settings = settings_for(base);
    const HttpRequest request = request_of({.method = "GET", .target = target, .signature = signature});
    return check_signature(request, {}, signed_stream_url_candidates(request, settings, "203.0.113.1"), settings);
}

const std::string inbound_call =
    "AccountSid=" + account + "&ApiVersion=2010-04-01&CallSid=" + call +
    "&CallStatus=ringing&Called=%2B97233760000&Caller=%2B972501234567&Direction=inbound&From=%2B972501234567"
    "&FromCity=&FromCountry=IL&To=%2B97233760000&ToCountry=IL";

const Sent v2{.target = "/twilio/voice", .signature = "9OpaPx2Tucr0Uqf362ts/WjxIGk=", .body = inbound_call};

const Sent v6{.target = "/twilio/events?bodySHA256=e93f5ee888b89fdc66d74bbf25f71b9eb4473fbea3065984fb2ff237de96eaf4",
              .signature = "tfLWNz2GuGyJYnsn59bC2hr7ncA=",
              .body = R"({"event":"demo","text":"בדיקה"})",
              .content_type = "application/json"};

const Sent v13{.target = "/twilio/sms",
               .signature = "uEwXfepASaxhg5Qn+papYHn10IY=",
               .body =
                   "Body=+leading%2C+trailing+%26+plus%2Bsign+&From=%2B972501234567"
                   "&MessageSid=SM33333333333333333333333333333333"};

}  // namespace

TEST_CASE("twilio_signature: V1, the published example") {
    const Sent v1{.target = "/myapp.php?foo=1&bar=2",
                  .signature = "L/OH5YylLD5NRKLltdqwSvS0BnU=",
                  .body =
                      "CallSid=CA1234567890ABCDE&Caller=%2B14158675310&Digits=1234&From=%2B14158675310"
                      "&To=%2B18005551212"};
    CHECK(verdict(v1, settings_for("https://example.com", "12345")) == SignatureVerdict::genuine);
    CHECK(verdict(v1, settings_for("https://example.com", "12346")) == SignatureVerdict::mismatch);
}

TEST_CASE("twilio_signature: V2-V6, calls, Hebrew, WhatsApp, GET, JSON") {
    CHECK(verdict(v2) == SignatureVerdict::genuine);
    CHECK(verdict({.target = "/twilio/gather?lang=he",
                   .signature = "0VPOPB+LppusNPsOWCAFWb1L57g=",
                   .body = "AccountSid=" + account + "&CallSid=" + call +
                           "&CallStatus=in-progress&Confidence=0.91&From=%2B972501234567&SpeechResult="
                           "%D7%A9%D7%9C%D7%95%D7%9D%2C+%D7%90%D7%A0%D7%99+%D7%A8%D7%95%D7%A6%D7%94+"
                           "%D7%9C%D7%A7%D7%91%D7%95%D7%A2+%D7%AA%D7%95%D7%A8&To=%2B97233760000"}) ==
          SignatureVerdict::genuine);
    CHECK(verdict({.target = "/twilio/whatsapp",
                   .signature = "t8j/elwobcwCaEey4Fte/B4CRt4=",
                   .body = "AccountSid=" + account +
                           "&Body=%D7%94%D7%99%D7%99+%F0%9F%91%8B+%D7%9E%D7%94+%D7%A9%D7%A2%D7%95%D7%AA+"
                           "%D7%94%D7%A4%D7%AA%D7%99%D7%97%D7%94%3F&From=whatsapp%3A%2B972501234567"
                           "&MessageSid=SM33333333333333333333333333333333&NumMedia=0"
                           "&ProfileName=%D7%93%D7%A0%D7%94+%D7%9B%D7%94%D7%9F&To=whatsapp%3A%2B97233760000"
                           "&WaId=972501234567"}) == SignatureVerdict::genuine);
    CHECK(verdict({.method = "GET",
                   .target = "/twilio/voice?AccountSid=" + account + "&CallSid=" + call +
                             "&From=%2B972501234567&To=%2B97233760000",
                   .signature = "gcSGrBaXo8UP7Jyngte9NMk5C2E="}) == SignatureVerdict::genuine);
    CHECK(verdict(v6) == SignatureVerdict::genuine);
}

TEST_CASE("twilio_signature: V9-V11, ports") {
    CHECK(verdict(v2, "https://voice.example.com:8443") == SignatureVerdict::genuine);  // V9
    const Sent v10{.target = "/twilio/sms",
                   .signature = "p4lhb6n2ZfbAWRIUa+MtG6h844A=",
                   .body =
                       "Body=hi&From=%2B972501234567&MessageSid=SM33333333333333333333333333333333"
                       "&To=%2B97233760000"};
    CHECK(verdict(v10, "https://voice.example.com:8443") == SignatureVerdict::genuine);
    CHECK(verdict(v10, "https://voice.example.com") == SignatureVerdict::mismatch);  // Only a port we know is tried.
    const Sent v11{.target = "/twilio/voice",
                   .signature = "GiTbMWVpSg0xUv0XOnokJBNz254=",
                   .body = "CallSid=" + call + "&CallStatus=completed"};
    CHECK(verdict(v11, "http://voice.example.com:8080") == SignatureVerdict::genuine);
    CHECK(verdict(v11, "https://voice.example.com:8080") == SignatureVerdict::mismatch);
}

TEST_CASE("twilio_signature: V12-V14, V16, repeated names, blanks, raw queries, stream status") {
    CHECK(verdict({.target = "/twilio/multi",
                   .signature = "8SxPcVZ/jwjn9t6feyyMHLYoEOU=",
                   .body = "CallSid=" + call + "&Digits=5678&Digits=1234&Digits=1234&Z="}) ==
          SignatureVerdict::genuine);
    CHECK(verdict(v13) == SignatureVerdict::genuine);
    CHECK(verdict({.target = "/twilio/voice?tenant=%D7%A2%D7%91%D7%A8%D7%99%D7%AA&name=It's",
                   .signature = "ZB81ifnGKN8U3kWS6zk4zO7zy8k=",
                   .body = "CallSid=" + call}) == SignatureVerdict::genuine);
    CHECK(verdict({.target = "/twilio/stream-status",
                   .signature = "/QiIx7gyIBUSyFXkdjd7mtEnt4I=",
                   .body = "AccountSid=" + account + "&CallSid=" + call +
                           "&StreamEvent=stream-started&StreamName=MZ44444444444444444444444444444444"
                           "&StreamSid=MZ44444444444444444444444444444444"
                           "&Timestamp=2026-10-08T07%3A41%3A12.602648368Z"}) == SignatureVerdict::genuine);
}

TEST_CASE("twilio_signature: V7, V8, V15, V17-V19, upgrades") {
    const std::string base = "https://voice.example.com";
    const std::string v7 = "ZGLq5x5lwA3JplybVQGvOJI5P/8=";
    const std::string v8 = "p0ZnxTTfVXo2MXg/YcyYxc4QTFo=";
    CHECK(twilio_signature(token, "wss://voice.example.com/twilio/media", {}) == v7);
    for (const std::string& signature : {v7, v8}) {  // With and without slash, on either side.
        CHECK(stream_verdict(base, "/twilio/media", signature) == SignatureVerdict::genuine);
        CHECK(stream_verdict(base, "/twilio/media/", signature) == SignatureVerdict::genuine);
    }
    CHECK(stream_verdict("https://voice.example.com:8443", "/twilio/media", "0tmeLpZYp3Zpi0z71x/YyKOte7o=") ==
          SignatureVerdict::genuine);                                                                           // V15
    CHECK(stream_verdict(base, "/", "tWLldNSrgr4AyOwtJ0l9jcFQkCY=") == SignatureVerdict::genuine);              // V17
    CHECK(stream_verdict(base, "/", "Ffxo7za8ct0xc9SRWgQb7OKLTmE=") == SignatureVerdict::genuine);              // V18
    CHECK(stream_verdict(base, "/twilio/media", "LmBh/XjTzs0YXsicR62hH5uKbsM=") == SignatureVerdict::genuine);  // V19
    const HttpRequest upgrade = request_of({.method = "GET", .target = "/twilio/media"});
    CHECK(signed_stream_url_candidates(upgrade, settings_for(base), "").size() <= 12);  // Six a base URL.
}

TEST_CASE("twilio_signature: what must fail") {
    // V7 against https.
    CHECK(verdict({.method = "GET", .target = "/twilio/media", .signature = "ZGLq5x5lwA3JplybVQGvOJI5P/8="}) ==
          SignatureVerdict::mismatch);
    Sent trimmed = v13;
    trimmed.body =
        "Body=leading%2C+trailing+%26+plus%2Bsign&From=%2B972501234567"
        "&MessageSid=SM33333333333333333333333333333333";
    CHECK(verdict(trimmed) == SignatureVerdict::mismatch);
    const auto fields = parse_form(v2.body);
    CHECK(twilio_signature(token, "https://voice.example.com/twilio/voice", *fields) == v2.signature);
    CHECK(twilio_signature(token, "https://voice.example.com/twilio/voice#rc=2", *fields) != v2.signature);
    CHECK(twilio_signature(token, "https://user:pass@voice.example.com/twilio/voice", *fields) != v2.signature);
    Sent longer = v6;
    longer.body += " ";
    CHECK(verdict(longer) == SignatureVerdict::mismatch);
    Sent unsigned_request = v2;
    unsigned_request.signature = "";
    CHECK(verdict(unsigned_request) == SignatureVerdict::missing);
    HttpRequest bare = request_of(v2);
    std::erase_if(bare.headers, [](const HttpHeader& header) { return header.name == "X-Twilio-Signature"; });
    CHECK(check_signature(bare, *fields, {"https://voice.example.com/twilio/voice"}, settings_for("")) ==
          SignatureVerdict::missing);
    for (std::size_t i = 0; i < v2.signature.size(); ++i) {
        Sent changed = v2;
        changed.signature[i] = changed.signature[i] == 'A' ? 'B' : 'A';
        CHECK(verdict(changed) == SignatureVerdict::mismatch);
    }
    CHECK(verdict(v2, settings_for("https://voice.example.com", "")) == SignatureVerdict::mismatch);
}

TEST_CASE("twilio_signature: a body that nothing vouches for is refused") {
    Sent json{.target = "/twilio/voice", .body = "{}", .content_type = "application/json"};
    json.signature = twilio_signature(token, "https://voice.example.com/twilio/voice", {});
    CHECK(verdict(json) == SignatureVerdict::body_not_covered);
    json.body.clear();
    CHECK(verdict(json) == SignatureVerdict::genuine);
    // The fields of a GET are in its URL; a form body under it is not signed.
    Sent get{.method = "GET", .target = "/twilio/voice", .body = "CallSid=CA2"};
    get.signature = json.signature;
    CHECK(verdict(get) == SignatureVerdict::body_not_covered);
}

TEST_CASE("twilio_signature: either token during a rotation") {
    Settings settings = settings_for("https://voice.example.com", "new token");
    CHECK(verdict(v2, settings) == SignatureVerdict::mismatch);
    settings.twilio_auth_token_old = token;
    CHECK(verdict(v2, settings) == SignatureVerdict::genuine);
}

TEST_CASE("twilio_signature: candidates come from the configuration first, then from the request") {
    Settings settings = settings_for("https://Voice.Example.com/app");
    settings.trusted_proxies = {"private"};
    HttpRequest request = request_of({.target = "//twilio/voice?x=%20"});
    request.headers.push_back({"X-Forwarded-Host", "old.example.com"});
    request.headers.push_back({"X-Forwarded-Proto", "https"});
    const auto urls = signed_url_candidates(request, settings, "10.1.2.3");
    CHECK(urls == std::vector<std::string>{"https://Voice.Example.com/app//twilio/voice?x=%20",
                                           "https://Voice.Example.com:443/app//twilio/voice?x=%20",
                                           "https://voice.example.com/app//twilio/voice?x=%20",
                                           "https://voice.example.com:443/app//twilio/voice?x=%20",
                                           "https://old.example.com//twilio/voice?x=%20",
                                           "https://old.example.com:443//twilio/voice?x=%20"});
    // A stranger does not choose the host by forwarded headers.
    const auto strange = signed_url_candidates(request, settings_for(""), "203.0.113.1");
    CHECK(std::none_of(strange.begin(), strange.end(),
                       [](const std::string& url) { return url.find("old") != std::string::npos; }));
    // A proxy that leaves the prefix in place.
    CHECK(signed_url_candidates(request_of({.target = "/app/x"}), settings, "")[0] ==
          "https://Voice.Example.com/app/x");
    CHECK(signed_url_candidates(request_of({.target = "/apple"}), settings, "")[0] ==
          "https://Voice.Example.com/app/apple");
}

TEST_CASE("twilio_signature: an unknown scheme tries both") {
    HttpRequest request{.method = "POST", .target = "/a", .headers = {{"Host", "voice.example.com"}}};
    CHECK(signed_url_candidates(request, settings_for(""), "203.0.113.1") ==
          std::vector<std::string>{"https://voice.example.com/a", "https://voice.example.com:443/a",
                                   "http://voice.example.com/a", "http://voice.example.com:80/a"});
}

TEST_CASE("twilio_signature: ports are told from IPv6 addresses and paths") {
    CHECK(port_forms("https://[::1]/a:b") == std::vector<std::string>{"https://[::1]/a:b", "https://[::1]:443/a:b"});
    CHECK(port_forms("ws://[::1]:5000/") == std::vector<std::string>{"ws://[::1]/", "ws://[::1]:5000/"});
    CHECK(port_forms("wss://a") == std::vector<std::string>{"wss://a", "wss://a:443"});
    CHECK(port_forms("none") == std::vector<std::string>{"none"});
    CHECK(origin_form("http://a/b?c") == "/b?c");
    CHECK(origin_form("http://a") == "/");
    CHECK(origin_form("/b?u=http://a/c") == "/b?u=http://a/c");
    CHECK(origin_form("*") == "*");
}
