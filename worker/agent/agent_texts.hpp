#pragma once
// What the agent says by itself, and what the model is told about its job. Hebrew is vowelled, for the embedded voice.
#include <string>
#include <string_view>

#include "worker/agent/agent_services.hpp"

namespace agentlocator {

enum class AgentText : std::uint8_t {
    greeting,       // {{of_business}}
    say_again,      // Nothing was recognised.
    apology,        // A service failed; asks to say it again.
    take_message,   // The model is gone; the script goes on.
    still_there,    // Silence, first time ...
    still_there_2,  // ... and second.
    farewell_silence,
    farewell_time,
    farewell,
    thinking,
    transfer,
    no_transfer,
};
[[nodiscard]] std::string_view agent_text(AgentText text, Language language);

// The greeting of the settings or ours; empty: none is wanted.
[[nodiscard]] std::string greeting_text(const AgentSettings& settings, Language language);
[[nodiscard]] std::string thinking_text(const AgentSettings& settings, Language language);

// The shipped system prompt (AGENT_PROMPT_FILE replaces it), with what the model must know of this call.
[[nodiscard]] std::string system_prompt(const Persona& persona, AgentHost& host, Language language,
                                        std::string_view caller, std::int64_t unix_ms, bool can_transfer);

// Everything that may be said word for word, for the voice to be rendered before the first call.
[[nodiscard]] std::vector<std::string> fixed_sentences(const AgentServices& services, Language language);

}  // namespace agentlocator
