

#include <atomic>
#include <thread>

#include "store/migrations.hpp"
#include "tests/unit/store/store_fixture.hpp"

using namespace agentlocator;

TEST_CASE("migrations: numbers rise by one, so that none is forgotten in a merge") {
    std::int64_t expected = 1;
    for (const Migration& step : migrations()) {
        CHECK(step.version == expected++);
    }
}

TEST_CASE("migrations: a second run changes nothing") {
    StoreFixture store;
    REQUIRE(migrate(store.database(), 2));
    CHECK(store.rows("SELECT COUNT(*), MAX(version), MAX(applied_at) FROM schema_versions") ==
          Rows{{static_cast<std::int64_t>(migrations().size()), newest_schema(), std::int64_t{1}}});
}

TEST_CASE("migrations: only what is missing runs") {
    StoreFixture store;
    std::vector<Migration> steps = migrations();
    steps.push_back({newest_schema() + 1, "more", {"CREATE TABLE more (a BIGINT)", "INSERT INTO more (a) VALUES (1)"}});
    REQUIRE(migrate(store.database(), 2, steps));
    REQUIRE(migrate(store.database(), 3, steps));
    CHECK(store.rows("SELECT a FROM more").size() == 1);
}

TEST_CASE("migrations: a step that fails leaves nothing behind") {
    StoreFixture store;
    std::vector<Migration> steps = migrations();
    steps.push_back({newest_schema() + 1, "more", {"CREATE TABLE more (a BIGINT)"}});
    steps.push_back({newest_schema() + 2, "broken", {"CREATE TABLE even_more (a BIGINT)", "SELECT no_such_column"}});
    const auto done = migrate(store.database(), 2, steps);
    REQUIRE_FALSE(done);
    CHECK(done.error().detail.find("broken") != std::string::npos);
    CHECK_FALSE(store.database().query("SELECT a FROM more"));
    CHECK_FALSE(store.database().query("SELECT a FROM even_more"));
    CHECK(store.rows("SELECT MAX(version) FROM schema_versions") == Rows{{newest_schema()}});
}

TEST_CASE("migrations: a newer database is refused and left alone") {
    StoreFixture store;
    store.rows("INSERT INTO schema_versions (version, name, applied_at) VALUES ($1, 'from the future', 1)",
               {newest_schema() + 1});
    const auto done = migrate(store.database(), 2);
    REQUIRE_FALSE(done);
    CHECK(done.error().code == Errc::refused);
    CHECK(done.error().detail.find(std::to_string(newest_schema() + 1)) != std::string::npos);
}

TEST_CASE("migrations: processes that start together run each step once") {
    StoreFixture store;
    std::vector<Migration> steps = migrations();
    steps.push_back({newest_schema() + 1, "more", {"CREATE TABLE more (a BIGINT)", "INSERT INTO more (a) VALUES (1)"}});
    std::atomic<int> good{0};
    std::vector<std::thread> threads;
    for (int i = 0; i < 6; ++i) {
        threads.emplace_back([&] {
            const auto database = store.open();
            good += migrate(*database, 2, steps) ? 1 : 0;
        });
    }
    for (std::thread& thread : threads) {
        thread.join();
    }
    CHECK(good == 6);
    CHECK(store.rows("SELECT COUNT(*) FROM more") == Rows{{std::int64_t{1}}});
}
