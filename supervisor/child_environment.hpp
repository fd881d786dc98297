#pragma once
// The whole environment of a child: ours without what is meant for us alone, the validated settings, and who it is.
// Pure. A child never has to guess a default (F-5), and never answers for us to the service manager.
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "common/config.hpp"

namespace agentlocator {

inline constexpr char spawn_serial_variable[] = "AGENTLOCATOR_SPAWN";  // Serial number of one started process.

struct ChildIdentity {
    bool is_worker = true;
    bool is_speech = false;
    std::string slot;           // "1", "bridge", "speech"
    std::uint32_t entry = 0;    // Worker entry in the slab; workers only.
    std::uint64_t serial = 0;   // Of this process.
    std::string_view instance;  // Of the supervisor.
    std::string_view build;
};

// `own`: our environment, NAME=VALUE. `others`: what the settings file has beside settings.
[[nodiscard]] std::vector<std::string> child_environment(const std::vector<std::string_view>& own,
                                                         const Settings& settings,
                                                         const std::vector<std::string>& others,
                                                         const ChildIdentity& child);

}  // namespace agentlocator
