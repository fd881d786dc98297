#pragma once
// Words the rules cannot know. Pure data and look-ups.
#include <optional>
#include <string>
#include <string_view>

#include "speech/text/hebrew_letters.hpp"

namespace agentlocator::speech {

// Vowelled words that are said otherwise than they are written: כָּל is "kol". Phonemes.
[[nodiscard]] std::optional<std::string_view> spoken_exception(const HebrewWord& word);

// The vowelled form of a common word written without niqqud, with or without prefix letters in front ("and in the").
[[nodiscard]] std::optional<std::u32string> vowelled_form(std::u32string_view plain);

// What an abbreviation stands for: ש"ח -> שְׁקָלִים. `plain`: letters, gershayim as a plain double quote.
[[nodiscard]] std::optional<std::u32string_view> abbreviation(std::u32string_view plain);

}  // namespace agentlocator::speech
