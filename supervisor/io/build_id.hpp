#pragma once
// Which build this program is.
#include <string>

#include "supervisor/upgrade.hpp"

namespace agentlocator {

// AGENTLOCATOR_BUILD, else the linker's build id: the same for the same code, and different for every other.
[[nodiscard]] std::string build_id();

// How this build lays out the memory of live calls, as `version --json` says it.
[[nodiscard]] BuildLayout own_layout();

}  // namespace agentlocator
