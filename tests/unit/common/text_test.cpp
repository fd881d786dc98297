#include "common/text.hpp"

#include <doctest/doctest.h>

#include "common/log_line.hpp"
#include "common/ws_mode.hpp"

using namespace agentlocator;

TEST_CASE("text: split keeps empty parts, trim takes blanks of both ends") {
    CHECK(split("a,,b", ',') == std::vector<std::string_view>{"a", "", "b"});
    CHECK(split("", ',') == std::vector<std::string_view>{""});
    CHECK(trim(" \t a b\r\n") == "a b");
    CHECK(trim("   ").empty());
}

TEST_CASE("text: an integer is all of the text or nothing") {
    CHECK(parse_integer("5000") == 5000);
    CHECK(parse_integer("-3") == -3);
    CHECK_FALSE(parse_integer("abc"));
    CHECK_FALSE(parse_integer("12 "));
    CHECK_FALSE(parse_integer(""));
    CHECK_FALSE(parse_integer("99999999999999999999"));
}

TEST_CASE("text: constant-time compare agrees with ==") {
    CHECK(equal_constant_time("secret", "secret"));
    CHECK_FALSE(equal_constant_time("secret", "secres"));
    CHECK_FALSE(equal_constant_time("secret", "secre"));
    CHECK_FALSE(equal_constant_time("", "x"));
    CHECK(equal_constant_time("", ""));
}

TEST_CASE("ws_mode: any case is read, anything else is not") {
    CHECK(parse_ws_mode("ai") == WsMode::ai);
    CHECK(parse_ws_mode("Echo") == WsMode::echo);
    CHECK(parse_ws_mode("SINK") == WsMode::sink);
    CHECK_FALSE(parse_ws_mode("FOO"));
    CHECK_FALSE(parse_ws_mode(""));
    CHECK_FALSE(parse_ws_mode("AI "));
}

TEST_CASE("log_line: a peer cannot forge a line or a field") {
    CHECK(log_line("worker_exited", {{"worker", 3}, {"signal", 9}}) == "event=worker_exited worker=3 signal=9");
    CHECK(log_value("plain/value") == "plain/value");
    CHECK(log_value("") == "\"\"");
    CHECK(log_value("a b") == "\"a b\"");
    CHECK(log_value("x\nevent=forged") == "\"x\\nevent=forged\"");
    CHECK(log_value("say \"hi\"\x01") == "\"say \\\"hi\\\"\\x01\"");
}
