#include "store/person.hpp"

#include <algorithm>

#include "store/clean_text.hpp"
#include "store/phone.hpp"

namespace agentlocator {
namespace {

// A message that is more than words, in the conversation: "[picture] our kitchen", "[voice note]". The words of a voice
// note are what was said.
std::string shown(const std::string& kind, std::string words) {
    if (!words.empty() && (kind == "audio" || kind == "voice")) {
        return words;
    }
    struct Name {
        std::string_view kind;
        std::string_view shown;
    };
    // The bridge's kinds and Twilio's (Twilio docs: MessageType).
    constexpr Name names[] = {{"image", "[picture]"},     {"video", "[video]"},       {"audio", "[voice note]"},
                              {"voice", "[voice note]"},  {"document", "[document]"}, {"sticker", "[sticker]"},
                              {"location", "[location]"}, {"contact", "[contact]"},   {"contacts", "[contact]"}};
    for (const Name& name : names) {
        if (kind == name.kind) {
            return std::string(name.shown) + (words.empty() ? "" : " ") + words;
        }
    }
    return words;
}

// Newest first. Our own clock throughout: the phones' clocks would mix up question and answer. What somebody says in a
// group he does not say to us.
Result<Rows> newest_lines(Database& database, const PersonQuery& query, std::int64_t since) {
    return database.query(
        "SELECT ours, body, kind FROM (SELECT 0 AS ours, text AS body, kind, stored_at AS at, arrival AS place FROM "
        "inbox WHERE business_id = $1 AND phone = $2 AND ($2 <> '' OR address = $3) AND (text <> '' OR kind IN "
        "('image', 'video', 'audio', 'voice', 'document', 'sticker', 'location', 'contact', 'contacts')) AND "
        "stored_at >= $4 AND address NOT LIKE '%@g.us' AND (stored_at, arrival, message_id) < ($5, $6, $7) "
        "UNION ALL SELECT 1, text, '', asked_at, 0 FROM outbox WHERE business_id = $1 AND to_number = $8 AND text <> "
        "'' "
        "AND asked_at >= $4 "
        "UNION ALL SELECT CASE WHEN turns.speaker = 'agent' THEN 1 ELSE 0 END, turns.text, '', turns.said_at, "
        "turns.turn "
        "FROM turns JOIN calls ON calls.call_sid = turns.call_sid WHERE calls.business_id = $1 AND "
        "calls.from_number = $2 AND $2 <> '' AND calls.call_sid <> $9 AND turns.text <> '' AND turns.said_at >= $4"
        ") AS lines ORDER BY at DESC, place DESC, ours DESC LIMIT $10",
        {query.business, query.phone, query.address, since, query.before_at, query.before_arrival, query.before_id,
         query.phone.empty() ? query.address : query.phone, query.but_call, query.limits.lines});
}

}  // namespace

Result<PersonRecord> load_person(Database& database, const PersonQuery& query) {
    PersonRecord record;
    const std::int64_t since = query.now_ms - query.limits.age_ms;
    const auto said = newest_lines(database, query, since);
    if (!said) {
        return said.error();
    }
    std::size_t bytes = 0;
    for (const Row& row : *said) {
        std::string line = clean_text(shown(text(row[2]), text(row[1])), query.limits.line_bytes);
        bytes += line.size();
        if (bytes > query.limits.bytes) {
            break;
        }
        record.said.push_back({integer(row[0]) != 0, std::move(line)});
    }
    std::reverse(record.said.begin(), record.said.end());
    const auto lead = database.query(
        "SELECT name, email, status, notes, details FROM leads WHERE business_id = $1 AND phone = $2 AND $2 <> ''",
        {query.business, query.phone});
    if (!lead) {
        return lead.error();
    }
    if (!lead->empty()) {
        const Row& row = (*lead)[0];
        record.lead.name = text(row[0]);
        record.lead.email = text(row[1]);
        record.lead.status = text(row[2]);
        record.lead.notes = text(row[3]);
        record.lead.details = text(row[4]);
    }
    const auto state =
        database.query("SELECT state FROM conversations WHERE business_id = $1 AND person = $2 AND updated_at >= $3",
                       {query.business, query.phone.empty() ? query.address : query.phone, since});
    if (!state) {
        return state.error();
    }
    record.state = state->empty() ? std::string() : text((*state)[0][0]);
    return record;
}

Result<std::int64_t> business_of_number(Database& database, const std::string& channel, const std::string& number) {
    const auto rows = database.query("SELECT business_id FROM channels WHERE kind = $1 AND identifier = $2",
                                     {channel, normal_phone(number).value_or(number)});
    if (!rows) {
        return rows.error();
    }
    return rows->empty() ? 0 : integer((*rows)[0][0]);
}

}  // namespace agentlocator
