#pragma once
// Who the agent is in one conversation: the installation's settings and prompt, and over them what the business has set
// for itself on that channel (store/business_settings). A number that belongs to no business gets the installation's,
// never another business's. Read once, at the beginning of a call or of an answer to a message. Plain values.
#include <memory>
#include <string>

#include "common/agent_settings.hpp"
#include "store/named_values.hpp"

namespace agentlocator {

struct Persona {
    AgentSettings settings;
    std::string prompt{};  // Instructions to the model; empty: the shipped ones.
};
using PersonaPtr = std::shared_ptr<const Persona>;

// `own`: what business_values() gives for the channel.
[[nodiscard]] PersonaPtr make_persona(const AgentSettings& settings, const std::string& prompt, const NamedValues& own);

}  // namespace agentlocator
