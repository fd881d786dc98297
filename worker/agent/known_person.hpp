#pragma once
// What the agent knows of somebody before a conversation begins: what was said with him, by telephone and in writing,
// and what he told of himself. Pure.
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "store/person.hpp"
#include "worker/agent/dialogue.hpp"
#include "worker/agent/provider.hpp"

namespace agentlocator {

struct KnownPerson {
    std::vector<ChatMessage> said{};  // Oldest first.
    LeadSlots slots{};
    [[nodiscard]] bool empty() const { return said.empty() && slots.empty(); }
};
using KnownPersonPtr = std::shared_ptr<const KnownPerson>;

// The lead, and what he answered in a written dialogue that is not finished.
[[nodiscard]] KnownPerson known_person(const PersonRecord& record);
[[nodiscard]] LeadSlots slots_of(const LeadFact& lead);
[[nodiscard]] std::vector<ChatMessage> messages_of(const std::vector<SaidLine>& said);

// For the model's instructions. Empty: nothing is known.
[[nodiscard]] std::string known_slots_prompt(const LeadSlots& slots);
// All of it as one text, for a service that takes no earlier messages.
[[nodiscard]] std::string known_text(const KnownPerson& known);

// Who remembers people. Never waits: `done` comes later, or never, and not after the operation is destroyed.
class PersonMemory {
public:
    struct Caller {
        std::string called{};
        std::string phone{};
        std::string call_sid{};
    };
    using Done = std::function<void(KnownPersonPtr)>;
    [[nodiscard]] virtual OperationPtr ask(const Caller& caller, Done done) = 0;

protected:
    PersonMemory() = default;
    PersonMemory(const PersonMemory&) = default;
    PersonMemory& operator=(const PersonMemory&) = default;
    ~PersonMemory() = default;
};

}  // namespace agentlocator
