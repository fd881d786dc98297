#include "store/messages.hpp"

#include <mutex>
#include <set>
#include <thread>

#include "store/apply.hpp"
#include "tests/unit/store/store_fixture.hpp"

using namespace agentlocator;

namespace {

void queue(StoreFixture& store, const std::string& id) {
    REQUIRE(
        apply_fact(store.database(),
                   MessageOutFact{.id = id, .to = "+972501234567", .provider = "auto", .text = "x", .asked_at = 1000}));
}

}  // namespace

TEST_CASE("messages: a due message is leased once, until the lease runs out or it is accepted") {
    StoreFixture store;
    queue(store, "m1");
    CHECK(lease_outbox(store.database(), "a", 999, 2000, 10)->empty());  // Not due yet.
    const auto jobs = lease_outbox(store.database(), "a", 1000, 2000, 10);
    REQUIRE(jobs);
    REQUIRE(jobs->size() == 1);
    CHECK((*jobs)[0].to == "+972501234567");
    CHECK((*jobs)[0].attempts == 1);
    CHECK(lease_outbox(store.database(), "b", 1999, 3000, 10)->empty());
    CHECK((*lease_outbox(store.database(), "b", 2000, 3000, 10))[0].attempts == 2);  // Its owner died.
    REQUIRE(apply_fact(
        store.database(),
        MessageStatusFact{.id = "m1", .provider = "twilio", .provider_id = "SM1", .status = "accepted", .at = 2500}));
    CHECK(lease_outbox(store.database(), "b", 9000, 9999, 10)->empty());
}

TEST_CASE("messages: only the owner of the lease may postpone") {
    StoreFixture store;
    queue(store, "m1");
    REQUIRE(lease_outbox(store.database(), "a", 1000, 2000, 10));
    REQUIRE(postpone_outbox(store.database(), "m1", "b", 1100, "stranger"));
    CHECK(lease_outbox(store.database(), "c", 1200, 2000, 10)->empty());
    REQUIRE(postpone_outbox(store.database(), "m1", "a", 5000, "bridge down"));
    CHECK(store.rows("SELECT error FROM outbox") == Rows{{std::string("bridge down")}});
    CHECK(lease_outbox(store.database(), "a", 4999, 6000, 10)->empty());
    CHECK(lease_outbox(store.database(), "a", 5000, 6000, 10)->size() == 1);
}

TEST_CASE("messages: an attempt that was not made does not count") {
    StoreFixture store;
    queue(store, "m1");
    REQUIRE(lease_outbox(store.database(), "a", 1000, 2000, 10)->at(0).attempts == 1);
    REQUIRE(postpone_outbox(store.database(), "m1", "a", 1100, "bridge away", Attempt::not_made));
    CHECK(lease_outbox(store.database(), "a", 1100, 2000, 10)->at(0).attempts == 1);
    REQUIRE(postpone_outbox(store.database(), "m1", "a", 1200, "refused"));
    CHECK(lease_outbox(store.database(), "a", 1200, 2000, 10)->at(0).attempts == 2);
}

TEST_CASE("messages: processes that work off the outbox together never get the same message") {
    StoreFixture store;
    for (int i = 0; i < 60; ++i) {
        queue(store, "m" + std::to_string(i));
    }
    std::mutex mutex;
    std::multiset<std::string> taken;
    std::vector<std::thread> threads;
    for (const char* owner : {"a", "b", "c", "d"}) {
        threads.emplace_back([&, owner] {
            const auto database = store.open();
            for (;;) {
                const auto jobs = lease_outbox(*database, owner, 5000, 9000, 4);
                const std::lock_guard lock(mutex);
                if (!jobs || jobs->empty()) {
                    return;
                }
                for (const OutboxJob& job : *jobs) {
                    taken.insert(job.id);
                }
            }
        });
    }
    for (std::thread& thread : threads) {
        thread.join();
    }
    CHECK(std::set<std::string>(taken.begin(), taken.end()).size() == taken.size());
    CHECK(taken.size() == 60);
}

TEST_CASE("messages: a job knows when that person last wrote to that business, and its number") {
    StoreFixture store;
    store.rows("INSERT INTO businesses (id, name, created_at) VALUES (7, 'b', 1)");
    store.rows("INSERT INTO channels (kind, identifier, business_id) VALUES ('whatsapp', '+97231111111', 7)");
    const auto write_in = [&](const std::string& to, std::int64_t at) {
        REQUIRE(apply_fact(store.database(), MessageInFact{.provider = "twilio",
                                                           .message_id = to,
                                                           .to = to,
                                                           .from = "+972501234567",
                                                           .sent_at = at,
                                                           .answer = 1}));
    };
    write_in("+97231111111", 400);
    write_in("+97232222222", 500);
    REQUIRE(apply_fact(
        store.database(),
        MessageOutFact{
            .id = "m1", .business = 7, .to = "+972501234567", .provider = "auto", .text = "x", .asked_at = 1000}));
    const auto jobs = lease_outbox(store.database(), "a", 1000, 2000, 10);
    CHECK((*jobs)[0].last_inbound_at == 400);
    CHECK((*jobs)[0].from == "+97231111111");
}
