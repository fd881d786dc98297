#pragma once
// The scripted dialogue as data (dialogues/*.json): questions with their prompts, keys, words, limits. Read once at
// start and checked whole, so that a fault is a line with its place and not a call that falls silent. Pure.
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "common/result.hpp"
#include "common/time.hpp"

namespace agentlocator {

enum class Language : std::uint8_t { hebrew, english };
[[nodiscard]] std::string_view code_of(Language language);     // "he", "en"
[[nodiscard]] Language language_of(std::string_view setting);  // "he-IL", "en-US"

struct LocalText {
    std::string he;
    std::string en;
    [[nodiscard]] const std::string& in(Language language) const { return language == Language::hebrew ? he : en; }
};

struct DialogueOption {
    char key = 0;
    std::string value;  // As stored.
    LocalText say;
    std::vector<std::string> words_he;  // What callers say for it, one phrase each.
    std::vector<std::string> words_en;
    [[nodiscard]] const std::vector<std::string>& words(Language language) const {
        return language == Language::hebrew ? words_he : words_en;
    }
};

struct DialogueStep {
    enum class Kind : std::uint8_t { choice, number, phone, text, confirm };
    std::string name;
    std::string slot;  // confirm has none.
    Kind kind = Kind::choice;
    LocalText label;
    LocalText prompt;
    LocalText offer;                   // phone: "shall we call you back at {{phone}}?"
    std::string when_slot;             // Asked only if that slot ...
    std::vector<std::string> when_in;  // ... has one of these values. Empty: always.
    std::vector<DialogueOption> options;
    double min = 0;  // number: of the stored value.
    double max = 0;
    double times = 1;   // What keys enter is multiplied by this.
    bool half = false;  // The star key is a half.
    std::uint32_t digits_max = 0;
    LocalText say_as;                     // {{value}}
    std::vector<std::string> phrases_he;  // number: what a closed recogniser listens for.
    std::vector<std::string> phrases_en;
};

struct DialogueScript {
    std::string name;
    std::uint32_t reasks = 2;
    Duration answer_within{};
    Duration key_pause{};  // Digits end by themselves this long after the last.
    std::map<std::string, LocalText, std::less<>> texts;
    std::vector<DialogueStep> steps;

    [[nodiscard]] const std::string& text(std::string_view name, Language language) const;
};

inline constexpr std::size_t dialogue_bytes_max = 262'144;  // Ours has 13 kB.
inline constexpr std::size_t dialogue_steps_max = 40;       // More than any caller's patience.
inline constexpr std::size_t dialogue_options_max = 9;      // Keys 1 to 9.

// Error: the first fault with its place, "steps[2].options[1].key: one of 1-9".
[[nodiscard]] Result<DialogueScript> parse_dialogue(std::string_view json);

// The one that is built in (dialogues/real-estate.json).
[[nodiscard]] std::string_view embedded_dialogue();

// "Hello {{name}}" with every {{...}} replaced; unknown ones vanish.
[[nodiscard]] std::string fill_text(std::string_view text,
                                    const std::map<std::string, std::string, std::less<>>& values);

}  // namespace agentlocator
