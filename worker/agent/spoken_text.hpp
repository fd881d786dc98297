#pragma once
// Text as it is spoken and heard, Hebrew and English: code points, words without points and punctuation, what a voice
// can say of a model's markup, and how much of a sentence was heard. Pure.
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace agentlocator {

// Takes one code point off the front; U+FFFD for a malformed byte. `text` may not be empty.
[[nodiscard]] char32_t take_code_point(std::string_view& text);
void append_code_point(std::string& out, char32_t code_point);
[[nodiscard]] std::size_t count_code_points(std::string_view text);
// At most `bytes`, cut before a code point, never inside one.
[[nodiscard]] std::string_view cut_utf8(std::string_view text, std::size_t bytes);

[[nodiscard]] bool is_hebrew_letter(char32_t c);
[[nodiscard]] bool is_letter(char32_t c);  // Hebrew, Latin with its accents.
[[nodiscard]] bool is_digit(char32_t c);
[[nodiscard]] bool is_space(char32_t c);

// Words to compare with: points, cantillation and gershayim removed, Latin in lower case, everything else a gap. A
// number keeps its dot and loses its thousands commas: "1,250.5" is one word, "1250.5".
[[nodiscard]] std::vector<std::string> heard_words(std::string_view text);
[[nodiscard]] std::string heard_key(std::string_view text);  // The words with one blank between.

// What a voice can say: without markup (*, #, `, links), emoji and runs of blanks.
[[nodiscard]] std::string speakable(std::string_view text);

// The whole words of `text` that were heard when `heard` of `whole` ms of it were played.
[[nodiscard]] std::string_view heard_part(std::string_view text, std::int64_t heard, std::int64_t whole);
// The rest of a sentence of which about `said` of `whole` was delivered; begins one word early, for the ear's sake.
[[nodiscard]] std::string_view unsaid_part(std::string_view text, std::int64_t said, std::int64_t whole);
// How long a voice takes over it, roughly: 70 ms a character, as measured over receptionist sentences at 150 words a
// minute. For proportions and watches only.
[[nodiscard]] std::int64_t estimated_speech_ms(std::string_view text);

}  // namespace agentlocator
