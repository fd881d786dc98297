#include "store/queries.hpp"

#include <nlohmann/json.hpp>

#include "store/apply.hpp"
#include "store/retention.hpp"
#include "tests/unit/store/store_fixture.hpp"

using namespace agentlocator;

namespace {

constexpr std::int64_t day_ms = 86'400'000;

void add_calls(StoreFixture& store, std::int64_t count) {
    for (std::int64_t i = 1; i <= count; ++i) {
        REQUIRE(apply_fact(store.database(), CallFact{.call_sid = "CA" + std::to_string(i), .started_at = i * 1000}));
    }
}

void add_recording(StoreFixture& store, const std::string& sid, std::int64_t at) {
    REQUIRE(apply_fact(store.database(),
                       RecordingFact{.recording_sid = sid, .call_sid = "CA1", .url = "https://x", .recorded_at = at}));
}

}  // namespace

TEST_CASE("queries: calls come newest first, in pages, with the number of their turns") {
    StoreFixture store;
    add_calls(store, 5);
    REQUIRE(apply_fact(store.database(),
                       TurnFact{.call_sid = "CA5", .turn = 1, .speaker = "caller", .text = "x", .said_at = 6000}));
    const auto page = list_calls(store.database(), {.limit = 2});
    REQUIRE(page);
    REQUIRE(page->rows.size() == 2);
    CHECK(text(page->rows[0][0]) == "CA5");
    CHECK(page->columns.back() == "turns");
    CHECK(integer(page->rows[0].back()) == 1);
    CHECK(text(list_calls(store.database(), {.limit = 2, .offset = 4})->rows[0][0]) == "CA1");
    CHECK(list_calls(store.database(), {.since = 4000})->rows.size() == 2);
    CHECK(list_calls(store.database(), {.business = 7})->rows.empty());
    CHECK(list_calls(store.database(), {.business = 0})->rows.size() == 5);
    CHECK(list_calls(store.database(), {.limit = 0})->rows.size() == 1);  // At least one row, whatever is asked.
}

TEST_CASE("queries: a call is shown with all that belongs to it; an unknown one has no row") {
    StoreFixture store;
    add_calls(store, 1);
    for (const char* speaker : {"agent", "caller"}) {
        REQUIRE(apply_fact(store.database(),
                           TurnFact{.call_sid = "CA1", .turn = 1, .speaker = speaker, .text = "x", .said_at = 2000}));
    }
    add_recording(store, "RE1", 3000);
    const auto record = show_call(store.database(), "CA1");
    REQUIRE(record);
    CHECK(record->call.rows.size() == 1);
    REQUIRE(record->turns.rows.size() == 2);
    CHECK(text(record->turns.rows[0][1]) == "caller");
    CHECK(record->recordings.rows.size() == 1);
    CHECK(show_call(store.database(), "CA'; DROP TABLE calls; --")->call.rows.empty());
    CHECK(show_call(store.database(), "CA1")->call.rows.size() == 1);
}

TEST_CASE("queries: a business's number is found however it is written, and is nobody else's") {
    StoreFixture store;
    const auto added = add_business(
        store.database(), {.name = "דירות", .voice_numbers = {"03-6123456"}, .whatsapp_numbers = {"0501111111"}}, 1);
    REQUIRE(added);
    REQUIRE(apply_fact(store.database(), CallFact{.call_sid = "CA1", .to = "+97236123456"}));
    CHECK(store.rows("SELECT business_id FROM calls") == Rows{{*added}});
    const auto taken = add_business(store.database(), {.name = "x", .voice_numbers = {"+97236123456"}}, 1);
    REQUIRE_FALSE(taken);
    CHECK(taken.error().detail.find("another business") != std::string::npos);
    CHECK_FALSE(add_business(store.database(), {.name = "x", .voice_numbers = {"hello"}}, 1));
    CHECK(list_businesses(store.database())->rows.size() == 2);  // One business, two numbers; no half-made second.
}

TEST_CASE("queries: a lease has one owner, who may renew it, until it runs out") {
    StoreFixture store;
    CHECK(*take_lease(store.database(), "job", "a", 1000, 2000));
    CHECK_FALSE(*take_lease(store.database(), "job", "b", 1999, 3000));
    CHECK(*take_lease(store.database(), "job", "a", 1500, 2500));
    CHECK_FALSE(*take_lease(store.database(), "job", "b", 2499, 3000));
    CHECK(*take_lease(store.database(), "job", "b", 2500, 3500));
}

TEST_CASE("table: times are ISO 8601, absent ones null, texts untouched") {
    const Table table{
        {"call_sid", "started_at", "ended_at", "turns", "note"},
        {{std::string("CA1"), std::int64_t{1'790'000'000'123}, std::int64_t{0}, std::int64_t{3}, Value()}}};
    CHECK(to_json(table).dump() ==
          R"([{"call_sid":"CA1","started_at":"2026-09-21T14:13:20.123Z","ended_at":null,"turns":3,"note":null}])");
    CHECK(to_csv(table) ==
          "\xEF\xBB\xBF"
          "call_sid,started_at,ended_at,turns,note\r\nCA1,2026-09-21T14:13:20.123Z,,3,\r\n");
}

TEST_CASE("table: a caller's name cannot break a line or run in a spreadsheet") {
    CHECK(csv_field("plain") == "plain");
    CHECK(csv_field("a,b") == "\"a,b\"");
    CHECK(csv_field("say \"hi\"\n") == "\"say \"\"hi\"\"\n\"");
    CHECK(csv_field("=HYPERLINK(1)") == "'=HYPERLINK(1)");
    CHECK(csv_field("+cmd|x") == "'+cmd|x");
    CHECK(csv_field("+972501234567") == "+972501234567");
    CHECK(csv_field("-5") == "-5");
    CHECK(csv_field("-5+cmd|x") == "'-5+cmd|x");
    CHECK(csv_field("@SUM(1)") == "'@SUM(1)");
    CHECK(csv_field("\t=1") == "'\t=1");
    CHECK(csv_field("\n=1") == "\"'\n=1\"");
    CHECK(csv_field("+") == "'+");
    CHECK(csv_field("דנה, חיפה") == "\"דנה, חיפה\"");
    const Table table{{"name"}, {{std::string("a\x1b[31m\nb")}}};
    CHECK(to_columns(table) == "name\na [31m b\n");
}

TEST_CASE("retention: remote copy, file, row; what fails is kept and tried later") {
    StoreFixture store;
    add_recording(store, "RE1", 1 * day_ms);
    add_recording(store, "RE2", 1 * day_ms + 1);
    add_recording(store, "RE3", 20 * day_ms);
    store.rows("UPDATE recordings SET file = '/x/RE1.mp3' WHERE recording_sid = 'RE1'");
    std::vector<std::string> steps;
    bool remote_works = false;
    const auto run = [&](std::int64_t now) {
        return *run_retention(store.database(), {.now_ms = now,
                                                 .days = 7,
                                                 .delete_remote = [&](const std::string& sid) -> Result<void> {
                                                     steps.push_back("remote " + sid);
                                                     return remote_works ? Result<void>()
                                                                         : Result<void>(error(Errc::io, "no answer"));
                                                 },
                                                 .delete_file = [&](const std::string& path) -> Result<void> {
                                                     steps.push_back("file " + path);
                                                     return {};
                                                 }});
    };
    const RetentionReport failed = run(20 * day_ms);
    CHECK(failed.failed == 2);
    CHECK(failed.first_fault == "no answer");
    CHECK(steps == std::vector<std::string>{"remote RE1", "remote RE2"});
    CHECK(store.rows("SELECT recording_sid FROM recordings").size() == 3);
    steps.clear();
    remote_works = true;
    CHECK(run(20 * day_ms + 1000).recordings == 0);  // Not yet: its time has not come.
    CHECK(run(20 * day_ms + retention_retry_ms(0)).recordings == 2);
    CHECK(steps == std::vector<std::string>{"remote RE1", "file /x/RE1.mp3", "remote RE2"});
    CHECK(store.rows("SELECT recording_sid FROM recordings") == Rows{{std::string("RE3")}});
}

TEST_CASE("retention: turns go on the day after the last, in any number; 0 days keep everything") {
    StoreFixture store;
    std::vector<Fact> facts;
    for (std::int64_t i = 0; i < retention_batch + 1; ++i) {
        facts.push_back(TurnFact{.call_sid = "CA1", .turn = i, .speaker = "caller", .text = "x", .said_at = day_ms});
    }
    facts.push_back(TurnFact{.call_sid = "CA2", .turn = 1, .speaker = "caller", .text = "x", .said_at = 3 * day_ms});
    REQUIRE(apply_facts(store.database(), facts));
    const auto run = [&](std::uint32_t days, std::int64_t now) {
        return run_retention(store.database(), {.now_ms = now, .days = days, .delete_remote = {}, .delete_file = {}})
            ->turns;
    };
    CHECK(run(0, 1000 * day_ms) == 0);
    CHECK(run(7, 8 * day_ms) == 0);
    CHECK(run(7, 8 * day_ms + 1) == retention_batch + 1);
    CHECK(store.rows("SELECT call_sid FROM turns") == Rows{{std::string("CA2")}});
    CHECK(store.rows("SELECT COUNT(*) FROM calls") == Rows{{std::int64_t{2}}});  // That there was a call is kept.
}

TEST_CASE("retention: the pause doubles up to a day") {
    CHECK(retention_retry_ms(0) == 600'000);
    CHECK(retention_retry_ms(1) == 1'200'000);
    CHECK(retention_retry_ms(7) == 76'800'000);
    CHECK(retention_retry_ms(8) == day_ms);
    CHECK(retention_retry_ms(1'000'000) == day_ms);
}
