#pragma once
// An English text to clauses for the engine. eSpeak reads English well by itself; what it reads badly is put into words
// here: telephone numbers (digit by digit, in groups) and sheqels. Pure.
#include <string>
#include <string_view>
#include <vector>

#include "speech/text/clause.hpp"

namespace agentlocator::speech {

[[nodiscard]] std::vector<Clause> english_clauses(std::string_view text);

}  // namespace agentlocator::speech
