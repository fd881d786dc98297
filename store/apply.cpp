#include "store/apply.hpp"

#include <algorithm>
#include <utility>

#include "store/person.hpp"
#include "store/phone.hpp"

namespace agentlocator {
namespace {

struct Rank {
    std::string_view status;
    std::int64_t rank;
};

// "ended" is ours: the stream is over. Twilio's own last word is more exact, so it ranks above.
constexpr Rank call_ranks[] = {{"initiated", 10},
                               {"queued", 10},
                               {"ringing", 20},
                               {"in-progress", 30},
                               {"answered", 30},
                               {"ended", 40},
                               {"busy", 50},
                               {"failed", 50},
                               {"no-answer", 50},
                               {"canceled", 50},
                               {"rejected_capacity", 50},
                               {"completed", 60}};
// A failure outranks "sent" and is outranked by a proof of delivery: reports come in any order (Twilio docs: message
// status callbacks).
constexpr Rank message_ranks[] = {{"queued", 10},      {"sending", 20},  {"accepted", message_rank_accepted},
                                  {"scheduled", 30},   {"sent", 40},     {"failed", 50},
                                  {"undelivered", 50}, {"canceled", 50}, {"delivered", 60},
                                  {"read", 70}};
constexpr Rank payment_ranks[] = {{"created", 10}, {"pending", 20}, {"mismatch", 30},
                                  {"failed", 40},  {"paid", 50},    {"refunded", 60}};

template <std::size_t N>
std::int64_t rank_of(const Rank (&ranks)[N], std::string_view status) {
    const auto* found =
        std::find_if(std::begin(ranks), std::end(ranks), [&](const Rank& one) { return one.status == status; });
    return found == std::end(ranks) ? 0 : found->rank;
}

// The number as a key where it is one, else as it came ("client:...", a SIP address).
std::string phone_key(const std::string& number) {
    return normal_phone(number).value_or(number);
}

Result<std::int64_t> business_of(Database& database, std::int64_t known, const std::string& channel,
                                 const std::string& number) {
    if (known != 0 || number.empty()) {
        return known;
    }
    return business_of_number(database, channel, number);
}

Result<void> done(const Result<Rows>& rows) {
    return rows ? Result<void>() : Result<void>(rows.error());
}

Result<void> put(Database& database, const CallFact& f) {
    const auto business = business_of(database, 0, "voice", f.direction.starts_with("outbound") ? f.from : f.to);
    if (!business) {
        return business.error();
    }
    // Texts: the first that is known. Times: the earliest start, the latest end. Counters: the highest.
    return done(database.query(
        "INSERT INTO calls (call_sid, business_id, from_number, to_number, direction, status, status_rank, stream_sid, "
        "mode, end_reason, started_at, stream_started_at, ended_at, duration_s, frames_in, "
        "frames_out, end_reason_at, stream_rank) "
        "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18) "
        "ON CONFLICT (call_sid) DO UPDATE SET "
        "business_id = CASE WHEN calls.business_id = 0 THEN excluded.business_id ELSE calls.business_id END, "
        "from_number = CASE WHEN calls.from_number = '' THEN excluded.from_number ELSE calls.from_number END, "
        "to_number = CASE WHEN calls.to_number = '' THEN excluded.to_number ELSE calls.to_number END, "
        "direction = CASE WHEN calls.direction = '' THEN excluded.direction ELSE calls.direction END, "
        "status = CASE WHEN excluded.status_rank > calls.status_rank THEN excluded.status ELSE calls.status END, "
        "status_rank = CASE WHEN excluded.status_rank > calls.status_rank THEN excluded.status_rank ELSE "
        "calls.status_rank END, "
        "stream_sid = CASE WHEN (excluded.stream_started_at, excluded.stream_sid) > (calls.stream_started_at, "
        "calls.stream_sid) AND excluded.stream_sid <> '' THEN excluded.stream_sid ELSE calls.stream_sid END, "
        "mode = CASE WHEN calls.mode = '' THEN excluded.mode ELSE calls.mode END, "
        "end_reason = CASE WHEN (excluded.end_reason_at, excluded.end_reason) > (calls.end_reason_at, "
        "calls.end_reason) THEN excluded.end_reason ELSE calls.end_reason END, "
        "end_reason_at = CASE WHEN excluded.end_reason_at > calls.end_reason_at THEN excluded.end_reason_at ELSE "
        "calls.end_reason_at END, "
        "started_at = CASE WHEN calls.started_at = 0 OR (excluded.started_at <> 0 AND excluded.started_at < "
        "calls.started_at) THEN excluded.started_at ELSE calls.started_at END, "
        "stream_started_at = CASE WHEN excluded.stream_started_at > calls.stream_started_at THEN "
        "excluded.stream_started_at ELSE calls.stream_started_at END, "
        "ended_at = CASE WHEN excluded.ended_at > calls.ended_at THEN excluded.ended_at ELSE calls.ended_at END, "
        "duration_s = CASE WHEN excluded.duration_s > calls.duration_s THEN excluded.duration_s ELSE "
        "calls.duration_s END, "
        "frames_in = CASE WHEN excluded.frames_in > calls.frames_in THEN excluded.frames_in ELSE calls.frames_in END, "
        "frames_out = CASE WHEN excluded.frames_out > calls.frames_out THEN excluded.frames_out ELSE "
        "calls.frames_out END, "
        "stream_rank = CASE WHEN excluded.stream_rank > calls.stream_rank THEN excluded.stream_rank ELSE "
        "calls.stream_rank END",
        {f.call_sid, *business, phone_key(f.from), phone_key(f.to), f.direction, f.status, call_status_rank(f.status),
         f.stream_sid, f.mode, f.end_reason, f.started_at, f.stream_started_at, f.ended_at, f.duration_s, f.frames_in,
         f.frames_out, f.end_reason.empty() ? 0 : f.ended_at, f.stream_rank}));
}

// A turn or a recording of a call whose own facts have not come yet (or never will): the call is listed all the same.
Result<void> ensure_call(Database& database, const std::string& call_sid, std::int64_t at) {
    if (call_sid.empty()) {
        return {};
    }
    return done(database.query(
        "INSERT INTO calls (call_sid, started_at) VALUES ($1, $2) ON CONFLICT (call_sid) DO UPDATE SET "
        "started_at = CASE WHEN calls.started_at = 0 OR (excluded.started_at <> 0 AND excluded.started_at < "
        "calls.started_at) THEN excluded.started_at ELSE calls.started_at END",
        {call_sid, at}));
}

Result<void> put(Database& database, const TurnFact& f) {
    if (auto call = ensure_call(database, f.call_sid, f.said_at); !call) {
        return call;
    }
    return done(database.query(
        "INSERT INTO turns (call_sid, turn, speaker, text, said_at, interrupted, end_of_turn_ms, stt_ms, llm_ms, "
        "tts_ms, heard_ms, providers) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) "
        "ON CONFLICT (call_sid, turn, speaker) DO UPDATE SET text = excluded.text, said_at = excluded.said_at, "
        "interrupted = excluded.interrupted, end_of_turn_ms = excluded.end_of_turn_ms, stt_ms = excluded.stt_ms, "
        "llm_ms = excluded.llm_ms, tts_ms = excluded.tts_ms, heard_ms = excluded.heard_ms, "
        "providers = excluded.providers "
        "WHERE (excluded.said_at, excluded.interrupted, excluded.text) >= (turns.said_at, turns.interrupted, "
        "turns.text)",
        {f.call_sid, f.turn, f.speaker, f.text, f.said_at, f.interrupted, f.end_of_turn_ms, f.stt_ms, f.llm_ms,
         f.tts_ms, f.heard_ms, f.providers}));
}

// A text of a lead and when it was told: the later wins, an empty one never does.
struct LeadText {
    std::string column;
    const std::string& value;
};

Result<void> put(Database& database, const LeadFact& f) {
    const auto phone = normal_phone(f.phone);
    if (!phone) {
        return {};  // A withheld number is nobody to be called back.
    }
    const auto business = business_of(database, f.business, f.channel, f.to);
    if (!business) {
        return business.error();
    }
    std::string sql =
        "INSERT INTO leads (business_id, phone, source, external_id, first_seen_at, last_seen_at, name, name_at, "
        "email, "
        "email_at, status, status_at, notes, notes_at, details, details_at) VALUES ($1, $2, $3, $4, $5, $5, $6, $7, "
        "$8, $9, $10, $11, $12, $13, $14, $15) ON CONFLICT (business_id, phone) DO UPDATE SET ";
    for (const std::string column : {"name", "email", "status", "notes", "details"}) {
        const std::string later =
            "(excluded." + column + "_at, excluded." + column + ") > (leads." + column + "_at, leads." + column + ")";
        sql += column + " = CASE WHEN " + later + " THEN excluded." + column + " ELSE leads." + column + " END, ";
        sql +=
            column + "_at = CASE WHEN " + later + " THEN excluded." + column + "_at ELSE leads." + column + "_at END, ";
    }
    sql +=
        "source = CASE WHEN (excluded.first_seen_at, excluded.source) < (leads.first_seen_at, leads.source) THEN "
        "excluded.source ELSE leads.source END, "
        "external_id = CASE WHEN (excluded.first_seen_at, excluded.source, excluded.external_id) < "
        "(leads.first_seen_at, leads.source, leads.external_id) THEN excluded.external_id ELSE leads.external_id END, "
        "first_seen_at = CASE WHEN excluded.first_seen_at < leads.first_seen_at THEN excluded.first_seen_at ELSE "
        "leads.first_seen_at END, "
        "last_seen_at = CASE WHEN excluded.last_seen_at > leads.last_seen_at THEN excluded.last_seen_at ELSE "
        "leads.last_seen_at END";
    const auto told = [&](const std::string& value) { return value.empty() ? 0 : f.seen_at; };
    return done(database.query(sql, {*business, *phone, f.source, f.external_id, f.seen_at, f.name, told(f.name),
                                     f.email, told(f.email), f.status.empty() ? std::string("new") : f.status,
                                     told(f.status), f.notes, told(f.notes), f.details, told(f.details)}));
}

Result<void> put(Database& database, const AppointmentFact& f) {
    const auto phone = normal_phone(f.phone);
    const auto business = business_of(database, f.business, f.channel, f.to);
    if (!business) {
        return business.error();
    }
    return done(database.query(
        "INSERT INTO appointments (business_id, phone, starts_at, ends_at, title, notes, status, call_sid, told_at) "
        "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT (business_id, phone, starts_at) DO UPDATE SET "
        "ends_at = excluded.ends_at, title = excluded.title, notes = excluded.notes, status = excluded.status, "
        "call_sid = excluded.call_sid, told_at = excluded.told_at "
        "WHERE (excluded.told_at, excluded.status) >= (appointments.told_at, appointments.status)",
        {*business, phone.value_or(f.phone), f.starts_at, f.ends_at, f.title, f.notes, f.status, f.call_sid,
         f.told_at}));
}

Result<void> put(Database& database, const RecordingFact& f) {
    if (auto call = ensure_call(database, f.call_sid, f.recorded_at); !call) {
        return call;
    }
    return done(database.query(
        "INSERT INTO recordings (recording_sid, call_sid, url, status, duration_s, recorded_at) "
        "VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (recording_sid) DO UPDATE SET "
        "call_sid = CASE WHEN recordings.call_sid = '' THEN excluded.call_sid ELSE recordings.call_sid END, "
        "url = CASE WHEN recordings.url = '' THEN excluded.url ELSE recordings.url END, "
        "status = CASE WHEN recordings.status IN ('', 'in-progress') AND excluded.status <> '' THEN excluded.status "
        "ELSE recordings.status END, "
        "duration_s = CASE WHEN excluded.duration_s > recordings.duration_s THEN excluded.duration_s ELSE "
        "recordings.duration_s END, "
        "recorded_at = CASE WHEN excluded.recorded_at > recordings.recorded_at THEN excluded.recorded_at ELSE "
        "recordings.recorded_at END",
        {f.recording_sid, f.call_sid, f.url, f.status, f.duration_s, f.recorded_at}));
}

Result<void> put(Database& database, const MessageInFact& f) {
    const auto business = business_of(database, f.business, "whatsapp", f.to);
    if (!business) {
        return business.error();
    }
    const auto phone = normal_phone(f.from);
    const auto stored = database.query(
        "INSERT INTO inbox (provider, message_id, business_id, phone, to_number, address, name, kind, text, media, "
        "sent_at, stored_at, answer_state, arrival) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, "
        "$14) "
        "ON CONFLICT (provider, message_id) DO NOTHING",
        {f.provider, f.message_id, *business, phone.value_or(std::string()), phone_key(f.to), f.address, f.name, f.kind,
         f.text, f.media, f.sent_at, f.stored_at, std::string(f.answer != 0 ? "waiting" : "none"), f.arrival});
    if (!stored || f.answer == 0 || !phone) {
        return done(stored);
    }
    return put(database, LeadFact{.business = *business,
                                  .to = f.to,
                                  .channel = "whatsapp",
                                  .phone = *phone,
                                  .source = "whatsapp",
                                  .external_id = f.message_id,
                                  .name = f.name,
                                  .seen_at = f.sent_at});
}

Result<void> put(Database& database, const MessageOutFact& f) {
    const auto business = business_of(database, f.business, "whatsapp", f.from);
    if (!business) {
        return business.error();
    }
    return done(database.query(
        "INSERT INTO outbox (id, body_hash, business_id, from_number, to_number, provider, text, media_url, "
        "in_reply_to, asked_at, status, status_rank, next_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, "
        "'queued', $11, $10) ON CONFLICT (id) DO NOTHING",
        {f.id, f.body_hash, *business, f.from.empty() ? f.from : phone_key(f.from), phone_key(f.to), f.provider, f.text,
         f.media_url, f.in_reply_to, f.asked_at, message_status_rank("queued")}));
}

constexpr std::string_view raise_status =
    "UPDATE outbox SET status = $1, status_rank = $2, error = $3 WHERE status_rank < $2 AND ";

Result<void> put(Database& database, const MessageStatusFact& f) {
    const std::int64_t rank = message_status_rank(f.status);
    if (!f.id.empty()) {
        const auto raised = database.query(std::string(raise_status) + "id = $4", {f.status, rank, f.error, f.id});
        if (!raised || f.provider_id.empty()) {
            return done(raised);
        }
        const auto named = database.query(
            "UPDATE outbox SET used = $1, provider_id = $2, accepted_at = CASE WHEN accepted_at = 0 THEN $3 ELSE "
            "accepted_at END WHERE id = $4",
            {f.provider, f.provider_id, f.at, f.id});
        if (!named) {
            return named.error();
        }
        // Reports that came before we knew the provider's id.
        return done(database.query(
            "UPDATE outbox SET status = report.status, status_rank = report.status_rank, error = report.error "
            "FROM delivery_reports AS report WHERE outbox.id = $1 AND report.provider = $2 AND "
            "report.provider_id = $3 AND report.status_rank > outbox.status_rank",
            {f.id, f.provider, f.provider_id}));
    }
    const auto kept = database.query(
        "INSERT INTO delivery_reports (provider, provider_id, status, status_rank, error, at) "
        "VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (provider, provider_id) DO UPDATE SET status = excluded.status, "
        "status_rank = excluded.status_rank, error = excluded.error, at = excluded.at "
        "WHERE excluded.status_rank > delivery_reports.status_rank",
        {f.provider, f.provider_id, f.status, rank, f.error, f.at});
    if (!kept) {
        return kept.error();
    }
    return done(database.query(std::string(raise_status) + "used = $4 AND provider_id = $5",
                               {f.status, rank, f.error, f.provider, f.provider_id}));
}

Result<void> put(Database& database, const PaymentEventFact& f) {
    const auto stored = database.query(
        "INSERT INTO payment_events (provider, event_id, payment_id, status, amount, currency, payload, at) "
        "VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (provider, event_id) DO NOTHING",
        {f.provider, f.event_id, f.payment_id, f.status, f.amount, f.currency, f.payload, f.at});
    if (!stored || f.status.empty()) {
        return done(stored);
    }
    // Paid is what was asked for, to the last agora and in its currency; anything else is looked at by a person.
    return done(database.query(
        "UPDATE payments SET status = CASE WHEN $3 = 'paid' AND (amount <> $4 OR currency <> $5) THEN 'mismatch' ELSE "
        "$3 END, status_rank = CASE WHEN $3 = 'paid' AND (amount <> $4 OR currency <> $5) THEN $6 ELSE $7 END, "
        "updated_at = $8 WHERE id = $1 AND provider = $2 AND status_rank < CASE WHEN $3 = 'paid' AND (amount <> $4 OR "
        "currency <> $5) THEN $6 ELSE $7 END",
        {f.payment_id, f.provider, f.status, f.amount, f.currency, payment_status_rank("mismatch"),
         payment_status_rank(f.status), f.at}));
}

}  // namespace

Result<void> apply_fact(Database& database, const Fact& fact) {
    return std::visit([&](const auto& known) { return put(database, known); }, fact);
}

Result<void> apply_facts(Database& database, std::span<const Fact> facts) {
    auto transaction = Transaction::begin(database);
    if (!transaction) {
        return transaction.error();
    }
    for (const Fact& fact : facts) {
        if (auto applied = apply_fact(database, fact); !applied) {
            return applied;
        }
    }
    return transaction->commit();
}

std::int64_t call_status_rank(std::string_view status) {
    return rank_of(call_ranks, status);
}
std::int64_t message_status_rank(std::string_view status) {
    return rank_of(message_ranks, status);
}
std::int64_t payment_status_rank(std::string_view status) {
    return rank_of(payment_ranks, status);
}

}  // namespace agentlocator
