#pragma once
// Processes of this machine as values, and signals that reach exactly the process that was looked at. A pidfd pins a
// process: what was read while it lived is its own data, and a signal through it never hits a reused pid.
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "common/io/unique_fd.hpp"
#include "common/result.hpp"
#include "supervisor/process_view.hpp"

namespace agentlocator {

[[nodiscard]] std::string read_boot_id();                                       // Empty when /proc hides it.
[[nodiscard]] std::optional<std::uint64_t> read_start_ticks(std::int64_t pid);  // Nothing: no such living process.
[[nodiscard]] bool is_alive(std::int64_t pid, std::uint64_t start_ticks);       // A zombie is dead.

// One process. Nothing when it ended or /proc hides it.
[[nodiscard]] std::optional<ProcessView> read_process(std::int64_t pid);

// All processes that /proc shows; command line, folder and environment only of user `uid` (0 sees everything, and
// then everything is read).
[[nodiscard]] std::vector<ProcessView> read_processes(std::uint32_t uid);

[[nodiscard]] std::string user_name(std::uint32_t uid);           // "#1000" when the machine has no name for it.
[[nodiscard]] std::string started_at(std::uint64_t start_ticks);  // ISO 8601 UTC, empty when unknown.
[[nodiscard]] std::string iso_time_now();

class PinnedProcess {
public:
    // Fails with not_found when `expected` is gone or its pid belongs to another process by now.
    [[nodiscard]] static Result<PinnedProcess> pin(const ProcessView& expected);

    [[nodiscard]] bool signal(int number) const;  // False: it is gone, or we may not.
    [[nodiscard]] bool has_ended() const;
    [[nodiscard]] int fd() const { return pidfd_.get(); }  // -1 on kernels without pidfd.
    [[nodiscard]] const ProcessView& view() const { return view_; }

private:
    ProcessView view_;
    UniqueFd pidfd_;
};

}  // namespace agentlocator
