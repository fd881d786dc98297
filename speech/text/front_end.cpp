#include "speech/text/front_end.hpp"

#include "common/text.hpp"
#include "speech/text/english_front_end.hpp"
#include "speech/text/hebrew_front_end.hpp"
#include "speech/text/hebrew_letters.hpp"
#include "speech/text/utf8.hpp"

namespace agentlocator::speech {
namespace {

void append(std::vector<Clause>& to, std::vector<Clause> from) {
    to.insert(to.end(), from.begin(), from.end());
}

// Hebrew words inside an English text, the blanks between them included.
std::vector<Clause> english_with_hebrew(std::string_view text) {
    const std::u32string codes = decode_utf8(text);
    std::vector<Clause> clauses;
    std::size_t begin = 0;
    while (begin < codes.size()) {
        std::size_t hebrew = begin;
        while (hebrew < codes.size() && !is_hebrew_letter(codes[hebrew])) {
            ++hebrew;
        }
        append(clauses, english_clauses(encode_utf8(std::u32string_view(codes).substr(begin, hebrew - begin))));
        std::size_t end = hebrew;
        for (std::size_t at = hebrew; at < codes.size(); ++at) {
            if (is_hebrew_letter(codes[at]) || is_hebrew_mark(codes[at])) {
                end = at + 1;
            } else if (codes[at] != U' ' && codes[at] != U'"' && codes[at] != U'\'') {
                break;
            }
        }
        append(clauses, hebrew_clauses(encode_utf8(std::u32string_view(codes).substr(hebrew, end - hebrew))));
        begin = end;
    }
    return clauses;
}

}  // namespace

std::optional<Language> parse_language(std::string_view tag) {
    const std::string_view primary = tag.substr(0, tag.find('-'));       // RFC 5646 2.1
    if (equal_no_case(primary, "he") || equal_no_case(primary, "iw")) {  // "iw": its code before 1989.
        return Language::hebrew;
    }
    return equal_no_case(primary, "en") ? std::optional(Language::english) : std::nullopt;
}

std::vector<Clause> make_clauses(std::string_view text, Language language) {
    return language == Language::hebrew ? hebrew_clauses(text) : english_with_hebrew(text);
}

}  // namespace agentlocator::speech
