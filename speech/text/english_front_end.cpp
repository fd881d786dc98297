#include "speech/text/english_front_end.hpp"

#include <array>

#include "speech/text/utf8.hpp"

namespace agentlocator::speech {
namespace {

using View = std::u32string_view;

bool is_digit(char32_t code) {
    return code >= U'0' && code <= U'9';
}

bool is_blank(char32_t code) {
    return code == U' ' || code == U'\t' || code == U'\n' || code == U'\r' || code == 0xA0;
}

bool contains(View set, char32_t code) {
    return set.find(code) != View::npos;
}

// "0 5 2, 1 2 3, 4 5 6 7": eSpeak would read 052 as "fifty-two".
std::u32string spoken_phone(View phone) {
    std::u32string words;
    for (std::size_t at = 0; at < phone.size();) {
        std::size_t end = at;
        while (end < phone.size() && is_digit(phone[end])) {
            ++end;
        }
        constexpr std::size_t whole_max = 4;  // A longer group is parted in threes, as people read it.
        for (std::size_t left = end - at; left > 0; left = end - at) {
            words += words.empty() ? U"" : U", ";
            for (const std::size_t stop = at + (left > whole_max ? 3 : left); at < stop; ++at) {
                words += words.empty() || words.back() == U' ' ? U"" : U" ";
                words += phone[at];
            }
        }
        words += at < phone.size() && phone[at] == U'+' ? U"plus " : U"";
        at += at < phone.size() ? 1 : 0;
    }
    return words;
}

// The length of a telephone number at the beginning; 0: none is there.
std::size_t phone_length(View text) {
    const bool plus = text.front() == U'+';
    const bool begins = plus ? text.size() > 1 && is_digit(text[1])
                             : text.front() == U'0' && text.size() > 1 && (is_digit(text[1]) || text[1] == U'-');
    std::size_t end = 1;
    std::size_t digits = plus ? 0 : 1;
    while (begins && end < text.size()) {
        const bool joined = contains(U"- ", text[end]) && end + 1 < text.size() && is_digit(text[end + 1]);
        if (!is_digit(text[end]) && !joined) {
            break;
        }
        digits += is_digit(text[end]) ? 1 : 0;
        ++end;
    }
    constexpr std::size_t digits_min = 7;
    return digits >= digits_min ? end : 0;
}

std::u32string expand(View text) {
    std::u32string out;
    for (std::size_t at = 0; at < text.size();) {
        const bool begins_word = at == 0 || !is_digit(text[at - 1]);
        if (const std::size_t length = begins_word ? phone_length(text.substr(at)) : 0; length > 0) {
            out += spoken_phone(text.substr(at, length));
            at += length;
        } else if (text[at] == U'₪') {
            std::size_t end = at + 1;
            while (end < text.size() && (is_digit(text[end]) || (contains(U",.", text[end]) && end + 1 < text.size() &&
                                                                 is_digit(text[end + 1])))) {
                ++end;
            }
            out += std::u32string(text.substr(at + 1, end - at - 1)) + U" shekels";
            at = end;
        } else if (contains(U"<>&[]|", text[at])) {
            out += text[at] == U'&' ? U" and " : U" ";  // Mark-up and phonemes to eSpeak; never from a text.
            ++at;
        } else {
            out += text[at++];
        }
    }
    return out;
}

// Words that end with a point inside a sentence.
bool is_abbreviation(View before) {
    const auto blank = before.find_last_of(U' ');
    const View word = blank == View::npos ? before : before.substr(blank + 1);
    constexpr std::array known{View(U"Mr"),     View(U"Mrs"), View(U"Ms"),  View(U"Dr"),  View(U"St"),
                               View(U"No"),     View(U"Ave"), View(U"e.g"), View(U"i.e"), View(U"vs"),
                               View(U"approx"), View(U"a.m"), View(U"p.m")};
    for (const View one : known) {
        if (word == one) {
            return true;
        }
    }
    return word.size() == 1 && word.front() >= U'A' && word.front() <= U'Z';  // An initial.
}

ClauseEnd end_at(View text, std::size_t at) {
    const char32_t code = text[at];
    const bool before_blank = at + 1 == text.size() || is_blank(text[at + 1]) || contains(U".?!)\"'", text[at + 1]);
    if (code == U'\n') {
        return ClauseEnd::comma;
    }
    if (!before_blank) {
        return ClauseEnd::none;  // "1,250", "3.5", "10:30"
    }
    switch (code) {
        case U',':
        case U';':
        case U':':
            return ClauseEnd::comma;
        case U'.':
            return is_abbreviation(text.substr(0, at)) && at + 1 < text.size() ? ClauseEnd::none : ClauseEnd::full_stop;
        case U'?':
            return ClauseEnd::question;
        case U'!':
            return ClauseEnd::exclamation;
        default:
            return ClauseEnd::none;
    }
}

bool has_speech(View text) {
    for (const char32_t code : text) {
        if (is_digit(code) || (code >= U'A' && code <= U'Z') || (code >= U'a' && code <= U'z') || code >= 0xA1) {
            return true;
        }
    }
    return false;
}

}  // namespace

std::vector<Clause> english_clauses(std::string_view text) {
    const std::u32string expanded = expand(decode_utf8(text));
    std::vector<Clause> clauses;
    std::u32string held;
    std::size_t words = 0;
    const auto finish = [&](ClauseEnd end) {
        if (has_speech(held)) {
            clauses.push_back({Language::english, encode_utf8(held), end});
        } else if (!clauses.empty() && clauses.back().end < end) {
            clauses.back().end = end;
        }
        held.clear();
        words = 0;
    };
    for (std::size_t at = 0; at < expanded.size(); ++at) {
        if (const ClauseEnd end = end_at(expanded, at); end != ClauseEnd::none) {
            finish(end);
            continue;
        }
        const bool blank = is_blank(expanded[at]);
        if (blank && held.empty()) {
            continue;
        }
        held += blank ? U' ' : expanded[at];
        if (blank && ++words == clause_words_max) {
            finish(ClauseEnd::none);
        }
    }
    finish(ClauseEnd::none);
    return clauses;
}

}  // namespace agentlocator::speech
