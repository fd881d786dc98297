#include "supervisor/lock_record.hpp"

#include <doctest/doctest.h>

using namespace agentlocator;

namespace {

const LockRecord record{123,
                        456789,
                        "boot-1",
                        "0123456789abcdef",
                        "/opt/a b/agentlocator",
                        "2026-01-02T03:04:05Z",
                        "/run/agentlocator/control.sock"};

}  // namespace

TEST_CASE("lock_record: what is written is read back") {
    CHECK(parse_lock_record(encode_lock_record(record)) == record);
    LockRecord strange = record;
    strange.executable = "/opt/\"quote\"\n\xd7\xa9";
    CHECK(parse_lock_record(encode_lock_record(strange)) == strange);
}

TEST_CASE("lock_record: a record cut at any byte names nobody") {
    const std::string text = encode_lock_record(record);
    for (std::size_t length = 0; length < text.size() - 2; ++length) {
        CHECK_FALSE(parse_lock_record(text.substr(0, length)));
    }
}

TEST_CASE("lock_record: pids that are no process are refused") {
    for (const char* pid : {"0", "-1", "\"7\"", "1.5", "4194305", "99999999999999999999"}) {
        CHECK_FALSE(parse_lock_record("{\"pid\":" + std::string(pid) + ",\"start_ticks\":1}"));
    }
    CHECK(parse_lock_record("{\"pid\":4194304,\"start_ticks\":1}"));
    CHECK_FALSE(parse_lock_record("{\"pid\":7}"));
    CHECK_FALSE(parse_lock_record("[1]"));
    CHECK_FALSE(parse_lock_record(""));
    CHECK(parse_lock_record("{\"pid\":7,\"start_ticks\":1,\"executable\":5}")->executable.empty());
}

TEST_CASE("lock_record: only a lock may be written over") {
    CHECK(is_lock_content(""));
    CHECK(is_lock_content("\n"));
    CHECK(is_lock_content("1234\n"));
    CHECK(is_lock_content(encode_lock_record(record)));
    CHECK(is_lock_content("{\"pid\":1"));
    CHECK_FALSE(is_lock_content("#!/bin/sh\n"));
    CHECK_FALSE(is_lock_content("export PATH=1"));
}

TEST_CASE("lock_record: a description fits on one line and cannot forge another") {
    CHECK(describe(record) ==
          "pid 123, \"/opt/a b/agentlocator\", since 2026-01-02T03:04:05Z, control socket "
          "/run/agentlocator/control.sock");
    LockRecord hostile{1, 1, {}, {}, "x\ny", {}, {}};
    CHECK(describe(hostile) == "pid 1, \"x\\ny\"");
}
