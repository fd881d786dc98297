// Database on libsqlite3. Several processes share the file: WAL lets readers and the one writer go on side by side, and
// the busy handler waits for other writers. Statements are prepared once a connection and kept.
#include <fcntl.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <thread>
#include <unordered_map>

#include "common/io/unique_fd.hpp"
#include "store/io/open_database.hpp"

namespace agentlocator {
namespace {

// A dozen different statements are in use; more would be a leak of generated ones.
constexpr std::size_t statements_kept_max = 128;

struct StatementEnd {
    void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
};
using Statement = std::unique_ptr<sqlite3_stmt, StatementEnd>;

struct ConnectionEnd {
    void operator()(sqlite3* connection) const { sqlite3_close_v2(connection); }
};
using Connection = std::unique_ptr<sqlite3, ConnectionEnd>;

class SqliteDatabase final : public Database {
public:
    SqliteDatabase(Connection connection, std::string path)
        : connection_(std::move(connection)), path_(std::move(path)) {}

    using Database::query;
    [[nodiscard]] Kind kind() const override { return Kind::sqlite; }
    [[nodiscard]] bool broken() const override { return broken_; }

    [[nodiscard]] Result<Rows> query(std::string_view sql, std::span<const Value> parameters) override {
        auto* const statement = prepared(sql);
        if (statement == nullptr) {
            return failure(sqlite3_extended_errcode(connection_.get()));
        }
        bind(statement, parameters);
        Rows rows;
        int code = SQLITE_ROW;
        while ((code = sqlite3_step(statement)) == SQLITE_ROW) {
            rows.push_back(read_row(statement));
        }
        const int extended = code == SQLITE_DONE ? code : sqlite3_extended_errcode(connection_.get());
        auto result = code == SQLITE_DONE ? Result<Rows>(std::move(rows)) : Result<Rows>(failure(extended));
        sqlite3_reset(statement);
        sqlite3_clear_bindings(statement);
        return result;
    }

private:
    sqlite3_stmt* prepared(std::string_view sql) {
        const std::string key(sql);
        if (const auto found = statements_.find(key); found != statements_.end()) {
            return found->second.get();
        }
        sqlite3_stmt* made = nullptr;
        if (sqlite3_prepare_v2(connection_.get(), sql.data(), static_cast<int>(sql.size()), &made, nullptr) !=
            SQLITE_OK) {
            return nullptr;
        }
        if (statements_.size() >= statements_kept_max) {
            statements_.clear();
        }
        return statements_.emplace(key, Statement(made)).first->second.get();
    }

    static void bind(sqlite3_stmt* statement, std::span<const Value> parameters) {
        for (std::size_t i = 0; i < parameters.size(); ++i) {
            const int at = sqlite3_bind_parameter_index(statement, ("$" + std::to_string(i + 1)).c_str());
            if (at == 0) {
                continue;  // Given and not used by the statement.
            }
            if (const auto* number = std::get_if<std::int64_t>(&parameters[i])) {
                sqlite3_bind_int64(statement, at, *number);
            } else if (const auto* string = std::get_if<std::string>(&parameters[i])) {
                sqlite3_bind_text64(statement, at, string->data(), string->size(), SQLITE_STATIC, SQLITE_UTF8);
            } else {
                sqlite3_bind_null(statement, at);
            }
        }
    }

    static Row read_row(sqlite3_stmt* statement) {
        Row row;
        const int columns = sqlite3_column_count(statement);
        row.reserve(static_cast<std::size_t>(columns));
        for (int i = 0; i < columns; ++i) {
            switch (sqlite3_column_type(statement, i)) {
                case SQLITE_NULL:
                    row.emplace_back();
                    break;
                case SQLITE_INTEGER:
                    row.emplace_back(std::int64_t{sqlite3_column_int64(statement, i)});
                    break;
                default: {
                    const auto* bytes = static_cast<const char*>(sqlite3_column_blob(statement, i));
                    const auto size = static_cast<std::size_t>(sqlite3_column_bytes(statement, i));
                    row.emplace_back(bytes == nullptr ? std::string() : std::string(bytes, size));
                }
            }
        }
        return row;
    }

    Error failure(int code) {
        const int primary = code & 0xff;
        // The file was replaced or is damaged: a new connection may find a sound one.
        broken_ = broken_ || primary == SQLITE_CORRUPT || primary == SQLITE_NOTADB || primary == SQLITE_IOERR ||
                  code == SQLITE_READONLY_DBMOVED;
        const bool data = primary == SQLITE_CONSTRAINT || primary == SQLITE_TOOBIG || primary == SQLITE_MISMATCH;
        const bool busy = primary == SQLITE_BUSY || primary == SQLITE_LOCKED;
        return error(data   ? Errc::bad_message
                     : busy ? Errc::timeout
                            : Errc::io,
                     path_ + ": " + sqlite3_errmsg(connection_.get()));
    }

    Connection connection_;
    std::string path_;
    std::unordered_map<std::string, Statement> statements_;  // Ends before the connection: declared after it.
    bool broken_ = false;
};

// Made by us first, so that transcripts are never readable by others; SQLite gives -wal and -shm the same mode.
//
// The file itself is never opened here: closing any descriptor of a file drops every POSIX lock that the process holds
// on it (fcntl(2), SQLite docs: How To Corrupt An SQLite Database, 2.2). The worker has several connections; without
// their locks the next process that leaves takes itself for the last one and deletes the WAL under them. So an empty
// file is made under another name, and linked.
Result<void> make_private_file(const std::string& path) {
    if (::access(path.c_str(), F_OK) == 0) {
        return {};
    }
    std::string fresh = path + ".XXXXXX";
    const UniqueFd made(::mkostemp(fresh.data(), O_CLOEXEC));  // Mode 0600.
    if (!made) {
        return error(Errc::io, path + ": " + std::strerror(errno));
    }
    int fault = ::link(fresh.c_str(), path.c_str()) == 0 ? 0 : errno;
    ::unlink(fresh.c_str());
    if (fault != 0 &&
        fault != EEXIST) {  // A file system without links: nobody can hold a lock on a file not yet there.
        const UniqueFd plain(::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, S_IRUSR | S_IWUSR));
        fault = plain ? 0 : errno;
    }
    return fault == 0 || fault == EEXIST ? Result<void>() : error(Errc::io, path + ": " + std::strerror(fault));
}

// Two processes that turn a new file to WAL at once: SQLite tells the second one "busy" without asking its busy
// handler.
Result<void> use_wal(Database& database, std::chrono::milliseconds patience) {
    const auto deadline = std::chrono::steady_clock::now() + patience;
    for (;;) {
        const auto done = database.query("PRAGMA journal_mode=WAL");
        if (done) {
            return {};
        }
        if (done.error().code != Errc::timeout || std::chrono::steady_clock::now() >= deadline) {
            return done.error();
        }
        std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
}

}  // namespace

Result<std::unique_ptr<Database>> open_sqlite(const std::string& path, DatabasePatience patience) {
    if (auto made = make_private_file(path); !made) {
        return made.error();
    }
    sqlite3* made = nullptr;
    const int opened = sqlite3_open_v2(path.c_str(), &made, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, nullptr);
    Connection connection(made);
    if (opened != SQLITE_OK) {
        return error(Errc::io, path + ": " + (made == nullptr ? "out of memory" : sqlite3_errmsg(made)));
    }
    sqlite3_busy_timeout(made, static_cast<int>(patience.statement.count()));
    auto database = std::make_unique<SqliteDatabase>(std::move(connection), path);
    if (auto wal = use_wal(*database, patience.statement); !wal) {
        return wal.error();
    }
    for (const std::string_view pragma : {"PRAGMA synchronous=FULL", "PRAGMA foreign_keys=ON"}) {
        if (auto done = database->query(pragma); !done) {
            return done.error();
        }
    }
    return std::unique_ptr<Database>(std::move(database));
}

}  // namespace agentlocator
