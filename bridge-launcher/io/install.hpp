#pragma once
// Performs install_plan: lock, recovery, npm ci, stamp. One installation a folder at a time (flock on the folder).
#include <optional>

#include "bridge-launcher/io/probe.hpp"

namespace agentlocator {

// Twenty times what Baileys takes on a slow link; npm itself retries and waits inside this. BRIDGE_INSTALL_TIMEOUT_MS
// overrides it.
inline constexpr auto install_deadline_default = 10min;

struct InstallResult {
    bool start = false;                    // The bridge can be started.
    std::optional<LaunchProblem> problem;  // To be printed; with `start` a warning. Neither: told to stop.
};

[[nodiscard]] InstallResult ensure_installed(const LaunchPlan& plan, const LaunchFacts& facts, StopSignal& stop);

}  // namespace agentlocator
