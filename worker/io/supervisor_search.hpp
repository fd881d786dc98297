#pragma once
// Looks for a supervisor that collects the workers of its dead predecessor.
#include <optional>
#include <string>

#include "common/io/unique_fd.hpp"

namespace agentlocator {

// A connection to workers.sock in `runtime_dir`, whose other side belongs to our user or root. Nothing: nobody is there
// yet, or not to be trusted. Never blocks.
[[nodiscard]] std::optional<UniqueFd> find_supervisor(const std::string& runtime_dir);

}  // namespace agentlocator
