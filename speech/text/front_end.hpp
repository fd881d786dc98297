#pragma once
// Text in a language to clauses for the engine. The other language may appear in it, each word goes to its own voice.
// Pure.
#include <optional>
#include <string_view>
#include <vector>

#include "speech/text/clause.hpp"

namespace agentlocator::speech {

// "he", "he-IL", "en-US"; nothing for a language there is no voice for.
[[nodiscard]] std::optional<Language> parse_language(std::string_view tag);
[[nodiscard]] std::vector<Clause> make_clauses(std::string_view text, Language language);

}  // namespace agentlocator::speech
