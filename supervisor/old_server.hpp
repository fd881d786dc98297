#pragma once
// Recognises the servers and launchers of the original system by command line AND working directory, inside one
// installation (F-1, F-2, F-37). Pure. A name alone never matches: another project's gunicorn is none of our business.
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "supervisor/process_view.hpp"

namespace agentlocator {

struct Installation {
    std::string root;        // Absolute, no trailing slash.
    std::string bridge_dir;  // Where the bridge is now; the original's places are known.
};

// What it is ("gunicorn AgentLocator.main:app"), or nothing.
[[nodiscard]] std::optional<std::string> match_old_server(const ProcessView& process, const Installation& installation);

// A shell that runs one of the original's launcher scripts of this installation. It counts only as the parent of an
// old server: the same script, in its present form, may be preparing the very start that asks.
[[nodiscard]] std::optional<std::string> match_old_launcher(const ProcessView& process,
                                                            const Installation& installation);

// Joins and removes "." and ".."; no file system. Empty when `path` climbs above the root.
[[nodiscard]] std::string resolve_path(std::string_view folder, std::string_view path);

}  // namespace agentlocator
