#pragma once
// The agent's door to the store: facts of a conversation go where those of webhooks and streams go.
#include "store/io/store_writer.hpp"
#include "worker/agent/record_store.hpp"

namespace agentlocator {

class StoreRecorder final : public RecordStore {
public:
    explicit StoreRecorder(StoreWriter& writer) : writer_(writer) {}
    void record(const Fact& fact) override { writer_.tell(fact); }  // Never waits.

private:
    StoreWriter& writer_;
};

}  // namespace agentlocator
