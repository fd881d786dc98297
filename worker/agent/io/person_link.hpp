#pragma once
// The agent thread's way to what is known of callers: questions to the reader's thread, answers back by its mailbox.
#include <map>

#include "common/io/event_loop.hpp"
#include "store/io/person_reader.hpp"
#include "worker/agent/known_person.hpp"

namespace agentlocator {

class PersonLink final : public PersonMemory {
public:
    // Both outlive it, and it outlives the operations.
    PersonLink(EventLoop& loop, PersonReader& reader);
    ~PersonLink();
    PersonLink(const PersonLink&) = delete;
    PersonLink& operator=(const PersonLink&) = delete;

    // Nothing: too many wait.
    [[nodiscard]] OperationPtr ask(const Caller& caller, Done done) override;

private:
    class Asked;
    void hear();

    EventLoop& loop_;
    PersonReader& reader_;
    FunctionSink sink_;
    std::map<std::uint64_t, Done> asked_;
    std::uint64_t last_ = 0;
};

}  // namespace agentlocator
