#include "store/inbox.hpp"

#include "store/apply.hpp"

namespace agentlocator {

Result<bool> has_due_inbox(Database& database, std::int64_t now_ms) {
    const auto rows = database.query(
        "SELECT message_id FROM inbox WHERE answer_state = 'waiting' AND lease_until <= $1 LIMIT 1", {now_ms});
    if (!rows) {
        return rows.error();
    }
    return !rows->empty();
}

Result<std::vector<InboxJob>> lease_inbox(Database& database, const std::string& owner, std::int64_t now_ms,
                                          std::int64_t until_ms, std::int64_t limit) {
    const std::string lock =
        database.kind() == Database::Kind::postgresql ? " FOR UPDATE OF candidate SKIP LOCKED" : "";
    // A message that another process answers still waits, and holds back those behind it.
    const auto rows = database.query(
        "UPDATE inbox SET lease_owner = $1, lease_until = $2, attempts = attempts + 1 WHERE (provider, message_id) IN "
        "(SELECT provider, message_id FROM inbox AS candidate WHERE answer_state = 'waiting' AND lease_until <= $3 AND "
        "NOT EXISTS (SELECT 1 FROM inbox AS earlier WHERE earlier.answer_state = 'waiting' AND "
        "earlier.business_id = candidate.business_id AND earlier.phone = candidate.phone AND "
        "(candidate.phone <> '' OR earlier.address = candidate.address) AND "
        "(earlier.stored_at, earlier.arrival, earlier.message_id) < "
        "(candidate.stored_at, candidate.arrival, candidate.message_id)) "
        "ORDER BY stored_at, arrival, message_id LIMIT $4" +
            lock +
            ") RETURNING provider, message_id, business_id, phone, to_number, address, name, kind, text, media, "
            "stored_at, arrival, attempts",
        {owner, until_ms, now_ms, limit});
    if (!rows) {
        return rows.error();
    }
    std::vector<InboxJob> jobs;
    for (const Row& row : *rows) {
        jobs.push_back({.provider = text(row[0]),
                        .message_id = text(row[1]),
                        .business = integer(row[2]),
                        .phone = text(row[3]),
                        .to = text(row[4]),
                        .address = text(row[5]),
                        .name = text(row[6]),
                        .kind = text(row[7]),
                        .text = text(row[8]),
                        .media = text(row[9]),
                        .stored_at = integer(row[10]),
                        .arrival = integer(row[11]),
                        .attempts = integer(row[12])});
    }
    return jobs;
}

Result<void> postpone_inbox(Database& database, const InboxJob& job, const std::string& owner, std::int64_t next_ms) {
    const auto rows = database.query(
        "UPDATE inbox SET lease_owner = '', lease_until = $1 WHERE provider = $2 AND message_id = $3 AND "
        "lease_owner = $4 AND answer_state = 'waiting'",
        {next_ms, job.provider, job.message_id, owner});
    return rows ? Result<void>() : Result<void>(rows.error());
}

Result<PersonRecord> load_person(Database& database, const InboxJob& job) {
    return load_person(database, PersonQuery{.business = job.business,
                                             .phone = job.phone,
                                             .address = job.address,
                                             .now_ms = job.stored_at,
                                             .before_at = job.stored_at,
                                             .before_arrival = job.arrival,
                                             .before_id = job.message_id});
}

Result<bool> store_answer(Database& database, const InboxJob& job, const std::string& owner,
                          const std::vector<Fact>& facts, const std::string& state, std::int64_t now_ms,
                          const std::string& heard) {
    auto transaction = Transaction::begin(database);
    if (!transaction) {
        return transaction.error();
    }
    const auto answered = database.query(
        "UPDATE inbox SET answer_state = 'answered', lease_owner = '', lease_until = 0, text = CASE WHEN text = '' "
        "THEN "
        "$4 ELSE text END WHERE provider = $1 AND message_id = $2 AND lease_owner = $3 AND answer_state = 'waiting' "
        "RETURNING message_id",
        {job.provider, job.message_id, owner, heard});
    if (!answered) {
        return answered.error();
    }
    if (answered->empty()) {
        return false;
    }
    for (const Fact& fact : facts) {
        if (auto applied = apply_fact(database, fact); !applied) {
            return applied.error();
        }
    }
    const auto kept = database.query(
        "INSERT INTO conversations (business_id, person, state, updated_at) VALUES ($1, $2, $3, $4) "
        "ON CONFLICT (business_id, person) DO UPDATE SET state = excluded.state, updated_at = excluded.updated_at",
        {job.business, job.person(), state, now_ms});
    if (!kept) {
        return kept.error();
    }
    if (auto done = transaction->commit(); !done) {
        return done.error();
    }
    return true;
}

Result<void> free_leases(Database& database, const std::string& owner) {
    for (const std::string_view sql :
         {"UPDATE inbox SET lease_owner = '', lease_until = 0 WHERE lease_owner = $1 AND answer_state = 'waiting'",
          "UPDATE outbox SET lease_owner = '', lease_until = 0 WHERE lease_owner = $1 AND lease_until > 0"}) {
        if (auto freed = database.query(sql, {owner}); !freed) {
            return freed.error();
        }
    }
    return {};
}

}  // namespace agentlocator
