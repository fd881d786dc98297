#pragma once
// Settings of the speech helper (speech/): each member is one row of the table (speech_table.cpp). Plain values.
#include <cstdint>
#include <string>

namespace agentlocator {

struct Settings;

struct SpeechSettings {
    bool enabled = true;                   // ENABLE_SPEECH_HELPER
    std::string voice_variant = "f3";      // EMBEDDED_TTS_VARIANT of eSpeak NG; empty: none.
    std::uint32_t words_per_minute = 150;  // EMBEDDED_TTS_WPM
    std::uint32_t rejection = 11;          // EMBEDDED_STT_REJECTION

    friend bool operator==(const SpeechSettings&, const SpeechSettings&) = default;
};

// Why no helper is run with these settings: it is switched off, or no chain names the embedded engines. Empty: it is
// run.
[[nodiscard]] std::string why_no_speech(const Settings& settings);

}  // namespace agentlocator
