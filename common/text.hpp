#pragma once
// Small text helpers, ASCII only: protocols and settings, never human language.
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace agentlocator {

[[nodiscard]] char to_lower(char c);
[[nodiscard]] bool equal_no_case(std::string_view a, std::string_view b);
[[nodiscard]] std::string_view trim(std::string_view text);                         // Spaces, tabs, CR, LF.
[[nodiscard]] std::vector<std::string_view> split(std::string_view text, char by);  // "a,,b" has three parts.
[[nodiscard]] std::optional<std::int64_t> parse_integer(std::string_view text);     // All of it, decimal, no blanks.
[[nodiscard]] std::size_t edit_distance(std::string_view a, std::string_view b);    // Swapped neighbours count once.
[[nodiscard]] std::string hex(const void* bytes, std::size_t count);                // Lower case.

// Compares in time that depends on the lengths only. For tokens and signatures.
[[nodiscard]] bool equal_constant_time(std::string_view a, std::string_view b);

}  // namespace agentlocator
