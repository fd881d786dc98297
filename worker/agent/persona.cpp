#include "worker/agent/persona.hpp"

namespace agentlocator {

PersonaPtr make_persona(const AgentSettings& settings, const std::string& prompt, const NamedValues& own) {
    auto persona = std::make_shared<Persona>(Persona{settings, prompt});
    const auto take = [&](std::string_view name, std::string& into) {
        if (const auto found = own.find(name); found != own.end()) {
            into = found->second;
        }
    };
    take("prompt", persona->prompt);
    take("business_name", persona->settings.business_name);
    take("language", persona->settings.language);
    take("greeting_he", persona->settings.greeting_he);
    take("greeting_en", persona->settings.greeting_en);
    take("transfer_number", persona->settings.transfer_number);
    return persona;
}

}  // namespace agentlocator
