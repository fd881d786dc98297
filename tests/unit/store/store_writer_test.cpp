// The writer's threads over a real database. Waits for outcomes, never for a time.
#include "store/io/store_writer.hpp"

#include <fcntl.h>

#include <filesystem>
#include <fstream>
#include <map>

#include "store/spool_record.hpp"
#include "tests/unit/store/store_fixture.hpp"

using namespace agentlocator;

namespace {

constexpr Duration patience = std::chrono::seconds(20);

StoreWriterParts parts(const StoreFixture& store, const DatabaseAddress& address, StoreNewsBox* log = nullptr) {
    return {.database = address, .spool_folder = store.folder() + "/spool", .process = "test", .log = log};
}

// Outcomes by receipt.
std::map<std::uint64_t, bool> outcomes(StoreNewsBox& box, std::size_t count) {
    std::map<std::uint64_t, bool> all;
    const TimePoint deadline = Clock::now() + patience;
    while (all.size() < count && Clock::now() < deadline) {
        box.wait(std::chrono::milliseconds(100));
        for (const StoreNews& news : box.take()) {
            if (const auto* outcome = std::get_if<StoreOutcome>(&news)) {
                CHECK(all.emplace(outcome->receipt, outcome->stored).second);  // Exactly once.
            }
        }
    }
    REQUIRE(all.size() == count);
    return all;
}

// Until the log has a line with `word`.
void wait_for_line(StoreNewsBox& log, const std::string& word) {
    const TimePoint deadline = Clock::now() + patience;
    while (Clock::now() < deadline) {
        log.wait(std::chrono::milliseconds(100));
        for (const StoreNews& news : log.take()) {
            if (const auto* line = std::get_if<StoreLine>(&news);
                line != nullptr && line->text.find(word) != std::string::npos) {
                return;
            }
        }
    }
    FAIL("never said " << word);
}

void wait_for_rows(StoreFixture& store, const std::string& sql, std::int64_t count) {
    const TimePoint deadline = Clock::now() + patience;
    while (integer(store.rows(sql)[0][0]) != count) {
        REQUIRE(Clock::now() < deadline);
        std::this_thread::yield();
    }
}

Fact turn(std::int64_t number) {
    return TurnFact{.call_sid = "CA1", .turn = number, .speaker = "caller", .text = "x", .said_at = number + 1};
}

}  // namespace

TEST_CASE("store_writer: every fact is acknowledged once and ends in the database") {
    StoreFixture store;
    StoreNewsBox box(10'000);
    {
        StoreWriter writer(parts(store, store.address()));
        for (std::uint64_t i = 0; i < 1000; ++i) {
            writer.tell(turn(static_cast<std::int64_t>(i)), &box, i + 1);
        }
        for (const auto& [receipt, stored] : outcomes(box, 1000)) {
            CHECK(stored);
        }
        wait_for_rows(store, "SELECT COUNT(*) FROM turns", 1000);
        CHECK(writer.counters().lost == 0);
    }
    CHECK(std::filesystem::is_empty(store.folder() + "/spool"));
}

TEST_CASE("store_writer: without a database facts are acknowledged, kept, and applied by the next process") {
    StoreFixture store;
    StoreNewsBox box(100);
    StoreNewsBox log(100);
    const DatabaseAddress nowhere{Database::Kind::postgresql, "postgresql:///x?host=/nonexistent"};
    {
        StoreWriter writer(parts(store, nowhere, &log));
        wait_for_line(log, "database_lost");
        for (std::uint64_t i = 1; i <= 10; ++i) {
            writer.tell(turn(static_cast<std::int64_t>(i)), &box, i);
        }
        for (const auto& [receipt, stored] : outcomes(box, 10)) {
            CHECK(stored);
        }
        CHECK(writer.counters().state == DatabaseState::lost);
        CHECK(writer.counters().spool_bytes > 0);
    }
    StoreWriterParts next = parts(store, store.address(), &log);
    next.process = "next";
    const StoreWriter writer(std::move(next));
    wait_for_line(log, "spool_adopted");
    wait_for_rows(store, "SELECT COUNT(*) FROM turns", 10);
}

TEST_CASE("store_writer: a fact the database refuses is set aside, its neighbours are stored") {
    StoreFixture store;
    store.rows("CREATE UNIQUE INDEX one_name ON leads (name)");
    StoreNewsBox log(100);
    StoreWriter writer(parts(store, store.address(), &log));
    for (const char* phone : {"+972501234567", "+972501234568", "+972501234569"}) {
        const bool last = phone[12] == '9';
        writer.tell(LeadFact{.phone = phone, .name = last ? "other" : "same", .seen_at = 1});
    }
    wait_for_rows(store, "SELECT COUNT(*) FROM leads", 2);
    wait_for_line(log, "fact_rejected");
    CHECK(writer.counters().rejected == 1);
    std::ifstream file(store.folder() + "/spool/rejected.jsonl");
    std::string line;
    REQUIRE(std::getline(file, line));
    CHECK(fact_from_json(line));
}

TEST_CASE("store_writer: a newer schema is refused and nothing is lost") {
    StoreFixture store;
    store.rows("INSERT INTO schema_versions (version, name, applied_at) VALUES (99, 'future', 1)");
    StoreNewsBox box(100);
    StoreNewsBox log(100);
    StoreWriter writer(parts(store, store.address(), &log));
    wait_for_line(log, "run the newer build");
    writer.tell(turn(1), &box, 1);
    CHECK(outcomes(box, 1)[1]);
    CHECK(writer.counters().state == DatabaseState::refused);
    CHECK(store.rows("SELECT COUNT(*) FROM turns") == Rows{{std::int64_t{0}}});
    store.rows("DELETE FROM schema_versions WHERE version = 99");
    wait_for_rows(store, "SELECT COUNT(*) FROM turns", 1);
    wait_for_line(log, "database_back");
}

TEST_CASE("store_writer: a spool that cannot be written refuses, says so, and heals") {
    StoreFixture store;
    const std::string folder = store.folder() + "/spool";
    std::ofstream(folder) << "in the way";
    StoreNewsBox box(100);
    StoreNewsBox log(100);
    StoreWriter writer(parts(store, store.address(), &log));
    writer.tell(turn(1), &box, 1);
    CHECK_FALSE(outcomes(box, 1)[1]);
    wait_for_line(log, "spool_failed");
    CHECK(writer.counters().lost == 1);
    std::filesystem::remove(folder);
    std::filesystem::create_directories(folder);
    writer.tell(turn(2), &box, 2);
    CHECK(outcomes(box, 1)[2]);
    wait_for_rows(store, "SELECT COUNT(*) FROM turns", 1);
}

TEST_CASE("store_writer: the spool's limit refuses the newest and loses nothing older") {
    StoreFixture store;
    StoreNewsBox box(1000);
    const DatabaseAddress nowhere{Database::Kind::postgresql, "postgresql:///x?host=/nonexistent"};
    StoreWriterParts small = parts(store, nowhere);
    std::string one;
    append_record(one, to_json(turn(1)));
    small.limits.bytes_max = 5 * one.size();
    std::size_t stored_count = 0;
    {
        StoreWriter writer(std::move(small));
        for (std::uint64_t i = 1; i <= 8; ++i) {
            writer.tell(turn(static_cast<std::int64_t>(i)), &box, i);
            stored_count += outcomes(box, 1)[i] ? 1U : 0U;
        }
        CHECK(stored_count == 5);
        CHECK(writer.counters().lost == 3);
    }
    StoreWriterParts next = parts(store, store.address());
    next.process = "next";
    const StoreWriter writer(std::move(next));
    wait_for_rows(store, "SELECT COUNT(*) FROM turns", 5);
}
