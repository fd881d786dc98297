#pragma once
// A Hebrew word to eSpeak NG phonemes, by the rules of modern spoken Hebrew. Pure.
//
// eSpeak's own Hebrew rules drop the vowels of plain words and read the names of marks aloud, so it is used as a
// synthesiser of phonemes only. The notation is that of its voice `he`: X het or khaf, Q" resh, S shin, ' before the
// stressed vowel, ? a hiatus.
#include <string>

#include "speech/text/hebrew_letters.hpp"

namespace agentlocator::speech {

// From niqqud: letters and their marks decide, whatever the spelling (full or defective).
[[nodiscard]] std::string vowelled_phonemes(const HebrewWord& word);

// Without niqqud the vowels are a guess. About three words of four come out right; the rest is understood or not.
[[nodiscard]] std::string guessed_phonemes(const HebrewWord& word);

}  // namespace agentlocator::speech
