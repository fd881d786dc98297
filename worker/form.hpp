#pragma once
// application/x-www-form-urlencoded, as Twilio posts it and as it stands in a query. Pure.
// Lenient where a browser is: a '%' that starts no pair of hex digits stands for itself. Nothing is trimmed, dropped or
// normalised, because the decoded fields are what Twilio signed (Twilio docs: Security). Bytes need not be UTF-8.
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/result.hpp"

namespace agentlocator {

inline constexpr std::size_t form_fields_max = 512;        // A voice webhook has about 30, a SIP call some more.
inline constexpr std::size_t form_bytes_max = 256 * 1024;  // As much as a request body may have.

struct FormField {
    std::string name;
    std::string value;
    bool operator==(const FormField&) const = default;
};
using FormFields = std::vector<FormField>;  // In the order of the text, repeated names included.

// Error: too_large at the first byte or field over its limit. Empty pieces ("a=1&&b=2") are no fields.
[[nodiscard]] Result<FormFields> parse_form(std::string_view text);

// The first value of that name (case-sensitive); nothing when absent.
[[nodiscard]] std::optional<std::string_view> find_field(const FormFields& fields, std::string_view name);

// The same, empty when absent.
[[nodiscard]] std::string_view field(const FormFields& fields, std::string_view name);

// True for "application/x-www-form-urlencoded" with or without parameters.
[[nodiscard]] bool is_form_type(std::string_view content_type);

}  // namespace agentlocator
