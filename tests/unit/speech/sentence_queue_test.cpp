#include "speech/sentence_queue.hpp"

#include <doctest/doctest.h>

using namespace agentlocator;
using namespace agentlocator::speech;
using namespace std::chrono_literals;

namespace {

std::vector<Clause> clauses(std::initializer_list<const char*> texts) {
    std::vector<Clause> list;
    for (const char* text : texts) {
        list.push_back({Language::english, text, ClauseEnd::comma});
    }
    return list;
}

struct Engine {
    TimePoint now{};
    SentenceQueue queue;

    void add(SentenceKey key, std::initializer_list<const char*> texts) {
        REQUIRE(queue.add(now, key, clauses(texts)) == SentenceQueue::Added::yes);
    }
    // Speaks one clause of a second's audio; its text.
    std::string speak() {
        const auto clause = queue.take();
        if (!clause) {
            return "";
        }
        (void)queue.on_clause_done(now, 1s);
        return clause->text;
    }
};

}  // namespace

TEST_CASE("sentence_queue: first clauses of all calls go ahead of the rest of any") {
    Engine engine;
    engine.add({1, 1}, {"a1", "a2", "a3"});
    engine.add({1, 2}, {"b1", "b2"});
    engine.add({2, 1}, {"c1"});
    std::string order;
    for (std::string text = engine.speak(); !text.empty(); text = engine.speak()) {
        order += text + " ";
        engine.now += 5ms;
    }
    CHECK(order == "a1 b1 c1 a2 b2 a3 ");
    CHECK(engine.queue.size() == 0);
}

TEST_CASE("sentence_queue: a sentence whose audio runs out goes ahead of new ones") {
    Engine engine;
    engine.add({1, 1}, {"a1", "a2"});
    CHECK(engine.speak() == "a1");
    engine.now += 1200ms;  // One second and the pause were made; the caller hears silence now.
    engine.add({2, 1}, {"b1"});
    CHECK(engine.speak() == "a2");
    CHECK(engine.speak() == "b1");
}

TEST_CASE("sentence_queue: one clause is at the engine at a time") {
    Engine engine;
    engine.add({1, 1}, {"a1"});
    engine.add({1, 2}, {"b1"});
    CHECK(engine.queue.take().has_value());
    CHECK_FALSE(engine.queue.take().has_value());
    const auto done = engine.queue.on_clause_done(engine.now, 1s);
    REQUIRE(done);
    CHECK(done->last);
    CHECK(done->key == SentenceKey{1, 1});
    CHECK(engine.queue.take().has_value());
}

TEST_CASE("sentence_queue: a cancelled sentence is forgotten, and only the one at the engine stops it") {
    Engine engine;
    engine.add({1, 1}, {"a1", "a2"});
    engine.add({1, 2}, {"b1"});
    (void)engine.queue.take();
    CHECK_FALSE(engine.queue.cancel({1, 2}));
    CHECK(engine.queue.cancel({1, 1}));
    CHECK_FALSE(engine.queue.on_clause_done(engine.now, 1s).has_value());
    CHECK_FALSE(engine.queue.take().has_value());
    CHECK(engine.queue.size() == 0);
}

TEST_CASE("sentence_queue: a lost connection takes its own sentences along and no others") {
    Engine engine;
    engine.add({1, 1}, {"a1"});
    engine.add({2, 1}, {"b1"});
    engine.add({2, 2}, {"b2"});
    engine.add({3, 1}, {"c1"});
    CHECK_FALSE(engine.queue.drop_connection(2));
    CHECK(engine.speak() == "a1");
    CHECK(engine.speak() == "c1");
    CHECK(engine.speak().empty());
}

TEST_CASE("sentence_queue: a peer that takes nothing in holds up nobody else") {
    Engine engine;
    engine.add({1, 1}, {"a1"});
    engine.add({2, 1}, {"b1"});
    engine.queue.pause(1, true);
    CHECK(engine.speak() == "b1");
    CHECK(engine.speak().empty());
    engine.queue.pause(1, false);
    CHECK(engine.speak() == "a1");
}

TEST_CASE("sentence_queue: the last sentence that fits, and one more") {
    Engine engine;
    for (std::uint32_t id = 1; id <= SentenceQueue::sentences_max; ++id) {
        engine.add({1, id}, {"a"});
    }
    CHECK(engine.queue.add(engine.now, {2, 1}, clauses({"a"})) == SentenceQueue::Added::full);
    CHECK(engine.queue.add(engine.now, {1, 1}, clauses({"a"})) == SentenceQueue::Added::repeated);
}
