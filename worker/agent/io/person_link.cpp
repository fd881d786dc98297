#include "worker/agent/io/person_link.hpp"

#include <sys/epoll.h>

namespace agentlocator {

class PersonLink::Asked final : public ProviderOperation {
public:
    Asked(PersonLink& link, std::uint64_t id) : link_(link), id_(id) {}
    ~Asked() override { link_.asked_.erase(id_); }

private:
    PersonLink& link_;
    const std::uint64_t id_;
};

PersonLink::PersonLink(EventLoop& loop, PersonReader& reader)
    : loop_(loop), reader_(reader), sink_([this](std::uint32_t) { hear(); }) {
    loop_.add(reader_.answers().fd(), EPOLLIN, sink_);
}

PersonLink::~PersonLink() {
    loop_.remove(reader_.answers().fd(), sink_);
}

OperationPtr PersonLink::ask(const Caller& caller, Done done) {
    const std::uint64_t id = ++last_;
    if (!reader_.ask({.id = id,
                      .called = caller.called,
                      .phone = caller.phone,
                      .call_sid = caller.call_sid,
                      .asked_at = Clock::now()})) {
        return nullptr;
    }
    asked_.emplace(id, std::move(done));
    return std::make_unique<Asked>(*this, id);
}

void PersonLink::hear() {
    for (const PersonReader::Answer& answer : reader_.answers().take()) {
        const auto found = asked_.find(answer.id);
        if (found == asked_.end()) {
            continue;  // The call is over.
        }
        const Done done = std::move(found->second);
        asked_.erase(found);
        done(std::make_shared<const KnownPerson>(known_person(answer.record)));
    }
}

}  // namespace agentlocator
