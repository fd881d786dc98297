#pragma once
// What a supervisor that was killed left alive: workers with their calls, the listening socket and the slab, and the
// bridge. Collected before anything else is touched, while holding the lock; blocks, but only until every worker has
// answered or is dead.
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "common/io/call_slab_file.hpp"
#include "common/io/unique_fd.hpp"
#include "common/result.hpp"
#include "supervisor/child_record.hpp"
#include "supervisor/hand_back.hpp"
#include "supervisor/io/public_socket.hpp"
#include "supervisor/io/self_exec.hpp"

namespace agentlocator {

struct AdoptedChild {
    ChildRecord record;
    UniqueFd pidfd;
    // Workers only:
    HandBack told;
    UniqueFd control;
    std::vector<UniqueFd> sockets;  // One for each of told.calls().
};

struct Adoption {
    std::string instance;   // Of the run that goes on.
    SlabFile slab;          // Empty: no worker lived.
    PublicSocket listener;  // Where the workers accept.
    std::vector<AdoptedChild> workers;
    std::optional<AdoptedChild> bridge;
    struct Kept {
        std::uint32_t slot = 0;
        std::uint64_t call = 0;
        UniqueFd socket;
    };
    std::vector<Kept> kept;         // Across an exec of ours, or taken out of a worker that hung.
    std::uint64_t last_serial = 0;  // Of all that were recorded, the dead as well.

    [[nodiscard]] std::vector<std::int64_t> pids() const;
};

using Report = std::function<void(const std::string& line)>;

// `heritage`: what we kept across an exec; the workers then come from our own former self, and nothing of theirs was
// ever without a holder. Nothing: nobody is left. An error: workers live, but this build cannot take their calls over;
// they go on without us. A worker that does not answer in time hangs: its sockets are taken from it, and it is killed,
// so that its calls are served by nobody twice.
[[nodiscard]] Result<std::optional<Adoption>> adopt_orphans(const std::string& runtime_dir, bool want_bridge,
                                                            Heritage* heritage, const Report& report);

}  // namespace agentlocator
