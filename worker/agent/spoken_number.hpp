#pragma once
// Numbers as people say them, in text that a recogniser heard: Hebrew (either gender, with its prefixes), English,
// digits and mixtures ("2 מיליון ומאתיים", "two and a half million"). Pure.
#include <optional>
#include <string>
#include <string_view>

namespace agentlocator {

// The last number said ("three or four": four; "between one and two million": two million). Colloquial thousands are
// understood: "a million two hundred" is 1,200,000. Nothing: no number in it.
[[nodiscard]] std::optional<double> parse_spoken_number(std::string_view text);

// A telephone number said digit by digit or in pairs: "oh five oh, twelve" -> "05012". Empty: none.
[[nodiscard]] std::string parse_spoken_digits(std::string_view text);

// 1250000 -> "1,250,000".
[[nodiscard]] std::string with_thousands_commas(std::int64_t value);

}  // namespace agentlocator
