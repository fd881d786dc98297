#pragma once
// Whether and how the bridge can be started: folder, settings and facts in; argv, environment and directory out, or the
// reason there is none. Pure: io/probe gathers the facts, io/launch acts.
//
// A bridge that cannot be started is a warning: calls are answered without it. So every reason is one line with a
// remedy, and ends in bad_config (78), which the supervisor holds instead of trying again.
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "common/exit_code.hpp"

namespace agentlocator {

inline constexpr int node_major_min = 20;  // What Baileys 7 asks for (its engines field).

// Why there is no bridge. One line on the console; the supervisor shows it in `status`.
struct LaunchProblem {
    std::string cause;
    std::string remedy;
    ExitCode code = ExitCode::bad_config;
    friend bool operator==(const LaunchProblem&, const LaunchProblem&) = default;
};

// A folder the bridge may be in, and what is there.
struct FolderFacts {
    std::string path;
    bool exists = false;
    std::vector<std::string> missing;  // Of the files every bridge has (bridge_files).
};
inline constexpr const char* bridge_files[] = {"package.json", "package-lock.json", "index.js"};

// A program named node, and what it answered to --version. Empty: it could not be run.
struct NodeFacts {
    std::string path;
    std::string version;
};

struct LaunchFacts {
    std::string bridge_dir;            // BRIDGE_DIR as set; empty: looked for.
    std::vector<FolderFacts> folders;  // In the order of bridge_folders().
    std::vector<NodeFacts> nodes;      // Found, in the order of node_places(); those after the first good one left out.
    std::vector<std::string> looked_in;  // node_places()
    std::vector<std::string> environment;
};

struct LaunchPlan {
    std::string directory;
    std::string node;
    int node_major = 0;
    std::vector<std::string> argv;         // Never a secret: every user can read a command line.
    std::vector<std::string> environment;  // Of node.
    friend bool operator==(const LaunchPlan&, const LaunchPlan&) = default;
};

// BRIDGE_DIR alone when it is set (from the installation root if relative), else the bridge beside the installation:
// in it, in its AgentLocator/ folder, or next to an installation that is itself named AgentLocator.
[[nodiscard]] std::vector<std::string> bridge_folders(std::string_view bridge_dir, std::string_view root);

// PATH, then where a Node is commonly put, last the one scripts/node.sh fetches. Absolute folders, each once.
[[nodiscard]] std::vector<std::string> node_places(std::string_view path_variable, std::string_view root);

// "v20.20.2" gives 20.
[[nodiscard]] std::optional<int> node_major(std::string_view version);

[[nodiscard]] std::variant<LaunchPlan, LaunchProblem> plan_launch(const LaunchFacts& facts);

// What npm gets to see of the environment: what it needs to reach a registry, and no secret, because the packages it
// installs may run scripts.
[[nodiscard]] std::vector<std::string> install_environment(const LaunchPlan& plan,
                                                           const std::vector<std::string>& environment);

// The value of NAME in KEY=VALUE texts; the last wins, as it does in execve'd shells. Empty when absent.
[[nodiscard]] std::string_view environment_value(const std::vector<std::string>& environment, std::string_view name);

}  // namespace agentlocator
