#include "store/inbox.hpp"

#include <algorithm>
#include <mutex>
#include <set>
#include <thread>

#include "store/apply.hpp"
#include "store/messages.hpp"
#include "tests/unit/store/store_fixture.hpp"

using namespace agentlocator;

namespace {

MessageInFact message(const std::string& id, const std::string& from, std::int64_t arrival) {
    return {.provider = "baileys",
            .message_id = id,
            .from = from,
            .address = from + "@s.whatsapp.net",
            .kind = "text",
            .text = "text of " + id,
            .sent_at = 900,
            .stored_at = 1000,
            .arrival = arrival,
            .answer = 1};
}
void receive(StoreFixture& store, const MessageInFact& fact) {
    REQUIRE(apply_fact(store.database(), fact));
}
std::vector<InboxJob> lease(StoreFixture& store, const std::string& owner, std::int64_t now,
                            std::int64_t until = 9000) {
    auto jobs = lease_inbox(store.database(), owner, now, until, 10);
    REQUIRE(jobs);
    return *jobs;
}
// Which of several that were leased comes first is not said.
InboxJob leased(const std::vector<InboxJob>& jobs, const std::string& id) {
    const auto found =
        std::find_if(jobs.begin(), jobs.end(), [&](const InboxJob& job) { return job.message_id == id; });
    REQUIRE(found != jobs.end());
    return *found;
}
const MessageOutFact reply{
    .id = "m1", .to = "+972501234567", .provider = "baileys", .text = "answer", .asked_at = 1500};

}  // namespace

TEST_CASE("inbox: one message of each person at a time, in the order in which they came") {
    StoreFixture store;
    receive(store, message("b", "972501234567", 2));
    receive(store, message("a", "972501234567", 3));  // Its id sorts first; it came later.
    receive(store, message("c", "972501234568", 1));
    const auto jobs = lease(store, "w", 1000);
    REQUIRE(jobs.size() == 2);
    std::set<std::string> ids{jobs[0].message_id, jobs[1].message_id};
    CHECK(ids == std::set<std::string>{"b", "c"});
    CHECK(lease(store, "w", 1000).empty());  // "a" waits until "b" is answered, by whomever.
    REQUIRE(*store_answer(store.database(), leased(jobs, "b"), "w", {reply}, "{}", 1500));
    const auto next = lease(store, "w", 1000);
    REQUIRE(next.size() == 1);
    CHECK(next[0].message_id == "a");
}

TEST_CASE("inbox: an answer is stored by the owner of the lease alone, whole and once") {
    StoreFixture store;
    receive(store, message("a", "972501234567", 1));
    const InboxJob first = lease(store, "dead", 1000, 2000).at(0);
    CHECK(lease(store, "heir", 1999).empty());
    const InboxJob second = lease(store, "heir", 2000).at(0);
    CHECK(second.attempts == 2);
    const std::vector<Fact> facts{reply, LeadFact{.phone = "+972501234567", .name = "Dana", .seen_at = 1500}};
    CHECK_FALSE(*store_answer(store.database(), first, "dead", facts, "{}", 1500));
    CHECK(store.rows("SELECT id FROM outbox").empty());
    CHECK(*store_answer(store.database(), second, "heir", facts, "{\"v\":1}", 1500));
    CHECK_FALSE(*store_answer(store.database(), second, "heir", facts, "{}", 1500));
    CHECK(store.rows("SELECT id, status FROM outbox") == Rows{{std::string("m1"), std::string("queued")}});
    CHECK(store.rows("SELECT name FROM leads") == Rows{{std::string("Dana")}});
    CHECK(store.rows("SELECT state FROM conversations") == Rows{{std::string("{\"v\":1}")}});
    CHECK(lease(store, "x", 99'000).empty());
}

TEST_CASE("inbox: history, own messages and second copies wait for nobody") {
    StoreFixture store;
    MessageInFact own = message("own", "972501234567", 1);
    own.answer = 0;
    receive(store, own);
    own.answer = 1;
    receive(store, own);  // The key is known: the first word counts.
    CHECK_FALSE(*has_due_inbox(store.database(), 9000));
    CHECK(lease(store, "w", 9000).empty());
}

TEST_CASE("inbox: a postponed message is due again at its time, not before") {
    StoreFixture store;
    receive(store, message("a", "972501234567", 1));
    const InboxJob job = lease(store, "w", 1000).at(0);
    REQUIRE(postpone_inbox(store.database(), job, "stranger", 1100));
    CHECK_FALSE(*has_due_inbox(store.database(), 1200));
    REQUIRE(postpone_inbox(store.database(), job, "w", 5000));
    CHECK_FALSE(*has_due_inbox(store.database(), 4999));
    CHECK(lease(store, "w", 5000).size() == 1);
}

TEST_CASE("inbox: what a dead process had in hand is free at once, what others have is not") {
    StoreFixture store;
    receive(store, message("a", "972501234567", 1));
    receive(store, message("b", "972501234568", 2));
    REQUIRE(apply_fact(store.database(), reply));
    REQUIRE(lease_inbox(store.database(), "dead", 1000, 99'000, 1)->size() == 1);
    REQUIRE(lease(store, "alive", 1000, 99'000).size() == 1);
    REQUIRE(lease_outbox(store.database(), "dead", 2000, 99'000, 1)->size() == 1);
    REQUIRE(free_leases(store.database(), "dead"));
    CHECK(lease(store, "heir", 2000).size() == 1);
    CHECK(lease_outbox(store.database(), "heir", 2000, 99'000, 9)->size() == 1);
}

TEST_CASE("inbox: the conversation is one, in writing and on the telephone, in the order of our clock") {
    StoreFixture store;
    auto& database = store.database();
    REQUIRE(apply_fact(database, CallFact{.call_sid = "CA1", .from = "0501234567", .started_at = 100}));
    REQUIRE(apply_fact(
        database, TurnFact{.call_sid = "CA1", .turn = 1, .speaker = "caller", .text = "on the phone", .said_at = 200}));
    REQUIRE(apply_fact(
        database, TurnFact{.call_sid = "CA1", .turn = 1, .speaker = "agent", .text = "said back", .said_at = 300}));
    receive(store, message("a", "972501234567", 1));
    REQUIRE(apply_fact(database, MessageOutFact{.id = "m0", .to = "0501234567", .text = "wrote", .asked_at = 1100}));
    MessageInFact later = message("later", "972501234567", 3);
    later.stored_at = 1200;
    MessageInFact asked = message("asked", "972501234567", 2);
    asked.stored_at = 1200;
    receive(store, later);
    receive(store, asked);
    receive(store, message("other", "972501234568", 4));
    REQUIRE(*store_answer(database, leased(lease(store, "w", 1000), "a"), "w", {}, "s", 1150));
    MessageInFact in_a_group = message("to all", "972501234567", 5);
    in_a_group.address = "120363000000000001@g.us";
    in_a_group.answer = 0;
    receive(store, in_a_group);
    const InboxJob job = leased(lease(store, "w", 1300), "asked");
    const auto record = load_person(database, job);
    REQUIRE(record);
    std::vector<std::string> lines;
    for (const SaidLine& line : record->said) {
        lines.push_back((line.ours ? "we: " : "they: ") + line.text);
    }
    CHECK(lines == std::vector<std::string>{"they: on the phone", "we: said back", "they: text of a", "we: wrote"});
    CHECK(record->state == "s");
}

TEST_CASE("inbox: who has no number is known by his address") {
    StoreFixture store;
    MessageInFact one = message("a", "", 1);
    one.address = "111@lid";
    MessageInFact two = message("b", "", 2);
    two.address = "222@lid";
    receive(store, one);
    receive(store, two);
    const auto jobs = lease(store, "w", 1000);
    REQUIRE(jobs.size() == 2);
    CHECK(jobs[0].person().ends_with("@lid"));
    const auto record = load_person(store.database(), jobs[0]);
    REQUIRE(record);
    CHECK(record->said.empty());
}

TEST_CASE("inbox: processes that answer together never get the same message, nor two of one person") {
    StoreFixture store;
    for (int i = 0; i < 40; ++i) {
        receive(store, message("m" + std::to_string(i), "97250123450" + std::to_string(i % 4), i));
    }
    std::mutex mutex;
    std::multiset<std::string> taken;
    std::vector<std::thread> threads;
    for (const char* owner : {"a", "b", "c"}) {
        threads.emplace_back([&, owner] {
            const auto database = store.open({std::chrono::seconds(30), std::chrono::seconds(30)});
            for (;;) {
                const auto due = has_due_inbox(*database, 2000);
                if (due && !*due) {
                    const auto rows = database->query("SELECT COUNT(*) FROM inbox WHERE answer_state = 'waiting'");
                    if (rows && integer((*rows)[0][0]) == 0) {
                        return;
                    }
                }
                const auto jobs = lease_inbox(*database, owner, 2000, 9000, 2);
                for (const InboxJob& job : jobs ? *jobs : std::vector<InboxJob>()) {
                    const auto stored = store_answer(*database, job, owner, {}, "", 2000);
                    if (stored && *stored) {
                        const std::scoped_lock lock(mutex);
                        taken.insert(job.message_id);
                    }
                }
            }
        });
    }
    for (std::thread& thread : threads) {
        thread.join();
    }
    CHECK(taken.size() == 40);
    CHECK(std::set<std::string>(taken.begin(), taken.end()).size() == 40);
}

TEST_CASE("inbox: what a voice note says is its text from its answer on") {
    StoreFixture store;
    MessageInFact note = message("a", "972501234567", 1);
    note.kind = "voice";
    note.text.clear();
    note.media = R"([{"url":"/v1/media/a","mime":"audio/ogg"}])";
    receive(store, note);
    receive(store, message("b", "972501234568", 2));
    const auto jobs = lease(store, "w", 1000);
    CHECK(leased(jobs, "a").media == note.media);
    REQUIRE(*store_answer(store.database(), leased(jobs, "a"), "w", {}, "", 1500, "I am calling"));
    REQUIRE(*store_answer(store.database(), leased(jobs, "b"), "w", {}, "", 1500, "not instead of words"));
    CHECK(store.rows("SELECT text FROM inbox ORDER BY message_id") ==
          Rows{{std::string("I am calling")}, {std::string("text of b")}});
}
