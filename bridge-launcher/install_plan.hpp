#pragma once
// When the bridge's packages are installed, and what is done when that fails or is interrupted. Pure.
//
// npm deletes node_modules before it downloads (a registry outage ended the old bridge that way). So:
//   1. a finished node_modules is moved aside to .node_modules.previous,
//   2. npm ci runs in place (so that links and scripts with paths work),
//   3. the stamp is written inside node_modules, last, and the previous one is removed.
// If npm fails, the previous one is moved back and the bridge starts with it, with a warning: older packages that work
// beat no bridge, and the next start tries again. Interrupted anywhere, the next start finds the previous one and
// whether the stamp is there, and so knows which of the two is whole.
#include <optional>
#include <string>
#include <string_view>

#include "bridge-launcher/launch_plan.hpp"

namespace agentlocator {

struct ModulesFacts {
    bool exists = false;
    bool npm_finished = false;     // npm's own hidden lock file is there; it writes that at the end of a run.
    std::string stamp;             // Ours; empty: none.
    bool previous_exists = false;  // .node_modules.previous
};

// The text of the stamp a finished installation has: the lock file's hash, and the major version of Node, against which
// native packages are built.
[[nodiscard]] std::string install_stamp(std::string_view lock_sha256, int node_major);

// Left over from an interrupted installation; to be done before anything else is decided.
enum class Recovery { none, remove_previous, restore_previous };
[[nodiscard]] Recovery plan_recovery(const ModulesFacts& facts);

struct InstallPlan {
    bool needed = false;
    bool keep_previous = false;  // What is there is whole: move it aside, and back if npm fails.
    std::string reason;          // For the log.
    friend bool operator==(const InstallPlan&, const InstallPlan&) = default;
};
[[nodiscard]] InstallPlan plan_install(const ModulesFacts& facts, std::string_view wanted_stamp);

// How npm ended.
struct InstallOutcome {
    enum class Kind { succeeded, failed, not_run, timed_out, stopped } kind = Kind::succeeded;
    std::string detail;  // "exit code 1", "signal 9", "npm was not found; looked in ..."
};

struct InstallVerdict {
    bool start = false;                    // The bridge can be started.
    bool finish = false;                   // Write the stamp, remove the previous packages.
    bool restore = false;                  // Move the previous packages back.
    std::optional<LaunchProblem> problem;  // To be printed; with `start` it is a warning.
    friend bool operator==(const InstallVerdict&, const InstallVerdict&) = default;
};
[[nodiscard]] InstallVerdict judge_install(const InstallPlan& plan, const InstallOutcome& outcome);

}  // namespace agentlocator
