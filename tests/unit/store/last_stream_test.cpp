#include "store/last_stream.hpp"

#include <algorithm>
#include <random>

#include "store/apply.hpp"
#include "tests/unit/store/store_fixture.hpp"

using namespace agentlocator;

namespace {

CallFact stream_fact(StreamFate fate, std::uint32_t resumes) {
    return {.call_sid = "CA1", .status = "in-progress", .stream_rank = stream_rank({fate, resumes})};
}

}  // namespace

TEST_CASE("last stream: of a call nobody knows, or that had none, nothing is said") {
    StoreFixture store;
    CHECK_FALSE(find_last_stream(store.database(), "CA1")->has_value());
    REQUIRE(apply_fact(store.database(), CallFact{.call_sid = "CA1", .status = "initiated"}));
    CHECK_FALSE(find_last_stream(store.database(), "CA1")->has_value());
}

TEST_CASE("last stream: the newest counts, and of it the end, in whatever order they are told") {
    std::vector<CallFact> told = {
        stream_fact(StreamFate::open, 0),
        stream_fact(StreamFate::lost, 0),
        stream_fact(StreamFate::open, 1),
        stream_fact(StreamFate::lost, 1),
        stream_fact(StreamFate::open, 2),
        stream_fact(StreamFate::finished, 2),
        CallFact{.call_sid = "CA1", .status = "completed", .duration_s = 60},
    };
    std::mt19937 random(7);
    for (int round = 0; round < 20; ++round) {
        StoreFixture store;
        std::shuffle(told.begin(), told.end(), random);
        std::optional<LastStream> newest;
        for (const CallFact& fact : told) {
            REQUIRE(apply_fact(store.database(), fact));
            for (const StreamFate fate : {StreamFate::open, StreamFate::lost, StreamFate::finished}) {
                for (std::uint32_t resumes = 0; resumes < 3; ++resumes) {
                    const LastStream one{fate, resumes};
                    if (fact.stream_rank == stream_rank(one) && (!newest || stream_rank(*newest) < stream_rank(one))) {
                        newest = one;
                    }
                }
            }
            CHECK(*find_last_stream(store.database(), "CA1") == newest);
        }
        CHECK(newest == LastStream{StreamFate::finished, 2});
    }
}

TEST_CASE("last stream: an end that is not told is waited for, and no longer than its time") {
    using namespace std::chrono_literals;
    const LastStream open{StreamFate::open, 0};
    CHECK_FALSE(is_last_word(open, 0s));
    CHECK_FALSE(is_last_word(open, end_told_within - 1ms));
    CHECK(is_last_word(open, end_told_within));
    CHECK(is_last_word(LastStream{StreamFate::lost, 0}, 0s));
    CHECK(is_last_word(LastStream{StreamFate::finished, 3}, 0s));
    CHECK(is_last_word(std::nullopt, 0s));
}
