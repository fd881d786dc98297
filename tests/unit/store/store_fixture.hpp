#pragma once
// A fresh database for a test. STORE_TEST_DATABASE_URL names the one to use: tests/integration/test_store.py runs this
// same program over PostgreSQL. Without it: SQLite in a private folder.
#include <doctest/doctest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <string>

#include "store/io/open_database.hpp"
#include "store/migrations.hpp"

// A failed check shows what went wrong, or which rows there were.
namespace doctest {
template <class T>
struct StringMaker<boost::system::result<T, agentlocator::Error>> {
    static String convert(const boost::system::result<T, agentlocator::Error>& result) {
        return result ? String("a value") : String(result.error().detail.c_str());
    }
};
template <>
struct StringMaker<agentlocator::Rows> {
    static String convert(const agentlocator::Rows& rows) {
        std::string shown;
        for (const agentlocator::Row& row : rows) {
            for (const agentlocator::Value& value : row) {
                shown += std::holds_alternative<std::int64_t>(value) ? std::to_string(agentlocator::integer(value))
                                                                     : agentlocator::text(value);
                shown += " | ";
            }
            shown += "\n";
        }
        return String(shown.c_str());
    }
};
}  // namespace doctest

namespace agentlocator {

class StoreFixture {
public:
    StoreFixture() {
        char pattern[] = "/tmp/al-store-XXXXXX";
        folder_ = ::mkdtemp(pattern);
        const char* url = std::getenv("STORE_TEST_DATABASE_URL");
        const auto parsed = parse_database_url(url == nullptr ? "" : url, folder_);
        REQUIRE(parsed);
        address_ = *parsed;
        auto database = open();
        if (database->kind() == Database::Kind::postgresql) {
            REQUIRE(database->query("DROP SCHEMA public CASCADE"));
            REQUIRE(database->query("CREATE SCHEMA public"));
        }
        REQUIRE(migrate(*database, 1));
        first_ = std::move(database);
    }
    StoreFixture(const StoreFixture&) = delete;
    StoreFixture& operator=(const StoreFixture&) = delete;
    ~StoreFixture() {
        first_.reset();
        std::filesystem::remove_all(folder_);
    }

    // One more connection to the same database.
    [[nodiscard]] std::unique_ptr<Database> open(DatabasePatience patience = {}) const {
        auto database = open_database(address_, patience);
        if (!database) {
            FAIL(database.error().detail);
        }
        return std::move(*database);
    }
    [[nodiscard]] Database& database() { return *first_; }
    [[nodiscard]] const std::string& folder() const { return folder_; }
    [[nodiscard]] const DatabaseAddress& address() const { return address_; }

    // Rows of a statement that must succeed.
    Rows rows(const std::string& sql, std::initializer_list<Value> parameters = {}) {
        auto result = first_->query(sql, parameters);
        if (!result) {
            FAIL(sql << ": " << result.error().detail);
        }
        return *result;
    }

private:
    std::string folder_;
    DatabaseAddress address_;
    std::unique_ptr<Database> first_;
};

}  // namespace agentlocator
