

#include <algorithm>
#include <random>

#include "store/apply.hpp"
#include "tests/unit/store/store_fixture.hpp"

using namespace agentlocator;

namespace {

constexpr std::int64_t minute = 60'000;

void add_business(StoreFixture& store, std::int64_t id, const char* number) {
    store.rows("INSERT INTO businesses (id, name, created_at) VALUES ($1, 'b', 1)", {id});
    for (const char* kind : {"voice", "whatsapp"}) {
        store.rows("INSERT INTO channels (kind, identifier, business_id) VALUES ($1, $2, $3)",
                   {std::string(kind), std::string(number), id});
    }
}

std::vector<Fact> one_call(const std::string& sid) {
    return {
        CallFact{.call_sid = sid,
                 .from = "0501234567",
                 .to = "+97236123456",
                 .direction = "inbound",
                 .status = "initiated",
                 .started_at = 1000},
        CallFact{.call_sid = sid,
                 .from = "+972501234567",
                 .to = "+97236123456",
                 .status = "in-progress",
                 .stream_sid = "MZ1",
                 .mode = "AI",
                 .started_at = 1200,
                 .stream_started_at = 1200},
        TurnFact{.call_sid = sid, .turn = 0, .speaker = "agent", .text = "שלום", .said_at = 1300},
        TurnFact{.call_sid = sid, .turn = 1, .speaker = "caller", .text = "דירה בחיפה", .said_at = 2000, .stt_ms = 90},
        TurnFact{.call_sid = sid, .turn = 1, .speaker = "agent", .text = "יש לנו שלוש דירות", .said_at = 2500},
        TurnFact{.call_sid = sid, .turn = 1, .speaker = "agent", .text = "יש לנו", .said_at = 2600, .interrupted = 1},
        CallFact{.call_sid = sid,
                 .status = "ended",
                 .stream_sid = "MZ1",
                 .end_reason = "stop",
                 .stream_started_at = 1200,
                 .ended_at = 61'000,
                 .frames_in = 3000,
                 .frames_out = 900},
        CallFact{.call_sid = sid, .status = "completed", .ended_at = 61'500, .duration_s = 60},
        LeadFact{.to = "+97236123456",
                 .channel = "voice",
                 .phone = "+972501234567",
                 .source = "call",
                 .external_id = sid,
                 .seen_at = 1000},
        LeadFact{.to = "+97236123456",
                 .channel = "voice",
                 .phone = "050-1234567",
                 .source = "call",
                 .external_id = sid,
                 .name = "דנה",
                 .status = "qualified",
                 .seen_at = 3000},
        LeadFact{.to = "+97236123456",
                 .channel = "voice",
                 .phone = "050-1234567",
                 .source = "call",
                 .external_id = sid,
                 .name = "דנה לוי",
                 .notes = "3 חדרים",
                 .seen_at = 4000},
        RecordingFact{.recording_sid = "RE1", .call_sid = sid, .status = "in-progress", .recorded_at = 2000},
        RecordingFact{.recording_sid = "RE1",
                      .call_sid = sid,
                      .url = "https://r/1",
                      .status = "completed",
                      .duration_s = 58,
                      .recorded_at = 62'000},
        AppointmentFact{.to = "+97236123456",
                        .channel = "voice",
                        .phone = "050-1234567",
                        .call_sid = sid,
                        .title = "פגישה",
                        .status = "booked",
                        .starts_at = 90 * minute,
                        .told_at = 3000},
        AppointmentFact{.to = "+97236123456",
                        .channel = "voice",
                        .phone = "050-1234567",
                        .call_sid = sid,
                        .title = "פגישה",
                        .status = "cancelled",
                        .starts_at = 90 * minute,
                        .told_at = 5000},
        MessageInFact{.provider = "twilio",
                      .message_id = "SM1",
                      .to = "whatsapp:+97236123456",
                      .from = "whatsapp:+972501234567",
                      .kind = "text",
                      .text = "תודה",
                      .sent_at = 70'000,
                      .stored_at = 70'001,
                      .answer = 1},
        MessageOutFact{.id = "m1",
                       .body_hash = "h",
                       .from = "+97236123456",
                       .to = "0501234567",
                       .provider = "twilio",
                       .text = "בבקשה",
                       .asked_at = 71'000},
    };
}

Rows everything(StoreFixture& store) {
    Rows all;
    for (const char* table : {"calls ORDER BY call_sid", "turns ORDER BY call_sid, turn, speaker",
                              "leads ORDER BY business_id, phone", "recordings ORDER BY recording_sid",
                              "appointments ORDER BY phone", "inbox ORDER BY message_id", "outbox ORDER BY id"}) {
        const Rows rows = store.rows(std::string("SELECT * FROM ") + table);
        all.insert(all.end(), rows.begin(), rows.end());
    }
    return all;
}

}  // namespace

TEST_CASE("apply: a call leaves its row, its turns, its lead") {
    StoreFixture store;
    add_business(store, 7, "+97236123456");
    REQUIRE(apply_facts(store.database(), one_call("CA1")));
    CHECK(store.rows("SELECT business_id, from_number, to_number, status, stream_sid, mode, end_reason, started_at, "
                     "ended_at, duration_s, frames_in FROM calls") ==
          Rows{{std::int64_t{7}, std::string("+972501234567"), std::string("+97236123456"), std::string("completed"),
                std::string("MZ1"), std::string("AI"), std::string("stop"), std::int64_t{1000}, std::int64_t{61'500},
                std::int64_t{60}, std::int64_t{3000}}});
    CHECK(store.rows("SELECT text, interrupted FROM turns WHERE turn = 1 AND speaker = 'agent'") ==
          Rows{{std::string("יש לנו"), std::int64_t{1}}});
    CHECK(store.rows("SELECT business_id, phone, name, status, notes, source, external_id, first_seen_at, last_seen_at "
                     "FROM leads") == Rows{{std::int64_t{7}, std::string("+972501234567"), std::string("דנה לוי"),
                                            std::string("qualified"), std::string("3 חדרים"), std::string("call"),
                                            std::string("CA1"), std::int64_t{1000}, std::int64_t{70'000}}});
    CHECK(store.rows("SELECT status FROM appointments") == Rows{{std::string("cancelled")}});
    CHECK(store.rows("SELECT status, duration_s, url FROM recordings") ==
          Rows{{std::string("completed"), std::int64_t{58}, std::string("https://r/1")}});
}

TEST_CASE("apply: any order and any repetition give the same rows") {
    const std::vector<Fact> facts = one_call("CA1");
    Rows expected;
    {
        StoreFixture store;
        add_business(store, 7, "+97236123456");
        REQUIRE(apply_facts(store.database(), facts));
        expected = everything(store);
    }
    std::mt19937 random(20'251);  // Printed below with the order that failed.
    for (int round = 0; round < 5; ++round) {
        CAPTURE(round);
        StoreFixture store;
        add_business(store, 7, "+97236123456");
        std::vector<Fact> shuffled = facts;
        shuffled.insert(shuffled.end(), facts.begin(), facts.end());
        std::shuffle(shuffled.begin(), shuffled.end(), random);
        REQUIRE(apply_facts(store.database(), shuffled));
        CHECK(everything(store) == expected);
    }
}

TEST_CASE("apply: a called number without a business is nobody's, never somebody else's") {
    StoreFixture store;
    add_business(store, 7, "+97236123456");
    REQUIRE(apply_fact(store.database(), CallFact{.call_sid = "CA2", .from = "+972501234567", .to = "+97231111111"}));
    REQUIRE(apply_fact(
        store.database(),
        LeadFact{.to = "+97231111111", .channel = "voice", .phone = "+972501234567", .source = "call", .seen_at = 1}));
    CHECK(store.rows("SELECT business_id FROM calls") == Rows{{std::int64_t{0}}});
    CHECK(store.rows("SELECT business_id FROM leads") == Rows{{std::int64_t{0}}});
}

TEST_CASE("apply: a lead is one per business and person, and a caller without a number is none") {
    StoreFixture store;
    add_business(store, 7, "+97236123456");
    add_business(store, 8, "+97236123457");
    for (const char* to : {"+97236123456", "+97236123457"}) {
        for (const char* from : {"0501234567", "+972501234567", "+14155550123", "anonymous", "+266696687"}) {
            REQUIRE(apply_fact(store.database(),
                               LeadFact{.to = to, .channel = "voice", .phone = from, .source = "call", .seen_at = 1}));
        }
    }
    CHECK(store.rows("SELECT business_id, phone FROM leads ORDER BY business_id, phone") ==
          Rows{{std::int64_t{7}, std::string("+14155550123")},
               {std::int64_t{7}, std::string("+972501234567")},
               {std::int64_t{8}, std::string("+14155550123")},
               {std::int64_t{8}, std::string("+972501234567")}});
}

TEST_CASE("apply: history, own and group messages wait for no answer and make no lead") {
    StoreFixture store;
    REQUIRE(apply_fact(store.database(), MessageInFact{.provider = "baileys",
                                                       .message_id = "A",
                                                       .from = "+972501234567",
                                                       .text = "old",
                                                       .sent_at = 1,
                                                       .answer = 0}));
    CHECK(store.rows("SELECT answer_state FROM inbox") == Rows{{std::string("none")}});
    CHECK(store.rows("SELECT phone FROM leads").empty());
}

TEST_CASE("apply: delivery reports in any order never move a message backwards") {
    StoreFixture store;
    std::vector<std::string> order{"accepted", "delivered", "read", "sent"};  // Sorted: every permutation follows.
    int permutation = 0;
    do {
        const std::string id = "m" + std::to_string(++permutation);
        const std::string provider_id = "SM" + std::to_string(permutation);
        // The message is stored before anything can be told of it; that it was accepted may be told last.
        REQUIRE(apply_fact(store.database(), MessageOutFact{.id = id, .to = "+972501234567", .asked_at = 1}));
        for (const std::string& status : order) {
            const bool ours = status == "accepted";
            REQUIRE(apply_fact(store.database(), MessageStatusFact{.id = ours ? id : "",
                                                                   .provider = "twilio",
                                                                   .provider_id = provider_id,
                                                                   .status = status,
                                                                   .at = 3}));
        }
        CHECK(store.rows("SELECT status, used, provider_id FROM outbox WHERE id = $1", {id}) ==
              Rows{{std::string("read"), std::string("twilio"), provider_id}});
    } while (std::next_permutation(order.begin(), order.end()));
    CHECK(permutation == 24);
}

TEST_CASE("apply: a failure outranks sent and yields to a proof of delivery") {
    StoreFixture store;
    const auto status = [&](const char* name) {
        REQUIRE(apply_fact(
            store.database(),
            MessageStatusFact{.id = "m1", .provider = "twilio", .provider_id = "SM1", .status = name, .at = 3}));
        return text(store.rows("SELECT status FROM outbox")[0][0]);
    };
    REQUIRE(apply_fact(store.database(), MessageOutFact{.id = "m1", .to = "+972501234567", .asked_at = 1}));
    CHECK(status("sent") == "sent");
    CHECK(status("failed") == "failed");
    CHECK(status("sent") == "failed");
    CHECK(status("delivered") == "delivered");
    CHECK(status("undelivered") == "delivered");
}

TEST_CASE("apply: a payment is paid once, for the exact amount in the exact currency") {
    const auto pay = [](std::int64_t amount, const char* currency) {
        StoreFixture store;
        store.rows(
            "INSERT INTO payments (id, business_id, provider, amount, currency, status, status_rank, created_at, "
            "updated_at) VALUES ('p1', 7, 'paypal', 9990, 'ILS', 'created', 10, 1, 1)");
        const PaymentEventFact event{.provider = "paypal",
                                     .event_id = "WH1",
                                     .payment_id = "p1",
                                     .status = "paid",
                                     .payload = "{}",
                                     .amount = amount,
                                     .currency = currency,
                                     .at = 5};
        REQUIRE(apply_fact(store.database(), event));
        PaymentEventFact again = event;
        again.status = "failed";
        REQUIRE(apply_fact(store.database(), event));
        again.event_id = "WH0";
        REQUIRE(apply_fact(store.database(), again));
        CHECK(store.rows("SELECT event_id FROM payment_events").size() == 2);
        return text(store.rows("SELECT status FROM payments")[0][0]);
    };
    CHECK(pay(9990, "ILS") == "paid");
    CHECK(pay(9989, "ILS") == "failed");  // A mismatch, then the failure.
    CHECK(pay(9990, "USD") == "failed");
}

TEST_CASE("apply: one bad fact of a transaction undoes it all") {
    StoreFixture store;
    store.rows("CREATE UNIQUE INDEX one_name ON leads (name)");
    const Fact facts[] = {
        LeadFact{.phone = "+972501234567", .name = "x", .seen_at = 1},
        LeadFact{.phone = "+972501234568", .name = "x", .seen_at = 1},
    };
    const auto applied = apply_facts(store.database(), facts);
    REQUIRE_FALSE(applied);
    CHECK(applied.error().code == Errc::bad_message);
    CHECK(store.rows("SELECT phone FROM leads").empty());
}
