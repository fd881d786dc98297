#pragma once
// The apology that needs no voice: mu-law in the program, for the day when every voice fails.
#include <cstdint>
#include <span>
#include <string_view>

#include "worker/agent/dialogue_script.hpp"

namespace agentlocator {

struct RecordedSpeech {
    std::string_view text;
    std::span<const std::uint8_t> mulaw;
};
[[nodiscard]] RecordedSpeech recorded_apology(Language language);

}  // namespace agentlocator
