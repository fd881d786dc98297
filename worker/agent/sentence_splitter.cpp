#include "worker/agent/sentence_splitter.hpp"

#include <algorithm>
#include <array>

#include "worker/agent/spoken_text.hpp"

namespace agentlocator {
namespace {

constexpr std::size_t none = std::string::npos;

bool is_end_mark(char32_t c) {
    return c == '.' || c == '!' || c == '?' || c == 0x2026;
}

bool is_closing(char32_t c) {
    return c == '"' || c == '\'' || c == ')' || c == ']' || c == 0x201d || c == 0x2019 || c == 0xbb;
}

bool is_pause(char32_t c) {
    return c == ',' || c == ';' || c == ':' || c == 0x2013 || c == 0x2014;
}

// Words that a dot does not end a sentence after. Lower case.
constexpr std::array<std::string_view, 18> abbreviations = {"mr",  "mrs",  "ms",     "dr",  "prof", "st",
                                                            "ave", "blvd", "apt",    "no",  "vs",   "etc",
                                                            "eg",  "ie",   "approx", "tel", "jr",   "inc"};

// The word in front of a dot says whether the dot ends a sentence: not after an abbreviation, an initial (J., ת.ד.) or
// the number of a list ("1. ") at the start.
bool dot_is_inside(std::string_view before, bool sentence_start) {
    const auto blank = before.find_last_of(" \n\t(");
    auto token = blank == none ? before : before.substr(blank + 1);
    token.remove_prefix(std::min(token.find_first_not_of("\"'"), token.size()));  // Inside the word it is gershayim.
    std::string word;
    std::size_t letters = 0;
    bool digits_only = !token.empty();
    for (std::string_view rest = token; !rest.empty();) {
        const char32_t c = take_code_point(rest);
        digits_only = digits_only && is_digit(c);
        if (c != '.') {
            append_code_point(word, c >= 'A' && c <= 'Z' ? c + 32 : c);
            ++letters;
        }
    }
    if (digits_only) {
        return sentence_start && blank == none;
    }
    const auto last_dot = token.find_last_of('.');
    const auto last = last_dot == none ? token : token.substr(last_dot + 1);
    if (count_code_points(last) == 1) {
        std::string_view one = last;
        return is_letter(take_code_point(one));
    }
    return std::find(abbreviations.begin(), abbreviations.end(), word) != abbreviations.end();
}

}  // namespace

std::optional<std::string> SentenceSplitter::next() {
    return take(false);
}

std::optional<std::string> SentenceSplitter::finish() {
    return take(true);
}

std::optional<std::string> SentenceSplitter::take(bool final) {
    while (true) {
        std::size_t end = find_end(final);
        if (end == none) {
            if (!final || text_.empty()) {
                return std::nullopt;
            }
            end = text_.size();
        }
        std::string sentence = speakable(std::string_view(text_).substr(0, end));
        text_.erase(0, end);
        // Marks alone are nothing to say.
        if (!heard_words(sentence).empty()) {
            first_ = false;
            return sentence;
        }
    }
}

std::size_t SentenceSplitter::find_end(bool final) const {
    const std::string_view all = text_;
    std::string_view rest = all;
    std::size_t count = 0;
    std::size_t pause = none;  // Behind the last mark or blank where a piece that is too long may be cut.
    bool spoken = false;       // A letter or digit came.
    while (!rest.empty()) {
        const std::size_t at = all.size() - rest.size();
        const char32_t c = take_code_point(rest);
        ++count;
        spoken = spoken || is_letter(c) || is_digit(c);
        if (c == '\n' && spoken) {
            return all.size() - rest.size();
        }
        if (is_end_mark(c) && spoken) {
            std::string_view after = rest;
            bool only_dot = c == '.';
            while (!after.empty()) {
                std::string_view peek = after;
                const char32_t next = take_code_point(peek);
                if (!is_end_mark(next) && !is_closing(next)) {
                    break;
                }
                only_dot = only_dot && next != '!' && next != '?';
                after = peek;
            }
            if (after.empty() && !final) {
                return none;  // "3." may become "3.5", and a closing quote may follow.
            }
            std::string_view peek = after;
            const bool gap = after.empty() || is_space(take_code_point(peek));
            if (gap && !(only_dot && !after.empty() && dot_is_inside(all.substr(0, at), true))) {
                return all.size() - after.size();
            }
        } else if (is_pause(c) && !rest.empty()) {
            std::string_view peek = rest;
            if (is_space(take_code_point(peek))) {
                pause = all.size() - rest.size();
                if (first_ && count >= limits_.clause_min) {
                    return pause;
                }
            }
        } else if (is_space(c) && pause == none && count > limits_.sentence_max / 2) {
            pause = all.size() - rest.size();
        }
        if (count >= limits_.sentence_max) {
            // Without any gap it is no language; cut it here.
            return pause != none ? pause : all.size() - rest.size();
        }
    }
    return none;
}

}  // namespace agentlocator
