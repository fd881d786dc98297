#pragma once
// Recorded speech of the agent: mu-law in memory, loaded once at start. Pure: file contents come in as bytes.
#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "common/result.hpp"
#include "worker/conversation.hpp"

namespace agentlocator {

// Stored in the call slot: numbers keep their meaning across builds. 0 is "none".
enum class Prompt : std::uint8_t { greeting = 1, heard_you = 2, got_digit = 3, apology = 4 };
inline constexpr std::size_t prompt_count = 4;

inline constexpr std::size_t prompt_seconds_max = 60;  // A longer greeting is a wrong file, not a greeting.

// Reads a WAV file: mu-law (format 7) or 16-bit PCM, 8000 Hz, mono. The header is parsed, never played (F-25).
// Error: names what the file is and what is valid.
[[nodiscard]] Result<std::vector<std::uint8_t>> read_prompt_wav(std::span<const std::uint8_t> file);

class PromptLibrary {
public:
    explicit PromptLibrary(std::array<std::vector<std::uint8_t>, prompt_count> mulaw) : mulaw_(std::move(mulaw)) {}
    [[nodiscard]] AgentAudio audio(Prompt prompt) const {
        return AgentAudio(mulaw_[static_cast<std::size_t>(prompt) - 1]);
    }

private:
    std::array<std::vector<std::uint8_t>, prompt_count> mulaw_;
};

}  // namespace agentlocator
