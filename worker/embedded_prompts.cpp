#include "worker/embedded_prompts.hpp"

extern "C" {
extern const std::uint8_t agentlocator_prompt_greeting[], agentlocator_prompt_greeting_end[];
extern const std::uint8_t agentlocator_prompt_heard_you[], agentlocator_prompt_heard_you_end[];
extern const std::uint8_t agentlocator_prompt_got_digit[], agentlocator_prompt_got_digit_end[];
extern const std::uint8_t agentlocator_prompt_apology[], agentlocator_prompt_apology_end[];
}

namespace agentlocator {

Result<PromptLibrary> embedded_prompts(std::span<const std::uint8_t> greeting_file) {
    const std::array<std::span<const std::uint8_t>, prompt_count> files{{
        greeting_file.empty() ? std::span{agentlocator_prompt_greeting, agentlocator_prompt_greeting_end}
                              : greeting_file,
        {agentlocator_prompt_heard_you, agentlocator_prompt_heard_you_end},
        {agentlocator_prompt_got_digit, agentlocator_prompt_got_digit_end},
        {agentlocator_prompt_apology, agentlocator_prompt_apology_end},
    }};
    std::array<std::vector<std::uint8_t>, prompt_count> mulaw;
    for (std::size_t i = 0; i < files.size(); ++i) {
        auto audio = read_prompt_wav(files[i]);
        if (!audio) {
            return audio.error();
        }
        mulaw[i] = std::move(*audio);
    }
    return PromptLibrary(std::move(mulaw));
}

}  // namespace agentlocator
