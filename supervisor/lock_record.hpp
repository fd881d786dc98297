#pragma once
// What the lock file says about its holder: information for people and for the next start. The lock itself is the
// kernel's (io/instance_lock). Pure: text in, record out and back.
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace agentlocator {

inline constexpr std::size_t lock_record_bytes_max = 16 * 1024;  // Four longest paths.

struct LockRecord {
    std::int64_t pid = 0;
    std::uint64_t start_ticks = 0;
    std::string boot_id;
    std::string instance;  // Instance id of the supervisor.
    std::string executable;
    std::string started_at;      // ISO 8601, UTC.
    std::string control_socket;  // Where it answers.
    friend bool operator==(const LockRecord&, const LockRecord&) = default;
};

[[nodiscard]] std::string encode_lock_record(const LockRecord& record);

// Nothing for a file of another kind, a half-written or an empty one (the original's lock was empty).
[[nodiscard]] std::optional<LockRecord> parse_lock_record(std::string_view text);

// True when the file holds nothing or what looks like a lock of ours or of the original: it may be overwritten.
[[nodiscard]] bool is_lock_content(std::string_view text);

// "pid 123, /opt/agent/bin/agentlocator, since 2026-01-02T03:04:05Z, control socket /run/..."
[[nodiscard]] std::string describe(const LockRecord& record);

}  // namespace agentlocator
