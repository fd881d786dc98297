#pragma once
// Settings as text: for people, for programs and for docs/operations.md. Pure.
#include <string>

#include "common/config.hpp"
#include "supervisor/status_text.hpp"

namespace agentlocator {

[[nodiscard]] std::string settings_text(const ParsedSettings& parsed, const TextStyle& style);
[[nodiscard]] std::string settings_json(const ParsedSettings& parsed);

// The table of docs/operations.md, a test compares the two. Defaults as user 1000 sees them on two cores with the
// installation in /opt/agentlocator.
[[nodiscard]] std::string settings_markdown();

}  // namespace agentlocator
