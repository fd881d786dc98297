#pragma once
// The schema, as numbered steps. A step that was ever landed is never changed: add another.
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "store/database.hpp"

namespace agentlocator {

struct Migration {
    std::int64_t version;
    std::string_view name;
    std::vector<std::string> statements;
};

[[nodiscard]] const std::vector<Migration>& migrations();
[[nodiscard]] std::int64_t newest_schema();

// Brings the database to the newest schema. Every process may call it at every start: all steps that are missing run
// once, in one transaction, under a lock (SQLite: the write lock; PostgreSQL: an advisory lock), so that processes that
// start together wait for the first. Error refused: the database is newer than this build.
[[nodiscard]] Result<void> migrate(Database& database, std::int64_t now_ms,
                                   const std::vector<Migration>& steps = migrations());

}  // namespace agentlocator
