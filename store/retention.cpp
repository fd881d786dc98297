#include "store/retention.hpp"

#include <algorithm>

namespace agentlocator {
namespace {

constexpr std::int64_t day_ms = 86'400'000;
constexpr std::int64_t retry_first_ms = 600'000;

struct Recording {
    std::string sid;
    std::string file;
    bool remote_gone;
    std::int64_t attempts;
};

Result<void> delete_recording(Database& database, const Recording& recording, const RetentionParts& parts) {
    if (!recording.remote_gone) {
        if (auto deleted = parts.delete_remote(recording.sid); !deleted) {
            return deleted;
        }
        const auto noted = database.query("UPDATE recordings SET remote_deleted_at = $1 WHERE recording_sid = $2",
                                          {parts.now_ms, recording.sid});
        if (!noted) {
            return noted.error();
        }
    }
    if (!recording.file.empty()) {
        if (auto deleted = parts.delete_file(recording.file); !deleted) {
            return deleted;
        }
    }
    const auto gone = database.query("DELETE FROM recordings WHERE recording_sid = $1", {recording.sid});
    return gone ? Result<void>() : Result<void>(gone.error());
}

Result<void> delete_recordings(Database& database, const RetentionParts& parts, std::int64_t before,
                               RetentionReport& report) {
    for (;;) {
        const auto rows = database.query(
            "SELECT recording_sid, file, remote_deleted_at, delete_attempts FROM recordings WHERE recorded_at < $1 AND "
            "delete_after <= $2 ORDER BY recorded_at LIMIT $3",
            {before, parts.now_ms, retention_batch});
        if (!rows) {
            return rows.error();
        }
        if (rows->empty()) {
            return {};
        }
        for (const Row& row : *rows) {
            const Recording recording{text(row[0]), text(row[1]), integer(row[2]) != 0, integer(row[3])};
            const auto deleted = delete_recording(database, recording, parts);
            if (deleted) {
                ++report.recordings;
                continue;
            }
            ++report.failed;
            report.first_fault = report.first_fault.empty() ? deleted.error().detail : report.first_fault;
            const auto later = database.query(
                "UPDATE recordings SET delete_attempts = delete_attempts + 1, delete_after = $1 WHERE recording_sid = "
                "$2",
                {parts.now_ms + retention_retry_ms(recording.attempts), recording.sid});
            if (!later) {
                return later.error();
            }
        }
    }
}

Result<void> delete_turns(Database& database, std::int64_t before, RetentionReport& report) {
    for (;;) {
        const auto gone = database.query(
            "DELETE FROM turns WHERE (call_sid, turn, speaker) IN (SELECT call_sid, turn, speaker FROM turns WHERE "
            "said_at < $1 LIMIT $2) RETURNING turn",
            {before, retention_batch});
        if (!gone) {
            return gone.error();
        }
        report.turns += static_cast<std::int64_t>(gone->size());
        if (gone->empty()) {
            return {};
        }
    }
}

}  // namespace

std::int64_t retention_retry_ms(std::int64_t attempts) {
    const std::int64_t doublings = std::clamp<std::int64_t>(attempts, 0, 16);
    return std::min(retry_first_ms << doublings, day_ms);
}

Result<RetentionReport> run_retention(Database& database, const RetentionParts& parts) {
    RetentionReport report;
    if (parts.days == 0) {
        return report;
    }
    const std::int64_t before = parts.now_ms - std::int64_t{parts.days} * day_ms;
    if (auto done = delete_recordings(database, parts, before, report); !done) {
        return done.error();
    }
    if (auto done = delete_turns(database, before, report); !done) {
        return done.error();
    }
    return report;
}

}  // namespace agentlocator
