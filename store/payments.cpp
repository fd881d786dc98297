#include "store/payments.hpp"

#include <algorithm>

#include "store/apply.hpp"

namespace agentlocator {
namespace {

constexpr std::string_view columns =
    "id, business_id, provider, amount, currency, status, provider_id, url, note, created_at";

PaymentRow read_payment(const Row& row) {
    return {.id = text(row[0]),
            .business = integer(row[1]),
            .provider = text(row[2]),
            .amount = integer(row[3]),
            .currency = text(row[4]),
            .status = text(row[5]),
            .provider_id = text(row[6]),
            .url = text(row[7]),
            .note = text(row[8]),
            .created_at = integer(row[9])};
}

Result<void> done(const Result<Rows>& rows) {
    return rows ? Result<void>() : Result<void>(rows.error());
}

}  // namespace

Result<bool> add_payment(Database& database, const PaymentRow& payment) {
    const auto rows = database.query(
        "INSERT INTO payments (id, business_id, provider, amount, currency, status, status_rank, created_at, "
        "updated_at) VALUES ($1, $2, $3, $4, $5, 'created', $6, $7, $7) ON CONFLICT (id) DO NOTHING RETURNING id",
        {payment.id, payment.business, payment.provider, payment.amount, payment.currency,
         payment_status_rank("created"), payment.created_at});
    if (!rows) {
        return rows.error();
    }
    return !rows->empty();
}

Result<std::optional<PaymentRow>> find_payment(Database& database, const std::string& id) {
    const auto rows = database.query("SELECT " + std::string(columns) + " FROM payments WHERE id = $1", {id});
    if (!rows) {
        return rows.error();
    }
    return rows->empty() ? std::optional<PaymentRow>() : std::optional(read_payment((*rows)[0]));
}

Result<void> note_payment_answer(Database& database, const std::string& id, const PaymentAnswer& answer,
                                 std::int64_t now_ms) {
    const std::string status = answer.refused ? "failed" : "created";
    return done(database.query(
        "UPDATE payments SET provider_id = CASE WHEN $2 = '' THEN provider_id ELSE $2 END, "
        "url = CASE WHEN $3 = '' THEN url ELSE $3 END, note = $4, "
        "status = CASE WHEN status_rank < $6 THEN $5 ELSE status END, "
        "status_rank = CASE WHEN status_rank < $6 THEN $6 ELSE status_rank END, updated_at = $7 WHERE id = $1",
        {id, answer.provider_id, answer.url, answer.note, status, payment_status_rank(status), now_ms}));
}

Result<bool> bind_payment(Database& database, const PaymentRow& payment, const std::string& provider_id,
                          std::int64_t now_ms) {
    const auto rows = database.query(
        "UPDATE payments SET provider_id = $3, updated_at = $4, "
        "status = CASE WHEN status_rank < $5 THEN 'pending' ELSE status END, "
        "status_rank = CASE WHEN status_rank < $5 THEN $5 ELSE status_rank END "
        "WHERE id = $1 AND NOT EXISTS (SELECT 1 FROM payments AS other WHERE other.provider = $2 AND "
        "other.provider_id = $3 AND other.id <> $1) AND (provider_id IN ('', $3) OR status_rank < $6) RETURNING id",
        {payment.id, payment.provider, provider_id, now_ms, payment_status_rank("pending"),
         payment_status_rank("paid")});
    if (!rows) {
        return rows.error();
    }
    return !rows->empty();
}

Result<bool> is_payment_event_known(Database& database, const std::string& provider, const std::string& event_id) {
    const auto rows = database.query("SELECT event_id FROM payment_events WHERE provider = $1 AND event_id = $2",
                                     {provider, event_id});
    if (!rows) {
        return rows.error();
    }
    return !rows->empty();
}

Result<std::vector<PaymentRow>> take_open_payments(Database& database, std::int64_t now_ms, std::int64_t limit) {
    // The pause grows with what has passed since the payment was asked for: each is half as long again.
    const auto rows = database.query(
        "UPDATE payments SET updated_at = $1 WHERE id IN (SELECT id FROM payments WHERE status_rank < $2 AND "
        "provider_id <> '' AND created_at > $3 AND updated_at + (updated_at - created_at) / 2 <= $4 ORDER BY "
        "updated_at, id LIMIT $5) RETURNING " +
            std::string(columns),
        {now_ms, payment_status_rank("mismatch"), now_ms - payment_open_ms, now_ms - payment_look_first_ms, limit});
    if (!rows) {
        return rows.error();
    }
    std::vector<PaymentRow> open;
    for (const Row& row : *rows) {
        open.push_back(read_payment(row));
    }
    return open;
}

Result<Table> list_payments(Database& database, const Page& page) {
    const std::vector<std::string> shown{"id",     "business_id", "provider", "amount",     "currency",
                                         "status", "provider_id", "note",     "created_at", "updated_at"};
    std::string names;
    for (const std::string& column : shown) {
        names += (names.empty() ? "" : ", ") + column;
    }
    auto rows = database.query(
        "SELECT " + names +
            " FROM payments WHERE created_at >= $1 AND ($2 < 0 OR business_id = $2) "
            "ORDER BY created_at DESC, id LIMIT $3 OFFSET $4",
        {page.since, page.business.value_or(-1), std::clamp<std::int64_t>(page.limit, 1, page_rows_max), page.offset});
    if (!rows) {
        return rows.error();
    }
    return Table{shown, std::move(*rows)};
}

Result<Table> list_payment_events(Database& database, const std::string& id) {
    const std::vector<std::string> shown{"provider", "event_id", "status", "amount", "currency", "told_at"};
    auto rows = database.query(
        "SELECT provider, event_id, status, amount, currency, at FROM payment_events WHERE payment_id = $1 ORDER BY "
        "at, event_id",
        {id});
    if (!rows) {
        return rows.error();
    }
    return Table{shown, std::move(*rows)};
}

}  // namespace agentlocator
