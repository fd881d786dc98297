#include "speech/sentence_queue.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

#include "common/ensure.hpp"

namespace agentlocator::speech {

SentenceQueue::Added SentenceQueue::add(TimePoint now, SentenceKey key, std::vector<Clause> clauses) {
    ENSURE(!clauses.empty());
    if (sentences_.contains(key)) {
        return Added::repeated;
    }
    if (sentences_.size() >= sentences_max) {
        return Added::full;
    }
    Sentence& sentence = sentences_[key];
    sentence.clauses.assign(std::make_move_iterator(clauses.begin()), std::make_move_iterator(clauses.end()));
    enqueue(now, key);
    return Added::yes;
}

std::optional<Clause> SentenceQueue::take() {
    if (at_engine_) {
        return std::nullopt;
    }
    const auto next = std::find_if(waiting_.begin(), waiting_.end(),
                                   [this](const Place& place) { return !paused_.contains(place.key.connection); });
    if (next == waiting_.end()) {
        return std::nullopt;
    }
    const SentenceKey key = next->key;
    at_engine_ = key;
    waiting_.erase(next);
    places_.erase(key);
    return sentences_.at(key).clauses.front();
}

std::optional<SentenceQueue::Done> SentenceQueue::on_clause_done(TimePoint now, Duration audio) {
    ENSURE(at_engine_);
    const SentenceKey key = *std::exchange(at_engine_, std::nullopt);
    const auto found = sentences_.find(key);
    if (found == sentences_.end()) {
        return std::nullopt;
    }
    Sentence& sentence = found->second;
    const Done done{key, sentence.clauses.size() == 1, sentence.clauses.front().end};
    sentence.clauses.pop_front();
    if (done.last) {
        sentences_.erase(found);
        return done;
    }
    sentence.heard_from = sentence.heard_from.value_or(now);
    sentence.made += audio + pause_after(done.end);
    enqueue(*sentence.heard_from + sentence.made, key);
    return done;
}

bool SentenceQueue::cancel(SentenceKey key) {
    forget(key);
    return at_engine_ == key;
}

bool SentenceQueue::drop_connection(std::uint64_t connection) {
    const auto first = sentences_.lower_bound({connection, 0});
    for (auto at = first; at != sentences_.end() && at->first.connection == connection;) {
        const SentenceKey key = at->first;
        ++at;
        forget(key);
    }
    paused_.erase(connection);
    return at_engine_ && at_engine_->connection == connection;
}

void SentenceQueue::pause(std::uint64_t connection, bool paused) {
    if (paused) {
        paused_.insert(connection);
    } else {
        paused_.erase(connection);
    }
}

void SentenceQueue::enqueue(TimePoint due, SentenceKey key) {
    const Place place{due, next_order_++, key};
    waiting_.insert(place);
    places_[key] = place;
}

void SentenceQueue::forget(SentenceKey key) {
    if (const auto place = places_.find(key); place != places_.end()) {
        waiting_.erase(place->second);
        places_.erase(place);
    }
    sentences_.erase(key);
}

}  // namespace agentlocator::speech
