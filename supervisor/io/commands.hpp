#pragma once
// Performs one command of the command line; returns the exit status (common/exit_code.hpp).
#include "supervisor/options.hpp"

namespace agentlocator::cli {

[[nodiscard]] int perform(const Options& options);

}  // namespace agentlocator::cli
