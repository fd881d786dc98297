#pragma once
// The helper as a service: from its descriptors to its exit status.
#include <string>

#include "common/config.hpp"
#include "common/exit_code.hpp"

namespace agentlocator::speech {

// `socket`: where to listen without a supervisor; empty: the descriptors it gave us.
[[nodiscard]] ExitCode serve(const std::string& socket, const Settings& settings);

}  // namespace agentlocator::speech
