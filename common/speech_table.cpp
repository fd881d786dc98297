// Rows of the speech helper's settings.
#include <algorithm>

#include "common/config_table.hpp"
#include "common/text.hpp"

namespace agentlocator {
namespace {

SettingRow number(std::string_view name, std::uint32_t SpeechSettings::*member, std::uint32_t fallback,
                  IntegerRange range, std::string_view help) {
    return {name,
            help,
            std::to_string(range.min) + "-" + std::to_string(range.max),
            [=](const SettingFacts&) { return std::to_string(fallback); },
            [=](std::string_view text, const SettingFacts&, Settings& settings) {
                std::uint64_t value = 0;
                auto problem = read_integer(text, range, value);
                if (!problem) {
                    settings.speech.*member = static_cast<std::uint32_t>(value);
                }
                return problem;
            },
            [=](const Settings& settings) { return std::to_string(settings.speech.*member); }};
}

bool names_embedded(std::string_view chain) {
    const auto parts = split(chain, ',');
    return std::any_of(parts.begin(), parts.end(), [](std::string_view part) {
        return equal_no_case(trim(part), "auto") || equal_no_case(trim(part), "embedded");
    });
}

}  // namespace

std::string why_no_speech(const Settings& settings) {
    if (!settings.speech.enabled) {
        return "switched off by ENABLE_SPEECH_HELPER";
    }
    const bool named = names_embedded(settings.agent.stt_chain) || names_embedded(settings.agent.tts_chain);
    return named ? "" : "neither VOICE_STT_CHAIN nor VOICE_TTS_CHAIN names the embedded engine";
}

void add_embedded_rows(std::vector<SettingRow>& rows) {
    using S = SpeechSettings;
    rows.push_back({"ENABLE_SPEECH_HELPER",
                    "Run the helper with the engines that need no key and no network (voice, recogniser).",
                    "true, false", [](const SettingFacts&) { return std::string("true"); },
                    [](std::string_view text, const SettingFacts&, Settings& settings) {
                        return read_boolean(text, settings.speech.enabled);
                    },
                    [](const Settings& settings) { return std::string(settings.speech.enabled ? "true" : "false"); }});
    rows.push_back({"EMBEDDED_TTS_VARIANT", "Variant of the built-in voice: f1 to f5 female, m1 to m8 male.",
                    "letters and digits, at most 16; empty: the plain voice",
                    [](const SettingFacts&) { return std::string("f3"); },
                    [](std::string_view text, const SettingFacts&, Settings& settings) -> SettingProblem {
                        constexpr std::size_t bytes_max = 16;
                        const bool plain = std::all_of(text.begin(), text.end(), [](char c) {
                            return (c >= '0' && c <= '9') || (to_lower(c) >= 'a' && to_lower(c) <= 'z');
                        });
                        if (!plain || text.size() > bytes_max) {
                            return "not the name of a variant";
                        }
                        settings.speech.voice_variant = text;
                        return std::nullopt;
                    },
                    [](const Settings& settings) { return settings.speech.voice_variant; }});
    rows.push_back(number("EMBEDDED_TTS_WPM", &S::words_per_minute, 150, {80, 400},
                          "Speed of the built-in voice, words a minute."));
    rows.push_back(number("EMBEDDED_STT_REJECTION", &S::rejection, 11, {5, 40},
                          "How much the built-in recogniser takes for an answer: a lower number rejects more, right "
                          "answers among it."));
}

}  // namespace agentlocator
