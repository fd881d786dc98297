#include "store/migrations.hpp"

namespace agentlocator {
namespace {

// Any number that no other program of the same database uses; "agntloc".
constexpr std::int64_t advisory_lock = 0x61676e746c6f63;

std::vector<Migration> make_migrations() {
    // business 0 is nobody: a call to a number that no business owns is kept, flagged by that 0, and never put into
    // somebody else's books (F-54). So business columns are no foreign keys.
    return {
        {1,
         "first schema",
         {
             // Whose numbers and prompts.
             "CREATE TABLE businesses (id {identity}, name TEXT NOT NULL, language TEXT NOT NULL DEFAULT 'he', "
             "payments_enabled BIGINT NOT NULL DEFAULT 0, payment_provider TEXT NOT NULL DEFAULT '', "
             "created_at BIGINT NOT NULL)",
             "CREATE TABLE channels (kind TEXT NOT NULL, identifier TEXT NOT NULL, business_id BIGINT NOT NULL "
             "REFERENCES businesses(id) ON DELETE CASCADE, PRIMARY KEY (kind, identifier))",
             "CREATE INDEX channels_business ON channels (business_id)",
             // Prompts and settings of a business and channel; every change is a new version, the highest counts.
             "CREATE TABLE business_settings (business_id BIGINT NOT NULL, channel TEXT NOT NULL, name TEXT NOT NULL, "
             "version BIGINT NOT NULL, value TEXT NOT NULL, changed_at BIGINT NOT NULL, changed_by TEXT NOT NULL, "
             "PRIMARY KEY (business_id, channel, name, version))",

             // Telephone.
             "CREATE TABLE calls (call_sid TEXT PRIMARY KEY, business_id BIGINT NOT NULL DEFAULT 0, "
             "from_number TEXT NOT NULL DEFAULT '', to_number TEXT NOT NULL DEFAULT '', "
             "direction TEXT NOT NULL DEFAULT '', status TEXT NOT NULL DEFAULT '', "
             "status_rank BIGINT NOT NULL DEFAULT 0, stream_sid TEXT NOT NULL DEFAULT '', "
             "mode TEXT NOT NULL DEFAULT '', end_reason TEXT NOT NULL DEFAULT '', "
             "end_reason_at BIGINT NOT NULL DEFAULT 0, "
             "started_at BIGINT NOT NULL DEFAULT 0, stream_started_at BIGINT NOT NULL DEFAULT 0, "
             "ended_at BIGINT NOT NULL DEFAULT 0, duration_s BIGINT NOT NULL DEFAULT 0, "
             "frames_in BIGINT NOT NULL DEFAULT 0, frames_out BIGINT NOT NULL DEFAULT 0)",
             "CREATE INDEX calls_recent ON calls (started_at DESC)",
             "CREATE INDEX calls_of_business ON calls (business_id, started_at DESC)",
             "CREATE TABLE turns (call_sid TEXT NOT NULL, turn BIGINT NOT NULL, speaker TEXT NOT NULL, "
             "text TEXT NOT NULL, said_at BIGINT NOT NULL, interrupted BIGINT NOT NULL DEFAULT 0, "
             "end_of_turn_ms BIGINT NOT NULL DEFAULT 0, stt_ms BIGINT NOT NULL DEFAULT 0, "
             "llm_ms BIGINT NOT NULL DEFAULT 0, tts_ms BIGINT NOT NULL DEFAULT 0, "
             "heard_ms BIGINT NOT NULL DEFAULT 0, providers TEXT NOT NULL DEFAULT '', "
             "PRIMARY KEY (call_sid, turn, speaker))",
             "CREATE INDEX turns_age ON turns (said_at)",
             "CREATE TABLE recordings (recording_sid TEXT PRIMARY KEY, call_sid TEXT NOT NULL DEFAULT '', "
             "url TEXT NOT NULL DEFAULT '', file TEXT NOT NULL DEFAULT '', status TEXT NOT NULL DEFAULT '', "
             "duration_s BIGINT NOT NULL DEFAULT 0, recorded_at BIGINT NOT NULL DEFAULT 0, "
             "remote_deleted_at BIGINT NOT NULL DEFAULT 0, delete_attempts BIGINT NOT NULL DEFAULT 0, "
             "delete_after BIGINT NOT NULL DEFAULT 0)",
             "CREATE INDEX recordings_age ON recordings (recorded_at)",
             "CREATE INDEX recordings_of_call ON recordings (call_sid)",

             // People.
             "CREATE TABLE leads (business_id BIGINT NOT NULL, phone TEXT NOT NULL, name TEXT NOT NULL DEFAULT '', "
             "email TEXT NOT NULL DEFAULT '', status TEXT NOT NULL DEFAULT 'new', source TEXT NOT NULL DEFAULT '', "
             "external_id TEXT NOT NULL DEFAULT '', notes TEXT NOT NULL DEFAULT '', "
             "details TEXT NOT NULL DEFAULT '', first_seen_at BIGINT NOT NULL, last_seen_at BIGINT NOT NULL, "
             "name_at BIGINT NOT NULL DEFAULT 0, email_at BIGINT NOT NULL DEFAULT 0, "
             "status_at BIGINT NOT NULL DEFAULT 0, notes_at BIGINT NOT NULL DEFAULT 0, "
             "details_at BIGINT NOT NULL DEFAULT 0, PRIMARY KEY (business_id, phone))",
             "CREATE INDEX leads_recent ON leads (last_seen_at DESC)",
             "CREATE TABLE appointments (business_id BIGINT NOT NULL, phone TEXT NOT NULL, "
             "starts_at BIGINT NOT NULL, ends_at BIGINT NOT NULL, title TEXT NOT NULL, notes TEXT NOT NULL, "
             "status TEXT NOT NULL, call_sid TEXT NOT NULL, told_at BIGINT NOT NULL, "
             "PRIMARY KEY (business_id, phone, starts_at))",

             // WhatsApp.
             "CREATE TABLE inbox (provider TEXT NOT NULL, message_id TEXT NOT NULL, business_id BIGINT NOT NULL, "
             "phone TEXT NOT NULL, to_number TEXT NOT NULL, address TEXT NOT NULL, name TEXT NOT NULL, "
             "kind TEXT NOT NULL, text TEXT NOT NULL, media TEXT NOT NULL, sent_at BIGINT NOT NULL, "
             "stored_at BIGINT NOT NULL, answer_state TEXT NOT NULL, lease_until BIGINT NOT NULL DEFAULT 0, "
             "lease_owner TEXT NOT NULL DEFAULT '', attempts BIGINT NOT NULL DEFAULT 0, "
             "PRIMARY KEY (provider, message_id))",
             "CREATE INDEX inbox_person ON inbox (business_id, phone, sent_at)",
             "CREATE INDEX inbox_waiting ON inbox (answer_state, lease_until)",
             "CREATE TABLE outbox (id TEXT PRIMARY KEY, body_hash TEXT NOT NULL, business_id BIGINT NOT NULL, "
             "from_number TEXT NOT NULL, to_number TEXT NOT NULL, provider TEXT NOT NULL, used TEXT NOT NULL "
             "DEFAULT '', text TEXT NOT NULL, media_url TEXT NOT NULL, in_reply_to TEXT NOT NULL, "
             "asked_at BIGINT NOT NULL, status TEXT NOT NULL, status_rank BIGINT NOT NULL, "
             "provider_id TEXT NOT NULL DEFAULT '', error TEXT NOT NULL DEFAULT '', "
             "attempts BIGINT NOT NULL DEFAULT 0, next_at BIGINT NOT NULL, lease_until BIGINT NOT NULL DEFAULT 0, "
             "lease_owner TEXT NOT NULL DEFAULT '', accepted_at BIGINT NOT NULL DEFAULT 0)",
             "CREATE INDEX outbox_due ON outbox (status_rank, next_at)",
             "CREATE INDEX outbox_person ON outbox (business_id, to_number, asked_at)",
             "CREATE INDEX outbox_provider_id ON outbox (provider_id)",
             // A delivery report may overtake the answer that tells us the provider's id: kept until they meet.
             "CREATE TABLE delivery_reports (provider TEXT NOT NULL, provider_id TEXT NOT NULL, "
             "status TEXT NOT NULL, status_rank BIGINT NOT NULL, error TEXT NOT NULL, at BIGINT NOT NULL, "
             "PRIMARY KEY (provider, provider_id))",
             "CREATE TABLE cursors (name TEXT PRIMARY KEY, value BIGINT NOT NULL)",

             // Payments. Amounts in minor units (agorot, cents).
             "CREATE TABLE payments (id TEXT PRIMARY KEY, business_id BIGINT NOT NULL, provider TEXT NOT NULL, "
             "amount BIGINT NOT NULL, currency TEXT NOT NULL, status TEXT NOT NULL, status_rank BIGINT NOT NULL, "
             "provider_id TEXT NOT NULL DEFAULT '', url TEXT NOT NULL DEFAULT '', note TEXT NOT NULL DEFAULT '', "
             "created_at BIGINT NOT NULL, updated_at BIGINT NOT NULL)",
             "CREATE INDEX payments_provider_id ON payments (provider, provider_id)",
             "CREATE TABLE payment_events (provider TEXT NOT NULL, event_id TEXT NOT NULL, "
             "payment_id TEXT NOT NULL, status TEXT NOT NULL, amount BIGINT NOT NULL, currency TEXT NOT NULL, "
             "payload TEXT NOT NULL, at BIGINT NOT NULL, PRIMARY KEY (provider, event_id))",
         }},
        {2, "leases", {"CREATE TABLE leases (name TEXT PRIMARY KEY, owner TEXT NOT NULL, until BIGINT NOT NULL)"}},
        {3,
         "answers to messages",
         {
             "ALTER TABLE inbox ADD COLUMN arrival BIGINT NOT NULL DEFAULT 0",
             // Where the scripted dialogue is with a person (worker/agent/text_agent).
             "CREATE TABLE conversations (business_id BIGINT NOT NULL, person TEXT NOT NULL, state TEXT NOT NULL, "
             "updated_at BIGINT NOT NULL, PRIMARY KEY (business_id, person))",
         }},
        {4, "send limits", {"CREATE TABLE send_limits (name TEXT PRIMARY KEY, due_at BIGINT NOT NULL)"}},
        // Asked for at the beginning of every call.
        {5, "calls of a person", {"CREATE INDEX calls_of_person ON calls (business_id, from_number)"}},
        {6, "last stream", {"ALTER TABLE calls ADD COLUMN stream_rank BIGINT NOT NULL DEFAULT 0"}},
    };
}

std::string in_dialect(std::string statement, Database::Kind kind) {
    constexpr std::string_view identity = "{identity}";
    if (const auto at = statement.find(identity); at != std::string::npos) {
        statement.replace(at, identity.size(),
                          kind == Database::Kind::sqlite ? "INTEGER PRIMARY KEY AUTOINCREMENT"
                                                         : "BIGINT GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY");
    }
    return statement;
}

Result<std::int64_t> current_version(Database& database) {
    const auto made = database.query(
        "CREATE TABLE IF NOT EXISTS schema_versions (version BIGINT PRIMARY KEY, name TEXT NOT NULL, "
        "applied_at BIGINT NOT NULL)");
    if (!made) {
        return made.error();
    }
    const auto rows = database.query("SELECT COALESCE(MAX(version), 0) FROM schema_versions");
    if (!rows) {
        return rows.error();
    }
    return integer((*rows)[0][0]);
}

Result<void> run_step(Database& database, const Migration& step, std::int64_t now_ms) {
    for (const std::string& statement : step.statements) {
        if (auto done = database.query(in_dialect(statement, database.kind())); !done) {
            return error(done.error().code, "schema step " + std::to_string(step.version) + " (" +
                                                std::string(step.name) + "): " + done.error().detail);
        }
    }
    const auto noted = database.query("INSERT INTO schema_versions (version, name, applied_at) VALUES ($1, $2, $3)",
                                      {step.version, std::string(step.name), now_ms});
    return noted ? Result<void>() : Result<void>(noted.error());
}

}  // namespace

const std::vector<Migration>& migrations() {
    static const std::vector<Migration> all = make_migrations();
    return all;
}

std::int64_t newest_schema() {
    return migrations().back().version;
}

Result<void> migrate(Database& database, std::int64_t now_ms, const std::vector<Migration>& steps) {
    auto transaction = Transaction::begin(database);
    if (!transaction) {
        return transaction.error();
    }
    if (database.kind() == Database::Kind::postgresql) {
        // Released by the end of the transaction, however it ends.
        if (auto locked = database.query("SELECT pg_advisory_xact_lock($1)", {advisory_lock}); !locked) {
            return locked.error();
        }
    }
    const auto version = current_version(database);
    if (!version) {
        return version.error();
    }
    const std::int64_t newest = steps.back().version;
    if (*version > newest) {
        return error(Errc::refused, "the database has schema " + std::to_string(*version) + ", this build knows " +
                                        std::to_string(newest) + "; run the newer build, or restore a backup");
    }
    for (const Migration& step : steps) {
        if (step.version <= *version) {
            continue;
        }
        if (auto done = run_step(database, step, now_ms); !done) {
            return done;
        }
    }
    return transaction->commit();
}

}  // namespace agentlocator
