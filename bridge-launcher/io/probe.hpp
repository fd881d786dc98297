#pragma once
// Gathers the facts launch_plan and install_plan decide on: what is on the disk, which node answers. Decides nothing.
#include <string>
#include <vector>

#include "bridge-launcher/install_plan.hpp"
#include "bridge-launcher/io/run_program.hpp"
#include "bridge-launcher/launch_plan.hpp"
#include "common/result.hpp"

namespace agentlocator {

[[nodiscard]] LaunchFacts gather_launch_facts(std::vector<std::string> environment, StopSignal& stop);

// Of the bridge in `folder`.
[[nodiscard]] ModulesFacts gather_modules_facts(const std::string& folder);

// The stamp a finished installation of this folder would have.
[[nodiscard]] Result<std::string> wanted_stamp(const std::string& folder, int node_major);

// The npm that belongs to `node`, else the first of `places`. Empty: none.
[[nodiscard]] std::string find_npm(const std::string& node, const std::vector<std::string>& places);

[[nodiscard]] std::string modules_path(const std::string& folder);
[[nodiscard]] std::string previous_path(const std::string& folder);
[[nodiscard]] std::string stamp_path(const std::string& folder);

}  // namespace agentlocator
