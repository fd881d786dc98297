#pragma once
// The upgrade of a running supervisor to the programs that are on the disk now, and the way back. Pure: events in,
// one action out; the runner performs it. It spans up to three processes with one pid: the record goes with each exec.
//
//   idle --request--> checking --checked--> leaving ==exec==> rolling --all new workers serve--> done
//                        | refused             | exec failed      | a new worker does not become ready
//                        v                     v                  v
//                      failed <----------------+              returning ==exec of the old build==> returned
//
// failed: nothing was changed. returned: the old build runs again, and the workers that were new are rolled back.
#include <optional>
#include <string>
#include <string_view>

#include "common/result.hpp"
#include "common/time.hpp"

namespace agentlocator {

enum class UpgradeState : std::uint8_t { idle, checking, leaving, rolling, done, failed, returning, returned };
[[nodiscard]] std::string_view to_string(UpgradeState state);
[[nodiscard]] std::optional<UpgradeState> parse_upgrade_state(std::string_view name);

// What goes from process to process, and into `status`.
struct UpgradeRecord {
    UpgradeState state = UpgradeState::idle;
    std::uint64_t number = 0;  // Of this run, from 1: whoever waits for one knows it by that.
    std::string folder;        // Where the new programs are.
    std::string from_build;
    std::string to_build;
    std::string failure;  // Of failed, returning and returned.
    friend bool operator==(const UpgradeRecord&, const UpgradeRecord&) = default;
};

// What the new `agentlocator` said about itself.
struct BuildLayout {
    std::string slab;                    // Of the part of the slab that every build reads (common/call_slab.hpp).
    std::string memory;                  // Of the memory of calls ...
    std::uint32_t snapshot_version = 0;  // ... and the format in which calls go to another layout of it.
};
struct BuildFacts {
    std::string version;
    std::string build;
    BuildLayout layout;
};

// Reads the answer of `agentlocator version --json`; an error says why this build cannot be upgraded to.
[[nodiscard]] Result<BuildFacts> parse_build_facts(std::string_view text);

enum class UpgradeAction : std::uint8_t {
    none,
    check,      // Run the new program's `version --json`.
    leave,      // Become the new program.
    turn_back,  // Become the old program again.
};

inline constexpr Duration check_max = 10s;  // To print a version; a swapping host needs seconds.

class Upgrade {
public:
    Upgrade(std::string own_build, BuildLayout own_layout)
        : own_build_(std::move(own_build)), own_layout_(std::move(own_layout)) {}
    // After an exec: what the process before us wrote down.
    void resume(UpgradeRecord record);

    // Refused while another one is under way. `number`: never used before.
    [[nodiscard]] Result<UpgradeAction> on_request(const std::string& folder, std::uint64_t number);
    [[nodiscard]] UpgradeAction on_checked(const Result<BuildFacts>& facts);
    void on_leave_failed(const std::string& why);
    // The rolling restart that follows ended; `fault` is empty when it went through.
    [[nodiscard]] UpgradeAction on_rolled(const std::string& fault);

    [[nodiscard]] const UpgradeRecord& record() const { return record_; }
    [[nodiscard]] bool is_rolling() const { return record_.state == UpgradeState::rolling; }
    [[nodiscard]] bool under_way() const;

private:
    void fail(const std::string& why);

    std::string own_build_;
    BuildLayout own_layout_;
    UpgradeRecord record_;
};

}  // namespace agentlocator
