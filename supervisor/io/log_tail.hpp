#pragma once
// The last lines of a log file, read from its end: the file may be large.
#include <cstdint>
#include <optional>
#include <string>

namespace agentlocator {

[[nodiscard]] std::optional<std::string> read_log_tail(const std::string& path, std::uint32_t lines);

}  // namespace agentlocator
