#include "speech/text/hebrew_letters.hpp"

#include <algorithm>
#include <array>
#include <iterator>

namespace agentlocator::speech {
namespace {

constexpr char32_t alef = 0x05D0;
constexpr char32_t tav = 0x05EA;
constexpr char32_t holam_haser_for_vav = 0x05BA;
constexpr char32_t dagesh = 0x05BC;
constexpr char32_t sin_dot = 0x05C2;
constexpr char32_t ole = 0x05AB;
constexpr char32_t geresh = 0x05F3;

// U+FB1D-FB4E: base letter and marks of each presentation form (Unicode 15, chart FB00).
struct Form {
    char32_t form;
    std::u32string_view parts;
};
constexpr std::array forms{
    Form{0xFB1D, U"\u05D9\u05B4"}, Form{0xFB1F, U"\u05D9\u05D9\u05B7"}, Form{0xFB2A, U"\u05E9\u05C1"},
    Form{0xFB2B, U"\u05E9\u05C2"}, Form{0xFB2C, U"\u05E9\u05BC\u05C1"}, Form{0xFB2D, U"\u05E9\u05BC\u05C2"},
    Form{0xFB2E, U"\u05D0\u05B7"}, Form{0xFB2F, U"\u05D0\u05B8"},       Form{0xFB30, U"\u05D0\u05BC"},
    Form{0xFB31, U"\u05D1\u05BC"}, Form{0xFB32, U"\u05D2\u05BC"},       Form{0xFB33, U"\u05D3\u05BC"},
    Form{0xFB34, U"\u05D4\u05BC"}, Form{0xFB35, U"\u05D5\u05BC"},       Form{0xFB36, U"\u05D6\u05BC"},
    Form{0xFB38, U"\u05D8\u05BC"}, Form{0xFB39, U"\u05D9\u05BC"},       Form{0xFB3A, U"\u05DA\u05BC"},
    Form{0xFB3B, U"\u05DB\u05BC"}, Form{0xFB3C, U"\u05DC\u05BC"},       Form{0xFB3E, U"\u05DE\u05BC"},
    Form{0xFB40, U"\u05E0\u05BC"}, Form{0xFB41, U"\u05E1\u05BC"},       Form{0xFB43, U"\u05E3\u05BC"},
    Form{0xFB44, U"\u05E4\u05BC"}, Form{0xFB46, U"\u05E6\u05BC"},       Form{0xFB47, U"\u05E7\u05BC"},
    Form{0xFB48, U"\u05E8\u05BC"}, Form{0xFB49, U"\u05E9\u05BC"},       Form{0xFB4A, U"\u05EA\u05BC"},
    Form{0xFB4B, U"\u05D5\u05B9"}, Form{0xFB4C, U"\u05D1\u05BF"},       Form{0xFB4D, U"\u05DB\u05BF"},
    Form{0xFB4E, U"\u05E4\u05BF"},
};

}  // namespace

bool is_hebrew_letter(char32_t code) {
    return code >= alef && code <= tav;
}

bool is_hebrew_mark(char32_t code) {
    constexpr std::u32string_view separators = U"\u05BE\u05C0\u05C3\u05C6";  // Maqaf, paseq, sof pasuq, nun hafukha.
    return code >= 0x0591 && code <= 0x05C7 && separators.find(code) == std::u32string_view::npos;
}

std::u32string unfold_presentation_forms(std::u32string_view text) {
    std::u32string out;
    out.reserve(text.size());
    for (const char32_t code : text) {
        const auto found =
            std::find_if(forms.begin(), forms.end(), [code](const Form& form) { return form.form == code; });
        if (found == forms.end()) {
            out += code;
        } else {
            out += found->parts;
        }
    }
    return out;
}

HebrewWord to_hebrew_word(std::u32string_view text) {
    HebrewWord word;
    for (const char32_t code : text) {
        if (is_hebrew_letter(code)) {
            word.push_back({.base = code});
        } else if (word.empty()) {
            continue;
        } else if (code == dagesh) {
            word.back().dagesh = true;
        } else if (code == sin_dot) {
            word.back().sin = true;
        } else if (code == ole) {
            word.back().stressed = true;
        } else if (code == geresh) {
            word.back().geresh = true;
        } else if (code == holam_haser_for_vav) {
            word.back().vowel = niqqud::holam;
        } else if ((code >= niqqud::sheva && code <= niqqud::qubuts) || code == niqqud::qamats_qatan) {
            word.back().vowel = code;
        }
    }
    return word;
}

bool is_vowelled(const HebrewWord& word) {
    return std::any_of(word.begin(), word.end(),
                       [](const HebrewLetter& letter) { return letter.vowel != 0 || letter.dagesh; });
}

std::u32string plain_text(std::u32string_view text) {
    std::u32string out;
    std::copy_if(text.begin(), text.end(), std::back_inserter(out),
                 [](char32_t code) { return !is_hebrew_mark(code); });
    return out;
}

}  // namespace agentlocator::speech
