// Rows of the conversation's settings.
#include <algorithm>

#include "common/config_table.hpp"
#include "common/text.hpp"

namespace agentlocator {
namespace {

using Member = std::string AgentSettings::*;
using Read = std::function<SettingProblem(std::string_view, const SettingFacts&, std::string&)>;

constexpr std::size_t text_bytes_max = 1000;  // About a minute of speech, far beyond any greeting.

SettingRow row(std::string_view name, Member member, std::string fallback, std::string valid, std::string_view help,
               Read read) {
    return {name,
            help,
            std::move(valid),
            [fallback = std::move(fallback)](const SettingFacts&) { return fallback; },
            [=](std::string_view value, const SettingFacts& facts, Settings& settings) -> SettingProblem {
                if (value.empty()) {
                    (settings.agent.*member).clear();
                    return std::nullopt;
                }
                return read(value, facts, settings.agent.*member);
            },
            [=](const Settings& settings) { return settings.agent.*member; }};
}

SettingRow text(std::string_view name, Member member, std::string_view help) {
    return row(name, member, "", "text of at most " + std::to_string(text_bytes_max) + " bytes", help,
               [](std::string_view value, const SettingFacts&, std::string& out) -> SettingProblem {
                   if (value.size() > text_bytes_max) {
                       return "longer than " + std::to_string(text_bytes_max) + " bytes";
                   }
                   if (std::any_of(value.begin(), value.end(),
                                   [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; })) {
                       return "holds a control character";
                   }
                   out = value;
                   return std::nullopt;
               });
}

SettingRow file(std::string_view name, Member member, std::string_view help) {
    return row(name, member, "", "a path of at most " + std::to_string(setting_bytes_max) + " bytes", help,
               [](std::string_view value, const SettingFacts& facts, std::string& out) -> SettingProblem {
                   if (value.size() > setting_bytes_max) {
                       return "longer than " + std::to_string(setting_bytes_max) + " bytes";
                   }
                   return read_path(value, facts.installation_root, out);
               });
}

SettingRow choice(std::string_view name, Member member, std::string_view fallback, std::string_view words,
                  std::string_view help) {
    return row(name, member, std::string(fallback), std::string(words), help,
               [=](std::string_view value, const SettingFacts&, std::string& out) -> SettingProblem {
                   for (const std::string_view word : split(words, ',')) {
                       if (equal_no_case(trim(word), value)) {
                           out = trim(word);
                           return std::nullopt;
                       }
                   }
                   return "not one of them";
               });
}

// Names are compared with the providers of this build when the worker starts: the table knows none of them.
SettingProblem read_chain(std::string_view value, const SettingFacts&, std::string& out) {
    std::string names;
    for (const std::string_view part : split(value, ',')) {
        const std::string_view name = trim(part);
        if (name.empty() || !std::all_of(name.begin(), name.end(), [](char c) {
                return (to_lower(c) >= 'a' && to_lower(c) <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
            })) {
            return "not a list of names";
        }
        names += names.empty() ? "" : ",";
        for (const char c : name) {
            names.push_back(to_lower(c));
        }
    }
    out = std::move(names);
    return std::nullopt;
}

SettingRow chain(std::string_view name, Member member, std::string_view help) {
    return row(name, member, "auto", "auto, or names with commas between", help, read_chain);
}

template <class T>
SettingRow number(std::string_view name, T AgentSettings::*member, std::uint64_t fallback, IntegerRange range,
                  std::string_view help) {
    return {name,
            help,
            std::to_string(range.min) + "-" + std::to_string(range.max),
            [=](const SettingFacts&) { return std::to_string(fallback); },
            [=](std::string_view value, const SettingFacts&, Settings& settings) {
                std::uint64_t out = 0;
                auto problem = read_integer(value, range, out);
                if (!problem) {
                    settings.agent.*member = T(static_cast<std::uint32_t>(out));
                }
                return problem;
            },
            [=](const Settings& settings) {
                if constexpr (requires { (settings.agent.*member).count(); }) {
                    return std::to_string((settings.agent.*member).count());
                } else {
                    return std::to_string(settings.agent.*member);
                }
            }};
}

// Any way people write a telephone number; + and digits are kept.
SettingProblem read_phone(std::string_view value, const SettingFacts&, std::string& out) {
    std::string number;
    for (const char c : value) {
        if ((c >= '0' && c <= '9') || (c == '+' && number.empty())) {
            number.push_back(c);
        } else if (c != ' ' && c != '-' && c != '(' && c != ')') {
            return "holds a character that no telephone number has";
        }
    }
    constexpr std::size_t digits_min = 3;   // An extension.
    constexpr std::size_t digits_max = 15;  // ITU-T E.164.
    const std::size_t digits = number.size() - (number.starts_with('+') ? 1 : 0);
    if (digits < digits_min || digits > digits_max) {
        return "has not 3 to 15 digits";
    }
    out = std::move(number);
    return std::nullopt;
}

}  // namespace

void add_agent_rows(std::vector<SettingRow>& rows) {
    using A = AgentSettings;
    rows.push_back(choice("AGENT_LANGUAGE", &A::language, "he-IL", "he-IL, en-US", "Language of the conversation."));
    rows.push_back(text("BUSINESS_NAME", &A::business_name, "Said in the greeting. Empty: left out."));
    rows.push_back(
        file("AGENT_PROMPT_FILE", &A::prompt_file, "Instructions to the language model in place of the shipped ones."));
    rows.push_back(text("AI_GREETING_HE", &A::greeting_he,
                        "Hebrew greeting; {{business_name}} stands for the name. Empty: the shipped one; none: no "
                        "greeting."));
    rows.push_back(text("AI_GREETING_EN", &A::greeting_en, "English greeting, the same way."));
    rows.push_back(text("THINKING_TEXT_HE", &A::thinking_he,
                        "Hebrew words while an answer takes long (THINKING_HINT_MS). Empty: the shipped ones."));
    rows.push_back(text("THINKING_TEXT_EN", &A::thinking_en, "English words, the same way."));
    rows.push_back(number("DEDUP_WINDOW_SEC", &A::dedup_window, 8, {0, 60},
                          "The same words again within this time, before an answer was heard, are the same question. "
                          "0: never."));
    rows.push_back(number("RESP_MIN_DELAY_MS", &A::resp_min, 50, {0, 5000},
                          "An answer does not begin earlier after the caller's last word; a random time up to "
                          "RESP_MAX_DELAY_MS."));
    rows.push_back(number("RESP_MAX_DELAY_MS", &A::resp_max, 120, {0, 5000}, "Upper end of that random time."));
    rows.push_back(number("LLM_MAX_CHARS", &A::answer_chars_max, 700, {50, 10'000},
                          "An answer of the model is ended at the sentence that passes this length."));
    rows.push_back(row("TRANSFER_NUMBER", &A::transfer_number, "", "a telephone number, best with + and country",
                       "Who takes the call over when a person is asked for. Empty: nobody, a message is taken.",
                       read_phone));
    rows.push_back(file("DIALOGUE_FILE", &A::dialogue_file,
                        "Scripted dialogue for calls without a language model. Empty: the shipped one."));
    rows.push_back(choice("VOICE_MODE", &A::voice_mode, "cascade", "cascade, realtime",
                          "realtime: speech to speech by one service (needs its key and HEBREW_REALTIME_ENABLED); "
                          "falls back to the cascade."));
    rows.push_back(chain("VOICE_STT_CHAIN", &A::stt_chain,
                         "Recognisers in the order they are asked. auto: those with a key, then the embedded one."));
    rows.push_back(chain("VOICE_LLM_CHAIN", &A::llm_chain,
                         "Language models in the order they are asked. auto: those with a key; the scripted dialogue "
                         "is behind them."));
    rows.push_back(chain("VOICE_TTS_CHAIN", &A::tts_chain,
                         "Voices in the order they are asked. auto: those with a key, then the embedded one."));
}

}  // namespace agentlocator
