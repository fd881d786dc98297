#include "store/person.hpp"

#include "store/apply.hpp"
#include "tests/unit/store/store_fixture.hpp"

using namespace agentlocator;

namespace {

constexpr std::int64_t now = 1'790'000'000'000;

void tell(StoreFixture& store, const Fact& fact) {
    REQUIRE(apply_fact(store.database(), fact));
}
void wrote(StoreFixture& store, const std::string& id, const std::string& text, std::int64_t at,
           const std::string& to = {}) {
    tell(store, MessageInFact{.provider = "baileys",
                              .message_id = id,
                              .to = to,
                              .from = "+972501234567",
                              .kind = "text",
                              .text = text,
                              .sent_at = at,
                              .stored_at = at});
}
std::vector<std::string> said(StoreFixture& store, PersonQuery query) {
    query.phone = "+972501234567";
    query.now_ms = now;
    const auto record = load_person(store.database(), query);
    REQUIRE(record);
    std::vector<std::string> lines;
    for (const SaidLine& line : record->said) {
        lines.push_back((line.ours ? "we: " : "they: ") + line.text);
    }
    return lines;
}

}  // namespace

TEST_CASE("person: a call is told what was written and said before, but not its own turns") {
    StoreFixture store;
    wrote(store, "a", "in writing", now - 5000);
    tell(store, MessageOutFact{.id = "m", .to = "+972501234567", .text = "our answer", .asked_at = now - 4000});
    for (const char* sid : {"CA1", "CA2"}) {
        tell(store, CallFact{.call_sid = sid, .from = "0501234567", .started_at = now - 3000});
        tell(
            store,
            TurnFact{.call_sid = sid, .turn = 1, .speaker = "caller", .text = std::string(sid), .said_at = now - 2000});
    }
    CHECK(said(store, {.limits = call_limits, .but_call = "CA2"}) ==
          std::vector<std::string>{"they: in writing", "we: our answer", "they: CA1"});
}

TEST_CASE("person: no more lines, bytes and age than asked for, the newest first") {
    StoreFixture store;
    for (int i = 0; i < 5; ++i) {
        wrote(store, std::to_string(i), "line " + std::to_string(i), now - 1000 + i);
    }
    const auto limited = [&](const SaidLimits& limits) { return said(store, {.limits = limits}).size(); };
    CHECK(limited({.lines = 9, .bytes = 1000, .line_bytes = 100, .age_ms = 2000}) == 5);
    CHECK(limited({.lines = 4, .bytes = 1000, .line_bytes = 100, .age_ms = 2000}) == 4);
    CHECK(limited({.lines = 9, .bytes = 12, .line_bytes = 100, .age_ms = 2000}) == 2);  // Six each.
    CHECK(limited({.lines = 9, .bytes = 11, .line_bytes = 100, .age_ms = 2000}) == 1);
    CHECK(limited({.lines = 9, .bytes = 1000, .line_bytes = 100, .age_ms = 998}) == 3);
    CHECK(said(store, {.limits = {.lines = 1, .bytes = 1000, .line_bytes = 4, .age_ms = 2000}}) ==
          std::vector<std::string>{"they: line"});
}

TEST_CASE("person: what was said to one business is none of another's") {
    StoreFixture store;
    store.rows("INSERT INTO businesses (name, created_at) VALUES ('Flats', 1), ('Teeth', 1)");
    store.rows(
        "INSERT INTO channels (kind, identifier, business_id) VALUES ('whatsapp', '+97233760001', 1), "
        "('voice', '+97233760001', 1), ('voice', '+97233760002', 2)");
    wrote(store, "a", "to the flats", now - 1000, "+97233760001");
    tell(store, LeadFact{.to = "+97233760001",
                         .channel = "whatsapp",
                         .phone = "+972501234567",
                         .name = "Dana",
                         .seen_at = now - 1000});
    CHECK(*business_of_number(store.database(), "voice", "03-376-0001") == 1);  // However it is written.
    CHECK(*business_of_number(store.database(), "voice", "+97233760001") == 1);
    CHECK(*business_of_number(store.database(), "voice", "+97233769999") == 0);
    CHECK(said(store, {.business = 1}) == std::vector<std::string>{"they: to the flats"});
    CHECK(said(store, {.business = 2}).empty());
    CHECK(said(store, {.business = 0}).empty());
    CHECK(load_person(store.database(), {.business = 1, .phone = "+972501234567", .now_ms = now})->lead.name == "Dana");
    CHECK(load_person(store.database(), {.business = 2, .phone = "+972501234567", .now_ms = now})->lead.name.empty());
}

TEST_CASE("person: what is no text has its place in the conversation") {
    StoreFixture store;
    const auto sent = [&](const std::string& kind, const std::string& words, std::int64_t at) {
        tell(store, MessageInFact{.provider = "baileys",
                                  .message_id = kind,
                                  .from = "+972501234567",
                                  .kind = kind,
                                  .text = words,
                                  .sent_at = at,
                                  .stored_at = at});
    };
    sent("image", "our kitchen", now - 50);
    sent("voice", "", now - 40);
    sent("audio", "I am on my way", now - 35);
    sent("location", "Herzl 5", now - 30);
    sent("reaction", "", now - 20);
    sent("document", "", now - 10);
    CHECK(said(store, {}) == std::vector<std::string>{"they: [picture] our kitchen", "they: [voice note]",
                                                      "they: I am on my way", "they: [location] Herzl 5",
                                                      "they: [document]"});
}
