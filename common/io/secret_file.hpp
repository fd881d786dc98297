#pragma once
// A secret two of our processes share, made at the first start and kept in a file for the owner's eyes alone (0600).
#include <string>

#include "common/result.hpp"

namespace agentlocator {

inline constexpr std::size_t secret_random_bytes = 32;  // As many as the strongest key it protects.
inline constexpr std::size_t secret_text_max = 256;     // A file that holds more is not one of ours.

// The secret in `path`; makes one (64 hexadecimal digits) when there is no such file. Two who make it at once get the
// same, and only one of them is told by `made` that it was the maker. Error: the file cannot be read or made, is not a
// regular file of ours, or holds no secret.
[[nodiscard]] Result<std::string> keep_secret(const std::string& path, bool* made = nullptr);

}  // namespace agentlocator
