#pragma once
// Takes the port, ending stale processes of ours when they are in the way, and those that merely still run.
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "common/config.hpp"
#include "common/result.hpp"
#include "supervisor/io/adoption.hpp"
#include "supervisor/io/public_socket.hpp"
#include "supervisor/lock_record.hpp"
#include "supervisor/status_document.hpp"

namespace agentlocator {

struct PortTaken {
    PublicSocket socket;
    std::vector<Problem> problems;
};

// `activated`: the service manager's socket, or empty. `previous`: who held the lock before us. `adoption`: whom to
// leave alone, and their listener; null: nobody.
[[nodiscard]] Result<PortTaken> take_port(PublicSocket activated, const Settings& settings,
                                          const std::optional<LockRecord>& previous, bool takeover, Adoption* adoption,
                                          const Report& report);

}  // namespace agentlocator
