#pragma once
// Which clause the engine speaks next. Pure.
//
// There is one engine and a thousand callers. A sentence that nobody hears yet is due at once; one that is being heard
// is due when what was synthesised of it has been played. The earliest due goes first, equal ones in the order they
// came. So the first clause of every call goes ahead of the second clause of any, and nobody is starved: the longer a
// sentence waits, the earlier its due time lies. The engine makes 10 s of speech in 10 ms, so that it is idle most of
// the time; this is about the moment when thirty calls speak at once.
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <vector>

#include "common/time.hpp"
#include "speech/text/clause.hpp"

namespace agentlocator::speech {

// One sentence of one connection.
struct SentenceKey {
    std::uint64_t connection = 0;
    std::uint32_t id = 0;
    friend auto operator<=>(const SentenceKey&, const SentenceKey&) = default;
};

class SentenceQueue {
public:
    // Twice the calls the slab holds, each with one sentence spoken and one behind it. More is a peer that is broken.
    static constexpr std::size_t sentences_max = 4096;

    enum class Added : std::uint8_t { yes, full, repeated };
    [[nodiscard]] Added add(TimePoint now, SentenceKey key, std::vector<Clause> clauses);

    // The clause to speak, when one is due and the engine is free. It stays at the engine until on_clause_done().
    [[nodiscard]] std::optional<Clause> take();
    [[nodiscard]] const std::optional<SentenceKey>& at_engine() const { return at_engine_; }

    struct Done {
        SentenceKey key;
        bool last = false;  // The sentence is whole and forgotten.
        ClauseEnd end = ClauseEnd::none;
    };
    // `audio`: how much was synthesised. Nothing: its sentence was cancelled meanwhile.
    [[nodiscard]] std::optional<Done> on_clause_done(TimePoint now, Duration audio);

    // True: its clause is at the engine, which should be stopped.
    bool cancel(SentenceKey key);
    bool drop_connection(std::uint64_t connection);
    // A peer that does not take its audio gets no more made.
    void pause(std::uint64_t connection, bool paused);

    [[nodiscard]] std::size_t size() const { return sentences_.size(); }
    [[nodiscard]] bool contains(SentenceKey key) const { return sentences_.contains(key); }

private:
    struct Sentence {
        std::deque<Clause> clauses;  // The front one may be at the engine.
        std::optional<TimePoint> heard_from;
        Duration made{};
    };
    struct Place {
        TimePoint due;
        std::uint64_t order = 0;
        SentenceKey key;
        friend auto operator<=>(const Place&, const Place&) = default;
    };
    void enqueue(TimePoint due, SentenceKey key);
    void forget(SentenceKey key);

    std::map<SentenceKey, Sentence> sentences_;
    std::set<Place> waiting_;
    std::map<SentenceKey, Place> places_;
    std::set<std::uint64_t> paused_;
    std::optional<SentenceKey> at_engine_;
    std::uint64_t next_order_ = 0;
};

}  // namespace agentlocator::speech
