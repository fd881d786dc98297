#pragma once
// A Hebrew word as letters with their marks, whatever order the marks came in. Pure.
//
// Unicode allows any order of dagesh, shin dot and vowel, and normalisation puts them in one that no keyboard types
// (Unicode 15, 9.1): a letter is therefore a set of marks here, not a sequence. Presentation forms (U+FB1D-FB4E) are
// taken apart. Cantillation is dropped, except ole (U+05AB), which marks the stress of a word where the rules fail.
#include <string>
#include <string_view>
#include <vector>

namespace agentlocator::speech {

namespace niqqud {
inline constexpr char32_t sheva = 0x05B0;
inline constexpr char32_t hataf_segol = 0x05B1;
inline constexpr char32_t hataf_patah = 0x05B2;
inline constexpr char32_t hataf_qamats = 0x05B3;
inline constexpr char32_t hiriq = 0x05B4;
inline constexpr char32_t tsere = 0x05B5;
inline constexpr char32_t segol = 0x05B6;
inline constexpr char32_t patah = 0x05B7;
inline constexpr char32_t qamats = 0x05B8;
inline constexpr char32_t holam = 0x05B9;  // U+05BA, holam for vav, is read as this one.
inline constexpr char32_t qubuts = 0x05BB;
inline constexpr char32_t qamats_qatan = 0x05C7;
}  // namespace niqqud

struct HebrewLetter {
    char32_t base = 0;   // U+05D0-05EA, final forms as written.
    char32_t vowel = 0;  // One of niqqud; 0: none.
    bool dagesh = false;
    bool sin = false;  // The dot of sin; without it a shin is a shin.
    bool stressed = false;
    bool geresh = false;  // Foreign sounds: gimel with geresh is "dZ".
    friend bool operator==(const HebrewLetter&, const HebrewLetter&) = default;
};
using HebrewWord = std::vector<HebrewLetter>;

[[nodiscard]] bool is_hebrew_letter(char32_t code);
[[nodiscard]] bool is_hebrew_mark(char32_t code);  // Points and cantillation, nothing that separates words.

// Takes presentation forms apart; everything else stays.
[[nodiscard]] std::u32string unfold_presentation_forms(std::u32string_view text);
// `text`: letters and marks, geresh (U+05F3) allowed; anything else in it is ignored.
[[nodiscard]] HebrewWord to_hebrew_word(std::u32string_view text);
[[nodiscard]] bool is_vowelled(const HebrewWord& word);             // Any vowel, or any dagesh.
[[nodiscard]] std::u32string plain_text(std::u32string_view text);  // Without marks.

}  // namespace agentlocator::speech
