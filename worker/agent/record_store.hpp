#pragma once
// The conversation's door to what is remembered: it tells facts (store/facts.hpp) and never waits for them. Telling the
// same fact twice is harmless, so a take-over may repeat one.
#include <vector>

#include "store/facts.hpp"

namespace agentlocator {

class RecordStore {
public:
    // On the agent thread; must not block. A store that is down keeps the fact in its spool.
    virtual void record(const Fact& fact) = 0;

protected:
    RecordStore() = default;
    RecordStore(const RecordStore&) = default;
    RecordStore& operator=(const RecordStore&) = default;
    ~RecordStore() = default;
};

// Keeps the last facts of this process: for `agentlocator chat`, tests, and a runtime without a store.
class MemoryRecordStore final : public RecordStore {
public:
    static constexpr std::size_t facts_max = 1000;
    void record(const Fact& fact) override {
        if (facts_.size() >= facts_max) {
            facts_.erase(facts_.begin());
        }
        facts_.push_back(fact);
    }
    [[nodiscard]] const std::vector<Fact>& facts() const { return facts_; }

private:
    std::vector<Fact> facts_;
};

}  // namespace agentlocator
