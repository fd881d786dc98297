#include "store/messages.hpp"

#include <algorithm>

#include "store/apply.hpp"

namespace agentlocator {
namespace {

// Both directions with the same columns.
constexpr std::string_view both_directions =
    "(SELECT message_id AS id, 'in' AS direction, provider, business_id, phone AS phone_number, "
    "CASE WHEN phone = '' OR address LIKE '%@g.us' THEN address ELSE phone END AS chat, text AS body, kind, "
    "CASE WHEN answer_state = 'none' THEN 'received' ELSE answer_state END AS status, '' AS error, sent_at AS "
    "created_at "
    "FROM inbox UNION ALL "
    "SELECT id, 'out' AS direction, CASE WHEN used = '' THEN provider ELSE used END AS provider, business_id, "
    "to_number "
    "AS phone_number, to_number AS chat, text AS body, CASE WHEN media_url = '' THEN 'text' ELSE 'media' END AS kind, "
    "status, error, "
    "asked_at AS created_at FROM outbox) AS both_directions";

constexpr std::string_view wanted =
    " WHERE ($1 < 0 OR business_id = $1) AND ($2 = '' OR direction = $2) AND ($3 = '' OR status = $3) AND ($4 = '' OR "
    "chat = $4) ";

}  // namespace

Result<MessagePage> list_messages(Database& database, const MessageFilter& filter) {
    const std::vector<std::string> columns{"id",   "direction", "provider", "business_id", "phone_number", "chat",
                                           "body", "kind",      "status",   "error",       "created_at"};
    std::string names;
    for (const std::string& column : columns) {
        names += (names.empty() ? "" : ", ") + column;
    }
    std::string from = std::string(both_directions) + std::string(wanted);
    if (filter.latest_of_each) {
        from = "(SELECT " + names + ", ROW_NUMBER() OVER (PARTITION BY business_id, chat ORDER BY created_at DESC, " +
               "id DESC) AS place FROM " + from + ") AS placed WHERE place = 1 ";
    }
    const Value business = filter.business.value_or(-1);
    const auto count =
        database.query("SELECT COUNT(*) FROM " + from, {business, filter.direction, filter.status, filter.chat});
    if (!count) {
        return count.error();
    }
    const std::string order = filter.oldest_first ? "ORDER BY created_at, id" : "ORDER BY created_at DESC, id DESC";
    auto rows = database.query("SELECT " + names + " FROM " + from + order + " LIMIT $5 OFFSET $6",
                               {business, filter.direction, filter.status, filter.chat, filter.limit, filter.offset});
    if (!rows) {
        return rows.error();
    }
    return MessagePage{{columns, std::move(*rows)}, integer((*count)[0][0])};
}

Result<std::optional<OutboxEntry>> find_outbox(Database& database, const std::string& id) {
    const auto rows = database.query(
        "SELECT body_hash, status, CASE WHEN used = '' THEN provider ELSE used END FROM outbox WHERE id = $1", {id});
    if (!rows) {
        return rows.error();
    }
    if (rows->empty()) {
        return std::optional<OutboxEntry>();
    }
    const Row& row = (*rows)[0];
    return std::optional(OutboxEntry{text(row[0]), text(row[1]), text(row[2])});
}

Result<std::vector<OutboxJob>> lease_outbox(Database& database, const std::string& owner, std::int64_t now_ms,
                                            std::int64_t until_ms, std::int64_t limit) {
    const std::string lock = database.kind() == Database::Kind::postgresql ? " FOR UPDATE SKIP LOCKED" : "";
    const auto rows = database.query(
        "UPDATE outbox SET lease_owner = $1, lease_until = $2, attempts = attempts + 1, status = 'sending', "
        "status_rank = $5 WHERE id IN (SELECT id FROM outbox WHERE status_rank < $6 AND next_at <= $3 AND "
        "lease_until <= $3 ORDER BY next_at, asked_at, id LIMIT $4" +
            lock +
            ") "
            "RETURNING id, business_id, from_number, to_number, provider, text, media_url, attempts, used, asked_at",
        {owner, until_ms, now_ms, limit, message_status_rank("sending"), message_rank_accepted});
    if (!rows) {
        return rows.error();
    }
    std::vector<OutboxJob> jobs;
    for (const Row& row : *rows) {
        OutboxJob job{.id = text(row[0]),
                      .business = integer(row[1]),
                      .from = text(row[2]),
                      .to = text(row[3]),
                      .provider = text(row[4]),
                      .text = text(row[5]),
                      .media_url = text(row[6]),
                      .used = text(row[8]),
                      .asked_at = integer(row[9]),
                      .attempts = integer(row[7])};
        const auto facts = database.query(
            "SELECT COALESCE((SELECT MAX(sent_at) FROM inbox WHERE business_id = $1 AND phone = $2 AND answer_state <> "
            "'none'), 0), COALESCE((SELECT MIN(identifier) FROM channels WHERE business_id = $1 AND kind = "
            "'whatsapp'), '')",
            {job.business, job.to});
        if (!facts) {
            return facts.error();
        }
        job.last_inbound_at = integer((*facts)[0][0]);
        job.from = job.from.empty() ? text((*facts)[0][1]) : job.from;
        jobs.push_back(std::move(job));
    }
    return jobs;
}

Result<bool> has_due_outbox(Database& database, std::int64_t now_ms) {
    const auto rows =
        database.query("SELECT id FROM outbox WHERE status_rank < $1 AND next_at <= $2 AND lease_until <= $2 LIMIT 1",
                       {message_rank_accepted, now_ms});
    if (!rows) {
        return rows.error();
    }
    return !rows->empty();
}

bool note_outbox_provider(Database& database, const std::string& id, const std::string& owner,
                          std::string_view provider) {
    const auto rows = database.query("UPDATE outbox SET used = $1 WHERE id = $2 AND lease_owner = $3 RETURNING id",
                                     {std::string(provider), id, owner});
    return rows && !rows->empty();
}

Result<bool> is_provider_id_known(Database& database, const std::string& provider, const std::string& provider_id) {
    const auto rows =
        database.query("SELECT id FROM outbox WHERE used = $1 AND provider_id = $2 LIMIT 1", {provider, provider_id});
    if (!rows) {
        return rows.error();
    }
    return !rows->empty();
}

Result<void> postpone_outbox(Database& database, const std::string& id, const std::string& owner, std::int64_t next_ms,
                             const std::string& why, Attempt attempt) {
    const std::int64_t not_made = attempt == Attempt::not_made ? 1 : 0;
    const auto rows = database.query(
        "UPDATE outbox SET next_at = $1, lease_until = 0, error = $2, attempts = attempts - $6 WHERE id = $3 AND "
        "lease_owner = $4 AND status_rank < $5",
        {next_ms, why, id, owner, message_rank_accepted, not_made});
    return rows ? Result<void>() : Result<void>(rows.error());
}

}  // namespace agentlocator
