#pragma once
// A Hebrew text to clauses for the engine: numbers to words, words to phonemes, Latin words to the English voice. Pure.
//
//   text -> presentation forms unfolded -> numbers, money, dates as vowelled words -> words and punctuation
//        -> each word: exception, niqqud rules, lexicon, guess -> clauses
#include <string>
#include <string_view>
#include <vector>

#include "speech/text/clause.hpp"

namespace agentlocator::speech {

[[nodiscard]] std::vector<Clause> hebrew_clauses(std::string_view text);

// One word, with or without niqqud. Empty: it has no letters.
[[nodiscard]] std::string hebrew_word_phonemes(std::u32string_view word);

}  // namespace agentlocator::speech
