#pragma once
// What needs no voice: mu-law in the program, for the day when every voice fails and for an installation that has none.
#include <cstdint>
#include <span>
#include <string_view>

#include "worker/agent/dialogue_script.hpp"

namespace agentlocator {

enum class Recorded : std::uint8_t {
    greeting,
    sorry,  // Voices fail at the moment: please say it again.
    noted,  // There is no voice at all, so no conversation: we call back.
};
struct RecordedSpeech {
    std::string_view text;
    std::span<const std::uint8_t> mulaw;
};
[[nodiscard]] RecordedSpeech recorded_speech(Recorded what, Language language);

}  // namespace agentlocator
