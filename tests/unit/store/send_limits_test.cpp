#include "store/send_limits.hpp"

#include "tests/unit/store/store_fixture.hpp"

using namespace agentlocator;

TEST_CASE("send limits: so many at once, then one each so often") {
    StoreFixture store;
    const auto take = [&](std::int64_t now) { return *take_send_limits(store.database(), {{"n", 1000, 3}}, now); };
    CHECK(take(10'000));
    CHECK(take(10'000));
    CHECK(take(10'000));
    CHECK_FALSE(take(10'000));
    CHECK_FALSE(take(10'999));
    CHECK(take(11'000));
    CHECK_FALSE(take(11'999));
    CHECK(take(12'000));
    CHECK(take(100'000));  // After a rest all of them again, and no more.
    CHECK(take(100'000));
    CHECK(take(100'000));
    CHECK_FALSE(take(100'000));
}

TEST_CASE("send limits: two connections share them, and a refusal takes nothing") {
    StoreFixture store;
    const auto other = store.open();
    CHECK(*take_send_limits(store.database(), {{"person", 1000, 2}, {"number", 1000, 1}}, 1000));
    CHECK_FALSE(*take_send_limits(*other, {{"person", 1000, 2}, {"number", 1000, 1}}, 1000));
    CHECK(*take_send_limits(*other, {{"person", 1000, 2}}, 1000));  // The refused one gave the person's back.
    CHECK_FALSE(*take_send_limits(store.database(), {{"person", 1000, 2}}, 1000));
    CHECK(*take_send_limits(store.database(), {{"somebody else", 1000, 2}}, 1000));
}

TEST_CASE("send limits: rows that say nothing any more are deleted") {
    StoreFixture store;
    REQUIRE(take_send_limits(store.database(), {{"a", 1000, 1}, {"b", 5000, 1}}, 1000));
    REQUIRE(prune_send_limits(store.database(), 2000));
    CHECK(store.rows("SELECT name FROM send_limits") == Rows{{std::string("b")}});
}
