#pragma once
// The one door to a database. Two implementations: SQLite (io/sqlite_database) and PostgreSQL (io/postgres_database).
// Everything above it is written once, in SQL both understand: `$1` parameters, ON CONFLICT, RETURNING, BIGINT, TEXT.
// Blocking; one connection; one thread at a time. Never on the media thread.
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "common/result.hpp"

namespace agentlocator {

// No booleans (0 and 1), no floats (amounts are minor units), times are milliseconds since 1970, UTC.
using Value = std::variant<std::monostate, std::int64_t, std::string>;
using Row = std::vector<Value>;
using Rows = std::vector<Row>;

[[nodiscard]] inline std::int64_t integer(const Value& value) {
    const auto* number = std::get_if<std::int64_t>(&value);
    return number != nullptr ? *number : 0;
}
[[nodiscard]] inline std::string text(const Value& value) {
    const auto* string = std::get_if<std::string>(&value);
    return string != nullptr ? *string : std::string();
}

// What a failed statement means to whoever holds the data, in Error::code:
//   bad_message  the data can never be stored (constraint, range): the same statement would fail again
//   io, timeout  the database cannot do it now (connection, lock, full disk, missing table): keep the data, try again
//   refused      the database must not be used by this build (newer schema)
class Database {
public:
    enum class Kind : std::uint8_t { sqlite, postgresql };

    virtual ~Database() = default;
    [[nodiscard]] virtual Kind kind() const = 0;
    // One statement.
    [[nodiscard]] virtual Result<Rows> query(std::string_view sql, std::span<const Value> parameters) = 0;
    [[nodiscard]] Result<Rows> query(std::string_view sql, std::initializer_list<Value> parameters = {}) {
        return query(sql, std::span<const Value>(parameters.begin(), parameters.size()));
    }
    // The connection is lost; the next statement would fail. Open a new one.
    [[nodiscard]] virtual bool broken() const = 0;

protected:
    Database() = default;
    Database(const Database&) = default;
    Database& operator=(const Database&) = default;
};

// BEGIN now, COMMIT on commit(), ROLLBACK when destroyed before. SQLite takes the write lock at BEGIN, so that a
// transaction that waited its turn cannot fail at its first write.
class Transaction {
public:
    [[nodiscard]] static Result<Transaction> begin(Database& database);
    Transaction(Transaction&& other) noexcept : database_(std::exchange(other.database_, nullptr)) {}
    Transaction& operator=(Transaction&&) = delete;
    ~Transaction();
    [[nodiscard]] Result<void> commit();

private:
    explicit Transaction(Database& database) : database_(&database) {}
    Database* database_;
};

// Where DATABASE_URL points to. Empty: SQLite, agentlocator.db in the data folder.
struct DatabaseAddress {
    Database::Kind kind = Database::Kind::sqlite;
    std::string target;  // A path, or what libpq takes.

    // For people: without password.
    [[nodiscard]] std::string shown() const;
};
// sqlite:///relative, sqlite:////absolute (as SQLAlchemy writes them), a plain path; postgresql:// and postgres://.
[[nodiscard]] Result<DatabaseAddress> parse_database_url(std::string_view url, std::string_view data_dir);

}  // namespace agentlocator
