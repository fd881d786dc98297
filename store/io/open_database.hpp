#pragma once
// Opens the database that DATABASE_URL names. Blocking.
#include <chrono>
#include <memory>

#include "store/database.hpp"

namespace agentlocator {

struct DatabasePatience {
    std::chrono::milliseconds connect{5000};    // A database that is not reachable is found out by then.
    std::chrono::milliseconds statement{5000};  // One statement, waiting for locks included.
};

// SQLite: creates the file (0600), WAL, synchronous=FULL: what was committed survives a power cut.
[[nodiscard]] Result<std::unique_ptr<Database>> open_sqlite(const std::string& path, DatabasePatience patience);
// PostgreSQL: synchronous_commit on, whatever the server's default is.
[[nodiscard]] Result<std::unique_ptr<Database>> open_postgres(const std::string& url, DatabasePatience patience);

[[nodiscard]] Result<std::unique_ptr<Database>> open_database(const DatabaseAddress& address,
                                                              DatabasePatience patience = {});

}  // namespace agentlocator
