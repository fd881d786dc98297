// What both databases must do alike.

#include <thread>

#include "store/database.hpp"
#include "tests/unit/store/store_fixture.hpp"

using namespace agentlocator;

TEST_CASE("database: values come back as they were stored") {
    StoreFixture store;
    store.rows("CREATE TABLE t (a BIGINT, b TEXT, c TEXT)");
    const std::int64_t largest = INT64_MAX;
    const std::string text = "שלום 'x' \"y\" $1 \\ % 😀\n\t";
    store.rows("INSERT INTO t (a, b, c) VALUES ($1, $2, $3)", {largest, text, Value()});
    store.rows("INSERT INTO t (a, b, c) VALUES ($1, $2, $2)", {std::int64_t{-1}, std::string()});
    const Rows rows = store.rows("SELECT a, b, c FROM t ORDER BY a DESC");
    REQUIRE(rows.size() == 2);
    CHECK(rows[0] == Row{largest, text, Value()});
    CHECK(rows[1] == Row{std::int64_t{-1}, std::string(), std::string()});
    CHECK(store.rows("DELETE FROM t WHERE a > $1 RETURNING a", {std::int64_t{0}}) == Rows{{largest}});
}

TEST_CASE("database: a transaction is all or nothing") {
    StoreFixture store;
    store.rows("CREATE TABLE t (a BIGINT PRIMARY KEY)");
    {
        auto transaction = Transaction::begin(store.database());
        REQUIRE(transaction);
        store.rows("INSERT INTO t (a) VALUES (1)");
    }
    CHECK(store.rows("SELECT a FROM t").empty());
    auto transaction = Transaction::begin(store.database());
    REQUIRE(transaction);
    store.rows("INSERT INTO t (a) VALUES (2)");
    REQUIRE(transaction->commit());
    const auto other = store.open();
    CHECK(*other->query("SELECT a FROM t") == Rows{{std::int64_t{2}}});
}

TEST_CASE("database: a fault of the data is told from a fault of the database") {
    StoreFixture store;
    store.rows("CREATE TABLE t (a BIGINT PRIMARY KEY, b TEXT NOT NULL)");
    store.rows("INSERT INTO t (a, b) VALUES (1, 'x')");
    const auto twice = store.database().query("INSERT INTO t (a, b) VALUES (1, 'y')");
    REQUIRE_FALSE(twice);
    CHECK(twice.error().code == Errc::bad_message);
    const auto null = store.database().query("INSERT INTO t (a, b) VALUES (2, $1)", {Value()});
    REQUIRE_FALSE(null);
    CHECK(null.error().code == Errc::bad_message);
    const auto missing = store.database().query("SELECT a FROM no_such_table");
    REQUIRE_FALSE(missing);
    CHECK(missing.error().code == Errc::io);  // Somebody dropped it: the data stays where it is until it is back.
    CHECK(store.rows("SELECT b FROM t") == Rows{{std::string("x")}});
    CHECK_FALSE(store.database().broken());
}

TEST_CASE("database: waiting for somebody else's lock ends with a timeout") {
    StoreFixture store;
    store.rows("CREATE TABLE t (a BIGINT PRIMARY KEY, b BIGINT)");
    store.rows("INSERT INTO t (a, b) VALUES (1, 1)");
    auto holder = Transaction::begin(store.database());
    REQUIRE(holder);
    store.rows("UPDATE t SET b = 2");
    const auto other = store.open({.connect = std::chrono::seconds(5), .statement = std::chrono::milliseconds(50)});
    const auto waited = other->query("UPDATE t SET b = 3");
    REQUIRE_FALSE(waited);
    CHECK(waited.error().code == Errc::timeout);
    REQUIRE(holder->commit());
    CHECK(other->query("UPDATE t SET b = 3"));
}

TEST_CASE("database: a commit survives the power: journal and synchronous are as strict as promised") {
    StoreFixture store;
    if (store.database().kind() == Database::Kind::sqlite) {
        CHECK(store.rows("PRAGMA journal_mode") == Rows{{std::string("wal")}});
        CHECK(store.rows("PRAGMA synchronous") == Rows{{std::int64_t{2}}});  // FULL
    } else {
        CHECK(store.rows("SHOW synchronous_commit") == Rows{{std::string("on")}});
    }
}

TEST_CASE("database: an address that cannot be reached is an error, not a wait") {
    CHECK_FALSE(open_database({Database::Kind::postgresql, "postgresql:///x?host=/nonexistent"}));
    CHECK_FALSE(open_database({Database::Kind::sqlite, "/nonexistent/folder/x.db"}));
}

TEST_CASE("database: DATABASE_URL names one of two kinds") {
    CHECK(parse_database_url("", "/data")->target == "/data/agentlocator.db");
    CHECK(parse_database_url("sqlite:////var/x.db", "/data")->target == "/var/x.db");
    CHECK(parse_database_url("sqlite:///x.db", "/data")->target == "/data/x.db");
    CHECK(parse_database_url("/var/x.db", "/data")->target == "/var/x.db");
    const auto old_style = parse_database_url("postgres://u:p@h/db", "/data");
    REQUIRE(old_style);
    CHECK(old_style->kind == Database::Kind::postgresql);
    CHECK(old_style->target == "postgresql://u:p@h/db");
    for (const char* url : {"mysql://h/db", "sqlite://", "sqlite:///", "sqlite:x", "http://x"}) {
        CAPTURE(url);
        CHECK_FALSE(parse_database_url(url, "/data"));
    }
}

TEST_CASE("database: an address is shown without its password") {
    const auto shown = [](const char* url) { return parse_database_url(url, "/data")->shown(); };
    CHECK(shown("postgres://u:secret@h:5432/db") == "postgresql://u:***@h:5432/db");
    CHECK(shown("postgres://u:se@cret@h/db") == "postgresql://u:***@h/db");
    CHECK(shown("postgres://u@h/db") == "postgresql://u@h/db");
    CHECK(shown("postgres://h:5432/db") == "postgresql://h:5432/db");
    CHECK(shown("postgres:///db?host=/x&password=secret&user=u") == "postgresql:///db?host=/x&password=***&user=u");
    CHECK(shown("") == "sqlite:////data/agentlocator.db");
}
