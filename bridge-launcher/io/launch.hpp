#pragma once
// Becomes the bridge: applies the plan to this process and execs node. Returns only when that failed.
#include <string>
#include <vector>

#include "bridge-launcher/io/run_program.hpp"
#include "bridge-launcher/launch_plan.hpp"

namespace agentlocator {

[[nodiscard]] std::vector<std::string> current_environment();

// Out of the terminal's process group unless we lead one already. Ctrl-C then does not reach us or what we become.
void leave_terminal();

// Both give the exit code of a failed start, and otherwise do not return. launch is the bridge: in its folder, with a
// line in the log; become is anything else that is planned.
[[nodiscard]] int become(const LaunchPlan& plan, StopSignal& stop);
[[nodiscard]] int launch(const LaunchPlan& plan, StopSignal& stop);

}  // namespace agentlocator
