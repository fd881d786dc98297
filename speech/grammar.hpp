#pragma once
// From the possible answers of a question to words with pronunciations for the recogniser. Pure.
//
// English words come from the model's dictionary, and names of the country from a list of ours. Hebrew is recognised
// with the same English acoustic model: each Hebrew word is written in English phones, in several variants, which tells
// long and unlike words apart and no more (two words: 87 %, five: 69 %).
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/result.hpp"
#include "speech/text/clause.hpp"

namespace agentlocator::speech {

// word -> pronunciations, of a text in the format of CMUdict: "tel T EH L", "ramat(2) R AA M AH T". The text is
// borrowed.
class PronunciationDictionary {
public:
    explicit PronunciationDictionary(std::string_view text);
    [[nodiscard]] std::vector<std::string_view> find(std::string_view word) const;

private:
    std::vector<std::string_view> lines_;  // Sorted by their first word.
};

struct GrammarWord {
    std::string name;                         // As the recogniser knows it.
    std::vector<std::string> pronunciations;  // Phones, a blank between.
    friend bool operator==(const GrammarWord&, const GrammarWord&) = default;
};
struct Grammar {
    std::vector<GrammarWord> words;                 // Each once.
    std::vector<std::vector<std::size_t>> phrases;  // Indices into `words`; parallel to the phrases that were given.
    std::vector<std::string> unknown;               // Words without a pronunciation; their phrases are empty.

    // Which phrase a sequence of names is; nothing: none.
    [[nodiscard]] std::optional<std::size_t> phrase_of(const std::vector<std::string_view>& names) const;
};

inline constexpr std::size_t phrase_words_max = 20;  // The longest closed phrase that was measured has nine.

// An error: no phrase is left, or one is too long.
[[nodiscard]] Result<Grammar> make_grammar(Language language, const std::vector<std::string>& phrases,
                                           const PronunciationDictionary& dictionary);

// The 39 phones of the model without silence: each is a word of the branch that stands for everything else.
[[nodiscard]] const std::vector<std::string_view>& all_phones();

}  // namespace agentlocator::speech
