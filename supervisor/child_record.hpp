#pragma once
// children.json in the runtime folder: which processes this supervisor started, for the next one that finds it dead.
// Pure: text in, records out and back. A process is named by boot id, pid and start ticks together; a pid alone is
// reused within the hour on a busy machine.
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "common/result.hpp"

namespace agentlocator {

inline constexpr char child_record_file[] = "children.json";
inline constexpr char child_tag_variable[] = "AGENTLOCATOR_TAG";  // In the environment of every child of ours.
inline constexpr char child_tag_service[] = "agentlocator";       // Its value is "<service>/<instance>".

struct ChildRecord {
    std::string slot;  // "1", "bridge"
    std::int64_t pid = 0;
    std::uint64_t start_ticks = 0;  // Field 22 of /proc/PID/stat.
    // For a supervisor that adopts it; a record without them names a process to end and no more.
    std::uint64_t serial = 0;             // AGENTLOCATOR_SPAWN in its environment.
    std::int64_t spawned_ns = 0;          // Steady clock.
    std::uint32_t spawns = 1;             // Of its slot.
    std::uint32_t level = 0;              // Of its slot's restart policy, ...
    std::vector<std::int64_t> crashes{};  // ... and when it crashed, steady clock.
    std::string made_for{};               // Fingerprint of the settings and the build it was started with.
    friend bool operator==(const ChildRecord&, const ChildRecord&) = default;
};

struct ChildRecords {
    std::string instance;  // Instance id of the supervisor that wrote it.
    std::string boot_id;   // Records of another boot are void.
    std::int64_t supervisor_pid = 0;
    std::uint64_t supervisor_start_ticks = 0;
    std::vector<ChildRecord> children;
    friend bool operator==(const ChildRecords&, const ChildRecords&) = default;
};

[[nodiscard]] std::string encode_child_records(const ChildRecords& records);
// A half-written, foreign or malformed file is an error, never a record with defaults: it would name processes to end.
[[nodiscard]] Result<ChildRecords> parse_child_records(std::string_view text);

}  // namespace agentlocator
