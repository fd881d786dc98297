#include "worker/providers/failure.hpp"

#include <doctest/doctest.h>

#include "worker/ws_codec.hpp"

using namespace agentlocator;
using namespace std::chrono_literals;
using Class = ProviderErrorClass;

namespace {

const ProviderPlace place{"openai", "chat", "OPENAI_API_KEY", "OPENAI_LLM_MODEL", "OPENAI_BASE_URL"};

Class class_of(int status, std::string_view body = {}) {
    return http_error(place, {status, {}}, body).error_class;
}

bool contains(std::string_view text, std::string_view part) {
    return text.find(part) != std::string_view::npos;
}

}  // namespace

TEST_CASE("failure: a status alone has its class") {
    const std::pair<int, Class> table[] = {
        {400, Class::bad_request}, {401, Class::auth},        {402, Class::quota},        {403, Class::auth},
        {404, Class::bad_request}, {408, Class::timeout},     {409, Class::server},       {413, Class::bad_request},
        {415, Class::bad_request}, {422, Class::bad_request}, {429, Class::rate_limited}, {500, Class::server},
        {502, Class::server},      {503, Class::server},      {504, Class::timeout},      {529, Class::server},
        {302, Class::server},
    };
    for (const auto& entry : table) {
        CAPTURE(entry.first);
        CHECK(class_of(entry.first) == entry.second);
    }
}

TEST_CASE("failure: the vendor's code goes before the status") {
    CHECK(class_of(429, R"({"error":{"message":"m","type":"tokens","code":"rate_limit_exceeded"}})") ==
          Class::rate_limited);
    CHECK(class_of(429, R"({"error":{"message":"m","type":"insufficient_quota","code":"insufficient_quota"}})") ==
          Class::quota);
    CHECK(class_of(429, R"({"error":{"message":"m","code":"credit_balance_exhausted"}})") == Class::quota);
    CHECK(class_of(401, R"({"detail":{"status":"quota_exceeded","message":"m"}})") == Class::quota);  // ElevenLabs
    CHECK(class_of(401, R"({"detail":{"status":"invalid_api_key","message":"m"}})") == Class::auth);
    CHECK(class_of(429, R"({"detail":{"status":"system_busy","message":"m"}})") == Class::rate_limited);
    CHECK(class_of(400, R"({"error":{"code":"content_filter","message":"m"}})") == Class::content_filter);
    CHECK(class_of(400, R"({"error":"invalid_grant","error_description":"Invalid JWT Signature."})") ==
          Class::bad_request);  // A string alone is a message; the token exchange reads it itself.
    CHECK(class_of(529, R"({"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}})") ==
          Class::server);
    CHECK(class_of(402, R"({"type":"error","error":{"type":"billing_error","message":"m"}})") == Class::quota);
    CHECK(class_of(429, R"({"error":{"code":429,"message":"m","status":"RESOURCE_EXHAUSTED"}})") ==
          Class::rate_limited);
    CHECK(class_of(403, R"({"error":{"code":403,"message":"m","status":"PERMISSION_DENIED"}})") == Class::auth);
    CHECK(class_of(503, R"({"error":{"code":503,"message":"Loading model","type":"unavailable_error"}})") ==
          Class::server);
    CHECK(class_of(401, R"({"err_code":"INVALID_AUTH","err_msg":"Invalid credentials."})") == Class::auth);
}

TEST_CASE("failure: the message is found in every shape of body") {
    const std::pair<const char*, const char*> bodies[] = {
        {R"({"error":{"message":"found"}})", "found"},
        {R"([{"error":{"message":"found","code":400}}])", "found"},
        {R"({"error":"found"})", "found"},
        {R"({"detail":"found"})", "found"},
        {R"({"detail":{"message":"found"}})", "found"},
        {R"({"detail":[{"loc":["body"],"msg":"found","type":"missing"}]})", "found"},
        {R"({"message":"found"})", "found"},
        {R"({"err_code":"X","err_msg":"found"})", "found"},
        {"<html>found</html>", "<html>found</html>"},
        {"found", "found"},
        {R"({"error":null,"message":"found"})", "found"},
        {R"({"error":{"message":null}})", ""},
        {"", ""},
        {"{", "{"},
    };
    for (const auto& entry : bodies) {
        CAPTURE(entry.first);
        CHECK(read_error_body(entry.first).message == entry.second);
    }
}

TEST_CASE("failure: how long to wait is read from every place it may stand in") {
    const auto wait = [](std::vector<HttpHeader> headers, std::string_view body = {}) {
        return http_error(place, {429, std::move(headers)}, body).retry_after;
    };
    CHECK(wait({{"Retry-After", "2"}}) == Duration(2s));
    CHECK(wait({{"retry-after-ms", "250"}, {"retry-after", "9"}}) == Duration(250ms));
    CHECK(wait({{"Retry-After", "Sat, 21 Nov 2026 10:00:05 GMT"}, {"Date", "Sat, 21 Nov 2026 10:00:00 GMT"}}) ==
          Duration(5s));
    CHECK_FALSE(wait({{"Retry-After", "Sat, 21 Nov 2026 10:00:05 GMT"}}));
    CHECK_FALSE(wait({{"Retry-After", "-1"}}));
    CHECK(wait({{"Retry-After", "600"}}) == Duration(600s));
    CHECK_FALSE(wait({{"Retry-After", "601"}}));
    CHECK_FALSE(wait({{"Retry-After", "soon"}}));
    CHECK_FALSE(wait({}));
    CHECK(wait({}, R"({"error":{"message":"m","details":[{"retryDelay":"17s"}]}})") == Duration(17s));
}

TEST_CASE("failure: gRPC, close codes and transport have their classes") {
    const std::pair<int, Class> codes[] = {{1, Class::cancelled},   {3, Class::bad_request}, {4, Class::timeout},
                                           {5, Class::bad_request}, {7, Class::auth},        {8, Class::rate_limited},
                                           {9, Class::bad_request}, {11, Class::lifetime},   {13, Class::server},
                                           {14, Class::server},     {16, Class::auth},       {99, Class::server},
                                           {-1, Class::server}};
    for (const auto& entry : codes) {
        CAPTURE(entry.first);
        CHECK(grpc_error(place, entry.first, "m").error_class == entry.second);
    }
    CHECK(close_error(place, 1006, "").error_class == Class::network);
    CHECK(close_error(place, 1011, "NET-0001").error_class == Class::network);
    CHECK(close_error(place, 1012, "").error_class == Class::network);
    CHECK(close_error(place, 1007, "").error_class == Class::bad_request);
    CHECK(close_error(place, 1008, "DATA-0000").error_class == Class::bad_request);
    CHECK(close_error(place, 1002, "").error_class == Class::protocol);
    CHECK(close_error(place, 1008, "insufficient_quota").error_class == Class::quota);
    const std::pair<TransportFault, Class> faults[] = {{TransportFault::resolve, Class::network},
                                                       {TransportFault::connect, Class::network},
                                                       {TransportFault::connect_timeout, Class::timeout},
                                                       {TransportFault::tls, Class::network},
                                                       {TransportFault::certificate, Class::auth},
                                                       {TransportFault::proxy, Class::network},
                                                       {TransportFault::broken, Class::network},
                                                       {TransportFault::timeout, Class::timeout},
                                                       {TransportFault::too_large, Class::protocol},
                                                       {TransportFault::protocol, Class::protocol},
                                                       {TransportFault::local, Class::network}};
    for (const auto& entry : faults) {
        CHECK(transport_error(place, {entry.first, "x"}).error_class == entry.second);
    }
}

TEST_CASE("failure: every class that somebody can mend has a remedy naming the setting") {
    CHECK(contains(make_error(place, Class::auth, "").remedy, "OPENAI_API_KEY"));
    CHECK(contains(make_error(place, Class::quota, "").remedy, "OPENAI_API_KEY"));
    CHECK(contains(make_error(place, Class::bad_request, "").remedy, "OPENAI_LLM_MODEL"));
    CHECK(contains(make_error(place, Class::network, "").remedy, "OPENAI_BASE_URL"));
    CHECK(contains(transport_error(place, {TransportFault::certificate, "x"}).remedy, "SSL_CERT_FILE"));
}

TEST_CASE("failure: no key survives in a message, and plain words do") {
    for (const std::string secret :
         {"sk-proj-abc123DEF456ghi", "gsk_AbCd1234567890", "AIzaSyD-1234567890abcdefghij", "ya29.c.EXAMPLE0123",
          "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJh", "0123456789abcdef0123456789abcdef"}) {
        CAPTURE(secret);
        const std::string text = redacted("Incorrect API key provided: " + secret + ". You can find yours online.");
        CHECK_FALSE(contains(text, secret.substr(3, 9)));
        CHECK(contains(text, "Incorrect API key provided: ***"));
    }
    CHECK(redacted("GET https://x.example/v1?key=short&a=b") == "GET https://x.example/v1?key=***&a=b");
    CHECK(redacted("Authorization: Bearer tiny") == "Authorization: Bearer ***");
    CHECK(redacted("model gpt-6-luna not found in eu-west-1") == "model gpt-6-luna not found in eu-west-1");
    CHECK(redacted("שלום עולם") == "שלום עולם");
}

TEST_CASE("failure: a message has its longest length, whole letters and one line") {
    CHECK(redacted(std::string(300, '!')).size() == 300);
    CHECK(redacted(std::string(301, '!')).size() == 300);
    std::string hebrew;
    for (int i = 0; i < 200; ++i) {
        hebrew += "ש";
    }
    const std::string odd = redacted("!" + hebrew);
    CHECK(odd.size() == 299);
    CHECK(valid_utf8({reinterpret_cast<const std::uint8_t*>(odd.data()), odd.size()}));
    CHECK(redacted("a\r\nb\x01 c") == "a b c");
    CHECK(redacted("a\xff b") == "a\xef\xbf\xbd b");
}
