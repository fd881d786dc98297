#pragma once
// Numbers as vowelled Hebrew words, so that they pass through the same rules as every other word. Pure.
// Feminine for counting, digits, hours, addresses and years; masculine with a masculine noun.
#include <cstdint>
#include <string>
#include <string_view>

namespace agentlocator::speech {

enum class Gender : std::uint8_t { feminine, masculine };

inline constexpr std::uint64_t spoken_number_max = 999'999'999'999;  // Larger ones are read digit by digit.

struct NumberForm {
    Gender gender = Gender::feminine;
    bool before_noun = false;  // "two rooms": שני חדרים, not שניים חדרים.
};

// At most spoken_number_max.
[[nodiscard]] std::u32string hebrew_number(std::uint64_t number, NumberForm form = {});
// Each digit as a word; anything that is no digit is left out.
[[nodiscard]] std::u32string hebrew_digits(std::u32string_view digits);
// 1-12, with the prefix "in": בְּיָנוּאָר.
[[nodiscard]] std::u32string hebrew_month(unsigned month);

// The words with a prefix letter joined on ("and", "in", "to" ...), with the vowel that the word wants.
[[nodiscard]] std::u32string with_prefix(char32_t prefix, std::u32string_view words);

}  // namespace agentlocator::speech
