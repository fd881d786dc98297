#include "store/queries.hpp"

#include <algorithm>

#include "store/phone.hpp"

namespace agentlocator {
namespace {

Result<Table> ask(Database& database, std::vector<std::string> columns, const std::string& rest,
                  std::initializer_list<Value> parameters) {
    std::string sql = "SELECT ";
    for (std::size_t i = 0; i < columns.size(); ++i) {
        sql += (i == 0 ? "" : ", ") + columns[i];
    }
    auto rows = database.query(sql + " " + rest, parameters);
    if (!rows) {
        return rows.error();
    }
    // "(SELECT ...) AS turns" is the column turns.
    for (std::string& column : columns) {
        if (const auto as = column.rfind(" AS "); as != std::string::npos) {
            column.erase(0, as + 4);
        }
    }
    return Table{std::move(columns), std::move(*rows)};
}

std::int64_t sane_limit(const Page& page) {
    return std::clamp<std::int64_t>(page.limit, 1, page_rows_max);
}

}  // namespace

Result<Table> list_calls(Database& database, const Page& page) {
    return ask(database,
               {"call_sid", "business_id", "from_number", "to_number", "direction", "status", "mode", "end_reason",
                "started_at", "ended_at", "duration_s", "frames_in", "frames_out",
                "(SELECT COUNT(*) FROM turns WHERE turns.call_sid = calls.call_sid) AS turns"},
               "FROM calls WHERE started_at >= $1 AND ($2 < 0 OR business_id = $2) "
               "ORDER BY started_at DESC, call_sid LIMIT $3 OFFSET $4",
               {page.since, page.business.value_or(-1), sane_limit(page), page.offset});
}

Result<Table> list_leads(Database& database, const Page& page) {
    return ask(database,
               {"business_id", "phone", "name", "email", "status", "source", "notes", "details", "first_seen_at",
                "last_seen_at",
                "(SELECT COUNT(*) FROM calls WHERE calls.business_id = leads.business_id AND calls.from_number = "
                "leads.phone) AS calls"},
               "FROM leads WHERE last_seen_at >= $1 AND ($2 < 0 OR business_id = $2) "
               "ORDER BY last_seen_at DESC, phone LIMIT $3 OFFSET $4",
               {page.since, page.business.value_or(-1), sane_limit(page), page.offset});
}

Result<Table> list_businesses(Database& database) {
    return ask(
        database,
        {"id", "name", "language", "payments_enabled", "COALESCE(kind, '') AS channel",
         "COALESCE(identifier, '') AS number"},
        "FROM businesses LEFT JOIN channels ON channels.business_id = businesses.id ORDER BY id, kind, identifier", {});
}

Result<StoredCall> show_call(Database& database, const std::string& call_sid) {
    StoredCall record;
    const auto add = [&](Table& table, std::vector<std::string> columns, const std::string& rest) -> Result<void> {
        auto asked = ask(database, std::move(columns), rest, {call_sid});
        if (!asked) {
            return asked.error();
        }
        table = std::move(*asked);
        return {};
    };
    for (const auto& done :
         {add(record.call,
              {"call_sid", "business_id", "from_number", "to_number", "direction", "status", "mode", "stream_sid",
               "end_reason", "started_at", "stream_started_at", "ended_at", "duration_s", "frames_in", "frames_out"},
              "FROM calls WHERE call_sid = $1"),
          add(record.turns,
              {"turn", "speaker", "text", "said_at", "interrupted", "end_of_turn_ms", "stt_ms", "llm_ms", "tts_ms",
               "heard_ms", "providers"},
              // The caller speaks first in a turn, the agent answers.
              "FROM turns WHERE call_sid = $1 ORDER BY turn, speaker DESC"),
          add(record.recordings, {"recording_sid", "status", "duration_s", "url", "recorded_at"},
              "FROM recordings WHERE call_sid = $1 ORDER BY recorded_at"),
          add(record.appointments, {"phone", "title", "notes", "status", "starts_at", "ends_at"},
              "FROM appointments WHERE call_sid = $1 ORDER BY starts_at")}) {
        if (!done) {
            return done.error();
        }
    }
    return record;
}

Result<std::int64_t> add_business(Database& database, const NewBusiness& business, std::int64_t now_ms) {
    auto transaction = Transaction::begin(database);
    if (!transaction) {
        return transaction.error();
    }
    const auto made =
        database.query("INSERT INTO businesses (name, language, created_at) VALUES ($1, $2, $3) RETURNING id",
                       {business.name, business.language.empty() ? std::string("he") : business.language, now_ms});
    if (!made) {
        return made.error();
    }
    const std::int64_t id = integer((*made)[0][0]);
    const auto add = [&](const std::string& kind, const std::vector<std::string>& numbers) -> Result<void> {
        for (const std::string& number : numbers) {
            const auto phone = normal_phone(number);
            if (!phone) {
                return error(Errc::bad_message, "\"" + number + "\" is no telephone number; write +972...");
            }
            const auto added = database.query(
                "INSERT INTO channels (kind, identifier, business_id) VALUES ($1, $2, $3) ON CONFLICT (kind, "
                "identifier) DO NOTHING RETURNING identifier",
                {kind, *phone, id});
            if (!added) {
                return added.error();
            }
            if (added->empty()) {
                return error(Errc::bad_message, *phone + " belongs to another business already");
            }
        }
        return {};
    };
    for (const auto& done : {add("voice", business.voice_numbers), add("whatsapp", business.whatsapp_numbers)}) {
        if (!done) {
            return done.error();
        }
    }
    if (auto committed = transaction->commit(); !committed) {
        return committed.error();
    }
    return id;
}

Result<bool> take_lease(Database& database, const std::string& name, const std::string& owner, std::int64_t now_ms,
                        std::int64_t until_ms) {
    const auto taken = database.query(
        "INSERT INTO leases (name, owner, until) VALUES ($1, $2, $3) ON CONFLICT (name) DO UPDATE SET "
        "owner = excluded.owner, until = excluded.until WHERE leases.until <= $4 OR leases.owner = excluded.owner "
        "RETURNING owner",
        {name, owner, until_ms, now_ms});
    if (!taken) {
        return taken.error();
    }
    return !taken->empty();
}

}  // namespace agentlocator
