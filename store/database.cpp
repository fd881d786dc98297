#include "store/database.hpp"

#include <utility>

namespace agentlocator {

Result<Transaction> Transaction::begin(Database& database) {
    const auto begun = database.query(database.kind() == Database::Kind::sqlite ? "BEGIN IMMEDIATE" : "BEGIN");
    if (!begun) {
        return begun.error();
    }
    return Transaction(database);
}

Transaction::~Transaction() {
    if (database_ != nullptr && !database_->broken()) {
        // A failure here leaves nothing to do: the connection is broken, and with it goes the transaction.
        static_cast<void>(database_->query("ROLLBACK"));
    }
}

Result<void> Transaction::commit() {
    const auto committed = database_->query("COMMIT");
    if (!committed) {
        return committed.error();  // The destructor rolls back.
    }
    database_ = nullptr;
    return {};
}

std::string DatabaseAddress::shown() const {
    if (kind == Database::Kind::sqlite) {
        return "sqlite:///" + target;
    }
    // user:password@ -> user:***@, and ?password=... of the query.
    std::string shown = target;
    const auto authority = shown.find("://") + 3;
    const auto end = shown.find_first_of("/?", authority);
    const auto at = shown.rfind('@', end);
    const auto colon = shown.find(':', authority);
    if (at != std::string::npos && at > authority && colon < at) {
        shown.replace(colon + 1, at - colon - 1, "***");
    }
    if (const auto query = shown.find("password=", authority); query != std::string::npos) {
        const auto value = query + std::string_view("password=").size();
        shown.replace(value, shown.find('&', value) - value, "***");
    }
    return shown;
}

Result<DatabaseAddress> parse_database_url(std::string_view url, std::string_view data_dir) {
    const auto in_data_dir = [&](std::string_view path) {
        return path.starts_with('/') ? std::string(path) : std::string(data_dir) + "/" + std::string(path);
    };
    if (url.empty()) {
        return DatabaseAddress{Database::Kind::sqlite, in_data_dir("agentlocator.db")};
    }
    if (url.starts_with("postgresql://")) {
        return DatabaseAddress{Database::Kind::postgresql, std::string(url)};
    }
    if (url.starts_with("postgres://")) {  // What platforms hand out; libpq takes both, one spelling is simpler.
        return DatabaseAddress{Database::Kind::postgresql, "postgresql" + std::string(url.substr(8))};
    }
    constexpr std::string_view sqlite = "sqlite:///";
    if (url.starts_with(sqlite) && url.size() > sqlite.size()) {
        return DatabaseAddress{Database::Kind::sqlite, in_data_dir(url.substr(sqlite.size()))};
    }
    if (url.find("://") == std::string_view::npos && !url.starts_with("sqlite:")) {
        return DatabaseAddress{Database::Kind::sqlite, in_data_dir(url)};
    }
    return error(Errc::bad_config, "not a database we know; valid: sqlite:///PATH, postgresql://..., postgres://...");
}

}  // namespace agentlocator
