#include "speech/text/hebrew_front_end.hpp"

#include <utility>

#include "speech/text/english_front_end.hpp"
#include "speech/text/hebrew_expand.hpp"
#include "speech/text/hebrew_letters.hpp"
#include "speech/text/hebrew_lexicon.hpp"
#include "speech/text/hebrew_phonemes.hpp"
#include "speech/text/utf8.hpp"

namespace agentlocator::speech {
namespace {

constexpr char32_t geresh = 0x05F3;
constexpr char32_t gershayim = 0x05F4;

bool is_latin(char32_t code) {
    return (code >= U'A' && code <= U'Z') || (code >= U'a' && code <= U'z') || (code >= 0xC0 && code <= 0x24F);
}

bool is_digit(char32_t code) {
    return code >= U'0' && code <= U'9';
}

bool is_word_part(char32_t code) {
    return is_hebrew_letter(code) || is_hebrew_mark(code);
}

ClauseEnd end_of(char32_t code) {
    switch (code) {
        case U',':
        case U';':
        case U':':
        case U'(':
        case U')':
        case U'\u2013':
        case U'\u2014':
        case U'\n':
            return ClauseEnd::comma;
        case U'.':
        case U'\u2026':
        case 0x05C3:  // Sof pasuq.
            return ClauseEnd::full_stop;
        case U'?':
            return ClauseEnd::question;
        case U'!':
            return ClauseEnd::exclamation;
        default:
            return ClauseEnd::none;
    }
}

class ClauseBuilder {
public:
    void add_hebrew(std::u32string_view written) {
        const std::string phonemes = hebrew_word_phonemes(written);
        if (phonemes.empty()) {
            return;
        }
        begin(Language::hebrew);
        text_ += (text_.empty() ? "" : " ") + phonemes;
        count_word();
    }
    void add_latin(std::string_view word) {
        begin(Language::english);
        text_ += (text_.empty() ? "" : " ") + std::string(word);
        count_word();
    }
    void end(ClauseEnd end) {
        if (text_.empty()) {
            // "?!" or ")." behind a clause: the stronger sign decides how it ends.
            if (!clauses_.empty() && clauses_.back().end < end) {
                clauses_.back().end = end;
            }
            return;
        }
        const bool phonemes = language_ == Language::hebrew;
        clauses_.push_back({language_, phonemes ? "[[" + text_ + "]]" : text_, end});
        text_.clear();
        words_ = 0;
    }
    std::vector<Clause> take() {
        end(ClauseEnd::none);
        return std::move(clauses_);
    }

private:
    void begin(Language language) {
        if (language != language_) {
            end(ClauseEnd::none);
        }
        language_ = language;
    }
    void count_word() {
        if (++words_ == clause_words_max) {
            end(ClauseEnd::none);
        }
    }

    std::vector<Clause> clauses_;
    Language language_ = Language::hebrew;
    std::string text_;
    std::size_t words_ = 0;
};

// A word of Hebrew letters: with geresh or gershayim inside or behind it.
std::u32string take_hebrew_word(std::u32string_view text, std::size_t& at) {
    std::u32string word;
    while (at < text.size()) {
        const char32_t code = text[at];
        const bool letter_next = at + 1 < text.size() && is_hebrew_letter(text[at + 1]);
        if (is_word_part(code)) {
            word += code;
        } else if ((code == U'"' || code == gershayim || code == U'\u201D') && letter_next) {
            word += U'"';
        } else if (code == geresh || code == U'\'' || code == U'\u2019') {
            word += U'\'';
        } else {
            break;
        }
        ++at;
    }
    return word;
}

std::string take_latin_word(std::u32string_view text, std::size_t& at) {
    const std::size_t begin = at;
    while (at < text.size() && (is_latin(text[at]) || is_digit(text[at]) || text[at] == U'\'' || text[at] == U'@')) {
        ++at;
    }
    return encode_utf8(text.substr(begin, at - begin));
}

}  // namespace

std::string hebrew_word_phonemes(std::u32string_view written) {
    std::u32string plain = plain_text(written);
    if (const auto words = abbreviation(plain)) {
        std::string phonemes;
        std::u32string_view rest = *words;
        while (!rest.empty()) {
            const auto blank = rest.find(U' ');
            phonemes += (phonemes.empty() ? "" : " ") + hebrew_word_phonemes(rest.substr(0, blank));
            rest = blank == std::u32string_view::npos ? U"" : rest.substr(blank + 1);
        }
        return phonemes;
    }
    // Geresh belongs to its letter now, gershayim are silent: an acronym nobody knows is read as a word.
    std::u32string letters;
    for (const char32_t code : written) {
        if (code != U'"') {
            letters += code == U'\'' ? geresh : code;
        }
    }
    const HebrewWord word = to_hebrew_word(letters);
    if (word.empty()) {
        return {};
    }
    if (const auto exception = spoken_exception(word)) {
        return std::string(*exception);
    }
    if (is_vowelled(word)) {
        return vowelled_phonemes(word);
    }
    if (const auto vowelled = vowelled_form(plain)) {
        const HebrewWord known = to_hebrew_word(*vowelled);
        const auto exception = spoken_exception(known);
        return exception ? std::string(*exception) : vowelled_phonemes(known);
    }
    return guessed_phonemes(word);
}

std::vector<Clause> hebrew_clauses(std::string_view text) {
    const std::u32string expanded = expand_hebrew(unfold_presentation_forms(decode_utf8(text)));
    ClauseBuilder builder;
    for (std::size_t at = 0; at < expanded.size();) {
        const char32_t code = expanded[at];
        if (is_hebrew_letter(code)) {
            builder.add_hebrew(take_hebrew_word(expanded, at));
        } else if (is_latin(code)) {
            builder.add_latin(take_latin_word(expanded, at));
        } else {
            const bool dash = code == U'-' && at > 0 && expanded[at - 1] == U' ';
            if (const ClauseEnd end = dash ? ClauseEnd::comma : end_of(code); end != ClauseEnd::none) {
                builder.end(end);
            }
            ++at;
        }
    }
    return builder.take();
}

}  // namespace agentlocator::speech
