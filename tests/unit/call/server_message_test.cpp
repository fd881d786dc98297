#include "supervisor/call/server_message.hpp"

#include <doctest/doctest.h>

#include "supervisor/call/base64.hpp"

using namespace agentlocator::call;

namespace {

const std::string sid = "MZ44444444444444444444444444444444";

std::string media(std::string_view payload, const std::string& stream = sid) {
    return R"({"event":"media","streamSid":")" + stream + R"(","media":{"payload":")" + std::string(payload) + R"("}})";
}

// What is wrong with a message; empty when nothing is.
std::string fault(const std::string& text) {
    ServerMessageReader reader(sid);
    Violations violations;
    const ServerMessage message = reader.read(text, violations);
    if (violations.list().empty()) {
        CHECK_FALSE(std::holds_alternative<Dropped>(message));
        return "";
    }
    CHECK(violations.list()[0].rule == Rule::invalid_message);
    CHECK(std::holds_alternative<Dropped>(message));
    return violations.list()[0].what;
}

}  // namespace

TEST_CASE("server message: the three shapes of Twilio's page") {
    ServerMessageReader reader(sid);
    Violations violations;
    const auto audio = reader.read(media(base64("hello")), violations);
    REQUIRE(std::holds_alternative<ServerMedia>(audio));
    CHECK(std::get<ServerMedia>(audio).audio == "hello");
    const auto mark =
        reader.read(R"({"event":"mark","streamSid":")" + sid + R"(","mark":{"name":"r7:3"}})", violations);
    REQUIRE(std::holds_alternative<ServerMark>(mark));
    CHECK(std::get<ServerMark>(mark).name == "r7:3");
    CHECK(std::holds_alternative<ServerClear>(
        reader.read(R"({"event":"clear","streamSid":")" + sid + "\"}", violations)));
    CHECK(violations.total() == 0);
}

TEST_CASE("server message: order, blanks and escapes of JSON do not matter") {
    ServerMessageReader reader(sid);
    Violations violations;
    const auto audio = reader.read(
        R"( { "media" : {"payload":"\u0061GVsbG8="}, "streamSid":")" + sid + R"(", "event":"media" } )", violations);
    REQUIRE(std::holds_alternative<ServerMedia>(audio));
    CHECK(std::get<ServerMedia>(audio).audio == "hello");
    CHECK(violations.total() == 0);
}

TEST_CASE("server message: 31951 for what is missing, extra, foreign or not JSON") {
    const std::string tail = R"(,"streamSid":")" + sid + "\"}";
    CHECK(fault("") == "message is not JSON");
    CHECK(fault("{\"event\":\"clear\"") == "message is not JSON");
    CHECK(fault("[1]") == "message has no event");
    CHECK(fault("{\"event\":7" + tail) == "message has no event");
    CHECK(fault("{\"event\":\"hangup\"" + tail) == "unknown event hangup");
    CHECK(fault(R"({"event":"clear"})") == "clear: field streamSid is missing");
    CHECK(fault(R"({"event":"clear","stream_sid":")" + sid + "\"}") == "clear: field streamSid is missing");
    CHECK(fault(R"({"event":"clear","sequenceNumber":"1")" + tail) == "clear: field sequenceNumber is not allowed");
    CHECK(fault(R"({"event":"clear","streamSid":"MZ0"})") == "clear: streamSid is not this stream's");
    CHECK(fault(R"({"event":"clear","streamSid":null})") == "clear: streamSid is not this stream's");
    CHECK(fault(media("aGk=", "MZ0")) == "media: streamSid is not this stream's");
    CHECK(fault(media("aGk")) == "media: payload is not base64");
    CHECK(fault(media("")) == "media: field payload is not a text, or empty");
    CHECK(fault(R"({"event":"media","media":{"payload":5})" + tail) == "media: field payload is not a text, or empty");
    CHECK(fault(R"({"event":"media","media":"x")" + tail) == "media: field media is not an object");
    CHECK(fault(R"({"event":"media","media":{"payload":"aGk=","track":"outbound"})" + tail) ==
          "media: field track is not allowed");
    CHECK(fault(R"({"event":"media","media":{})" + tail) == "media: field payload is missing");
    CHECK(fault(R"({"event":"media")" + tail) == "media: field media is missing");
    CHECK(fault(R"({"event":"mark","mark":{"name":""})" + tail) == "mark: field name is not a text, or empty");
    CHECK(fault(R"({"event":"mark","mark":{"name":"a"},"media":{})" + tail) == "mark: field media is not allowed");
    CHECK(fault(R"({"event":"media","streamSid":")" + sid + R"(","media":{"payload":"aGk=","x":"aGk="}})") ==
          "media: field x is not allowed");
}

TEST_CASE("server message: a WAV header is played, and reported") {
    ServerMessageReader reader(sid);
    Violations violations;
    const auto message = reader.read(media(base64("RIFF....WAVE")), violations);
    CHECK(std::holds_alternative<ServerMedia>(message));
    CHECK(violations.total() == 1);
}
