// Database on libpq: one connection, statements with parameters, results as text. The address may name a Unix socket
// (?host=/path) or TLS (?sslmode=verify-full); that is libpq's business.
#include <libpq-fe.h>
#include <poll.h>

#include <algorithm>
#include <charconv>
#include <cstring>

#include "common/text.hpp"
#include "store/io/open_database.hpp"

namespace agentlocator {
namespace {

struct ConnectionEnd {
    void operator()(PGconn* connection) const { PQfinish(connection); }
};
using Connection = std::unique_ptr<PGconn, ConnectionEnd>;
struct ResultEnd {
    void operator()(PGresult* result) const { PQclear(result); }
};
using Answer = std::unique_ptr<PGresult, ResultEnd>;

// PostgreSQL's pg_type.dat: the types our columns and expressions have.
constexpr Oid int8_type = 20;
constexpr Oid int2_type = 21;
constexpr Oid int4_type = 23;

// libpq ends its messages with a line break, and may add lines.
std::string one_line(const char* message) {
    std::string line(trim(message == nullptr ? "" : message));
    for (char& c : line) {
        c = c == '\n' || c == '\t' ? ' ' : c;
    }
    return line;
}

class PostgresDatabase final : public Database {
public:
    PostgresDatabase(Connection connection, std::chrono::milliseconds patience)
        : connection_(std::move(connection)), patience_(patience) {}

    using Database::query;
    [[nodiscard]] Kind kind() const override { return Kind::postgresql; }
    [[nodiscard]] bool broken() const override { return silent_ || PQstatus(connection_.get()) != CONNECTION_OK; }

    [[nodiscard]] Result<Rows> query(std::string_view sql, std::span<const Value> parameters) override {
        std::vector<std::string> numbers(parameters.size());
        std::vector<const char*> values(parameters.size(), nullptr);
        std::vector<int> lengths(parameters.size(), 0);
        std::vector<Oid> types(parameters.size(), 0);
        for (std::size_t i = 0; i < parameters.size(); ++i) {
            if (const auto* number = std::get_if<std::int64_t>(&parameters[i])) {
                numbers[i] = std::to_string(*number);
                values[i] = numbers[i].c_str();
                types[i] = int8_type;  // Said, not guessed: an expression of parameters alone has no type otherwise.
            } else if (const auto* string = std::get_if<std::string>(&parameters[i])) {
                if (std::memchr(string->data(), '\0', string->size()) != nullptr) {
                    return error(Errc::bad_message, "text with a NUL");  // It would be cut there in silence.
                }
                values[i] = string->c_str();
            }
        }
        if (broken() ||
            PQsendQueryParams(connection_.get(), std::string(sql).c_str(), static_cast<int>(parameters.size()),
                              types.data(), values.data(), lengths.data(), nullptr, 0) != 1) {
            return failure(nullptr);
        }
        const Answer answer = wait_for_answer();
        if (silent_) {
            return error(Errc::timeout, "postgresql: no answer within " + std::to_string(patience_.count()) + " ms");
        }
        const ExecStatusType status = PQresultStatus(answer.get());
        if (status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK) {
            return failure(answer.get());
        }
        return read_rows(answer.get());
    }

private:
    // The server bounds a statement (statement_timeout); this bounds a server that is frozen or cut off. libpq's own
    // waiting knows no deadline.
    Answer wait_for_answer() {
        const auto deadline = std::chrono::steady_clock::now() + patience_;
        Answer last;
        for (;;) {
            if (PQflush(connection_.get()) < 0) {
                return last;
            }
            while (PQisBusy(connection_.get()) == 0) {
                Answer next(PQgetResult(connection_.get()));
                if (!next) {
                    return last;  // The end of this statement's results.
                }
                if (!last || PQresultStatus(next.get()) == PGRES_FATAL_ERROR) {
                    last = std::move(next);
                }
            }
            const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
            pollfd watched{PQsocket(connection_.get()), POLLIN, 0};
            if (left.count() <= 0 || ::poll(&watched, 1, static_cast<int>(left.count())) == 0) {
                silent_ = true;
                return last;
            }
            if (PQconsumeInput(connection_.get()) == 0) {
                return last;  // The connection broke; PQerrorMessage says how.
            }
        }
    }

    static Rows read_rows(const PGresult* answer) {
        Rows rows(static_cast<std::size_t>(PQntuples(answer)));
        const int columns = PQnfields(answer);
        for (int i = 0; i < PQntuples(answer); ++i) {
            Row& row = rows[static_cast<std::size_t>(i)];
            row.reserve(static_cast<std::size_t>(columns));
            for (int j = 0; j < columns; ++j) {
                row.push_back(read_value(answer, i, j));
            }
        }
        return rows;
    }

    static Value read_value(const PGresult* answer, int row, int column) {
        if (PQgetisnull(answer, row, column) != 0) {
            return {};
        }
        const char* bytes = PQgetvalue(answer, row, column);
        const auto size = static_cast<std::size_t>(PQgetlength(answer, row, column));
        const Oid type = PQftype(answer, column);
        if (type == int8_type || type == int4_type || type == int2_type) {
            std::int64_t number = 0;
            std::from_chars(bytes, bytes + size, number);
            return number;
        }
        return std::string(bytes, size);
    }

    Error failure(const PGresult* answer) const {
        const char* field = answer == nullptr ? nullptr : PQresultErrorField(answer, PG_DIAG_SQLSTATE);
        const std::string_view state = field == nullptr ? "" : field;
        // SQLSTATE classes 22 (data exception) and 23 (constraint) are about the data. All others are about the
        // database or our statement, and no reason to give data up.
        const bool data = state.starts_with("22") || state.starts_with("23");
        const bool late = state == "57014" || state == "55P03";  // statement_timeout, lock_timeout.
        const char* message = answer == nullptr ? PQerrorMessage(connection_.get()) : PQresultErrorMessage(answer);
        return error(data ? Errc::bad_message : late ? Errc::timeout : Errc::io, "postgresql: " + one_line(message));
    }

    Connection connection_;
    const std::chrono::milliseconds patience_;
    bool silent_ = false;  // It did not answer in time: what it says now belongs to an old question.
};

}  // namespace

Result<std::unique_ptr<Database>> open_postgres(const std::string& url, DatabasePatience patience) {
    // connect_timeout is in whole seconds, and 1 is read as 2. Keepalives and tcp_user_timeout notice a peer that
    // vanished without a word; statement_timeout a server that does not get on.
    const std::string connect = std::to_string(std::max<std::int64_t>(2, patience.connect.count() / 1000));
    const std::string statement = std::to_string(patience.statement.count());
    const std::string options = "-c statement_timeout=" + statement + " -c lock_timeout=" + statement +
                                " -c synchronous_commit=on -c client_min_messages=warning";
    const char* const names[] = {"dbname",  "connect_timeout", "application_name", "client_encoding",
                                 "options", "keepalives_idle", "tcp_user_timeout", nullptr};
    const char* const values[] = {url.c_str(), connect.c_str(),   "agentlocator", "UTF8", options.c_str(),
                                  "10",        statement.c_str(), nullptr};
    Connection connection(PQconnectdbParams(names, values, 1));
    if (PQstatus(connection.get()) != CONNECTION_OK) {
        return error(Errc::io, "postgresql: " + one_line(PQerrorMessage(connection.get())));
    }
    return std::unique_ptr<Database>(
        std::make_unique<PostgresDatabase>(std::move(connection), patience.statement + std::chrono::seconds(1)));
}

}  // namespace agentlocator
