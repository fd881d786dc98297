#pragma once
// Reads where settings come from: this process's environment, one settings file, flags. Decisions are in config.hpp.
// Later wins: defaults, file, environment, flags.
#include <optional>
#include <string>
#include <vector>

#include "common/config.hpp"

namespace agentlocator {

inline constexpr std::size_t settings_file_bytes_max = 256 * 1024;  // A hundred times a usual one.

struct SettingsRequest {
    std::optional<std::string> file;  // --env-file. Nothing: AGENTLOCATOR_ENV_FILE, else .env of the installation.
    SettingInputs flags;
};

struct LoadedSettings {
    ParsedSettings parsed;  // Faults and warnings of the file come first.
    std::string file;       // The settings file that was read; empty: none.
    // NAME=VALUE of the file that our table does not know and the environment does not have: for the children, which
    // may know them (keys of providers, secrets of the bridge).
    std::vector<std::string> others;
};

// Where this installation is: AGENTLOCATOR_ROOT, else the nearest folder above our executable that holds
// start_all.sh or baileys-bridge, else the parent of its bin folder. Never the working directory (F-37).
[[nodiscard]] std::string find_installation_root();

// The folder of our own executable: the other programs are beside it. Empty without /proc.
[[nodiscard]] std::string executable_folder();

[[nodiscard]] SettingFacts setting_facts();

// Settings of a supervisor or of a command. A missing named file is a fault; a missing default file is not.
[[nodiscard]] LoadedSettings load_settings(const SettingsRequest& request, const SettingFacts& facts);

// Settings of a child: its environment and nothing else, because its supervisor has read the rest already.
[[nodiscard]] ParsedSettings settings_from_environment(const SettingFacts& facts);

}  // namespace agentlocator
