#pragma once
// The prompts that ship inside the program (worker/prompts).
#include "worker/prompt_library.hpp"

namespace agentlocator {

// A greeting of the owner's (AI_GREETING_FILE, as read from disk) takes the place of ours when it is not empty.
[[nodiscard]] Result<PromptLibrary> embedded_prompts(std::span<const std::uint8_t> greeting_file);

}  // namespace agentlocator
