#pragma once
// The status document: what the supervisor knows at one moment, as JSON. Pure. The same text feeds `status`, --json
// and the console. Every problem carries its remedy (P7).
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "common/config.hpp"
#include "supervisor/bridge_beat.hpp"
#include "supervisor/mode_control.hpp"
#include "supervisor/supervisor.hpp"
#include "supervisor/upgrade.hpp"

namespace agentlocator {

struct Problem {
    std::string code;  // "slot_held": for programs, never changes.
    std::string cause;
    std::string remedy;
};

struct ExitRecord {
    std::string at;  // ISO 8601 UTC.
    std::string cause;
    std::optional<int> code{};
    std::optional<int> signal{};
    bool core = false;
    Duration lived{};
    std::vector<std::string> log;
};

struct ChildView {
    std::string slot;  // "1", "bridge", "speech"
    std::string role;  // "current", "successor", "outgoing"
    std::int64_t pid = 0;
    SlotState state = SlotState::vacant;
    Duration uptime{};
    std::uint32_t calls = 0;
    std::uint64_t calls_served = 0;
    std::uint64_t requests = 0;
    std::uint32_t restarts = 0;
    std::optional<Duration> heartbeat{};  // Its age.
    std::uint64_t rss_kb = 0;
    std::uint64_t log_dropped = 0;
    std::optional<ExitRecord> last_exit{};
};

struct StatusView {
    std::string instance;
    std::string build;
    std::int64_t pid = 0;
    std::string started_at;
    Duration uptime{};
    SupervisorState state = SupervisorState::starting;
    ModeView mode;
    std::optional<std::string> mode_until{};  // ISO 8601 UTC.
    std::string address;
    std::uint16_t port = 0;
    bool port_ours = false;
    std::string port_detail;
    std::uint32_t calls_live = 0;
    std::uint32_t calls_capacity = 0;
    std::uint64_t calls_served = 0;
    std::uint64_t calls_moved = 0;     // Take-overs and hand-overs.
    std::uint64_t calls_resumed = 0;   // Streams that went on with a call whose connection was lost.
    std::uint64_t calls_poisoned = 0;  // Closed because handling them ended two workers.
    std::uint64_t calls_lost = 0;      // With a worker that died together with its supervisor.
    std::vector<ChildView> workers;
    std::optional<ChildView> bridge{};
    std::string bridge_detail;  // Why there is none.
    std::optional<BridgeBeat> whatsapp{};
    std::optional<ChildView> speech{};
    std::string speech_detail;  // Why there is none.
    std::vector<Problem> problems;
    UpgradeRecord upgrade{};  // The last one, or the one under way.
};

[[nodiscard]] std::string encode_status(const StatusView& view);
[[nodiscard]] std::string encode_config(const std::vector<SettingView>& view);
[[nodiscard]] std::string encode_version(std::string_view instance, std::string_view build);

}  // namespace agentlocator
