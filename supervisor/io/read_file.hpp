#pragma once
// Whole small files, with a bound.
#include <cstddef>
#include <optional>
#include <string>

namespace agentlocator {

inline constexpr std::size_t proc_file_bytes_max = 2 * 1024 * 1024;  // Longest command line Linux allows (ARG_MAX).

// The first `bytes_max` bytes; nothing when it cannot be opened. Never follows a link in the last part of the path.
[[nodiscard]] std::optional<std::string> read_file(const std::string& path,
                                                   std::size_t bytes_max = proc_file_bytes_max);

// The target of a symbolic link; empty when there is none or we may not see it.
[[nodiscard]] std::string read_link(const std::string& path);

}  // namespace agentlocator
