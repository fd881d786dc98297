#include "supervisor/child_record.hpp"

#include <doctest/doctest.h>

using namespace agentlocator;

namespace {

const ChildRecords sample{"0123456789abcdef0123456789abcdef",
                          "b7c1",
                          41,
                          900,
                          {{"1", 42, 1000, 7, 123456789, 3, 2, {11, 22}, "5f"}, {"bridge", 43, 1001}}};

}  // namespace

TEST_CASE("child_record: what is written is read back") {
    const auto read = parse_child_records(encode_child_records(sample));
    REQUIRE(read.has_value());
    CHECK(*read == sample);
}

TEST_CASE("child_record: a file cut at any byte is refused, never half read") {
    const std::string text = encode_child_records(sample);
    for (std::size_t size = 0; size + 2 < text.size(); ++size) {
        CHECK_FALSE(parse_child_records(std::string_view(text).substr(0, size)).has_value());
    }
}

TEST_CASE("child_record: a record that could name the wrong process is refused") {
    const auto with_child = [](const std::string& child) {
        return R"({"format":1,"instance":"i","boot_id":"b","supervisor":{"pid":5,"start_ticks":6},"children":[)" +
               child + "]}";
    };
    CHECK(parse_child_records(with_child(R"({"slot":"1","pid":2,"start_ticks":3})")).has_value());
    CHECK_FALSE(parse_child_records(with_child(R"({"slot":"1","pid":1,"start_ticks":3})")).has_value());
    CHECK_FALSE(parse_child_records(with_child(R"({"slot":"1","pid":0,"start_ticks":3})")).has_value());
    CHECK_FALSE(parse_child_records(with_child(R"({"slot":"1","pid":-7,"start_ticks":3})")).has_value());
    CHECK_FALSE(parse_child_records(with_child(R"({"slot":"1","pid":2})")).has_value());
    CHECK_FALSE(parse_child_records(with_child(R"({"slot":"1","pid":"2","start_ticks":3})")).has_value());
    CHECK_FALSE(
        parse_child_records(with_child(R"({"slot":"1","pid":18446744073709551615,"start_ticks":3})")).has_value());
    CHECK_FALSE(parse_child_records(with_child("7")).has_value());
    CHECK_FALSE(
        parse_child_records(R"({"format":2,"instance":"i","boot_id":"b","supervisor":{},"children":[]})").has_value());
    CHECK_FALSE(parse_child_records("[]").has_value());
}
