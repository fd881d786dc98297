#pragma once
// Deletes what is too old to be kept: transcripts, and recordings in the one order that never leaves a copy nobody
// knows of: the provider's copy, our file, then the row. A step that fails is tried again later; the row stays (F-57).
#include <functional>
#include <string>

#include "store/database.hpp"

namespace agentlocator {

struct RetentionParts {
    std::int64_t now_ms = 0;
    std::uint32_t days = 7;  // 0: nothing is deleted.
    // Deletes the provider's copy. A copy that is gone already is a success.
    std::function<Result<void>(const std::string& recording_sid)> delete_remote;
    std::function<Result<void>(const std::string& path)> delete_file;
};

struct RetentionReport {
    std::int64_t turns = 0;
    std::int64_t recordings = 0;
    std::int64_t failed = 0;
    std::string first_fault;
};

inline constexpr std::int64_t retention_batch = 500;  // Rows in one statement: other writers get their turn.

// When a failed deletion is tried again: doubling from ten minutes, at most a day.
[[nodiscard]] std::int64_t retention_retry_ms(std::int64_t attempts);

[[nodiscard]] Result<RetentionReport> run_retention(Database& database, const RetentionParts& parts);

}  // namespace agentlocator
