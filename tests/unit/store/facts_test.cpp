#include "store/facts.hpp"

#include "tests/unit/store/store_fixture.hpp"

#include "store/clean_text.hpp"

using namespace agentlocator;

TEST_CASE("facts: each kind comes back from its text as it was") {
    const Fact facts[] = {
        CallFact{.call_sid = "CA1", .from = "+1", .to = "+2", .status = "completed", .started_at = 5, .duration_s = 9},
        TurnFact{.call_sid = "CA1", .turn = 3, .speaker = "agent", .text = "שלום \"x\"\n", .said_at = 7, .stt_ms = 120},
        LeadFact{.business = 4, .phone = "0501234567", .details = R"({"area":"חיפה"})", .seen_at = 8},
        AppointmentFact{.phone = "+972501234567", .title = "פגישה", .starts_at = 100, .ends_at = 200},
        RecordingFact{.recording_sid = "RE1", .call_sid = "CA1", .url = "https://x/", .recorded_at = 9},
        MessageInFact{.provider = "baileys", .message_id = "3A", .kind = "text", .text = "hi", .answer = 1},
        MessageOutFact{.id = "m1", .to = "+972501234567", .provider = "auto", .text = "hello", .asked_at = 3},
        MessageStatusFact{.provider = "twilio", .provider_id = "SM1", .status = "read", .at = 4},
        PaymentEventFact{.provider = "paypal", .event_id = "WH-1", .payload = "{}", .amount = 12'345, .at = 1},
    };
    static_assert(std::size(facts) == std::variant_size_v<Fact>);
    for (const Fact& fact : facts) {
        CAPTURE(kind_of(fact));
        const std::string text = to_json(fact);
        const auto back = fact_from_json(text);
        REQUIRE(back);
        CHECK(back->index() == fact.index());
        CHECK(to_json(*back) == text);
    }
    const auto turn = fact_from_json(to_json(facts[1]));
    CHECK(std::get<TurnFact>(*turn).text == "שלום \"x\"\n");
    const auto in = fact_from_json(to_json(facts[5]));
    CHECK(std::get<MessageInFact>(*in).kind == "text");
}

TEST_CASE("facts: a newer build's keys are ignored, its kinds refused, garbage is no fact") {
    const auto call = fact_from_json(R"({"kind":"call","call_sid":"CA1","new_field":{"a":1},"status":7})");
    REQUIRE(call);
    CHECK(std::get<CallFact>(*call).call_sid == "CA1");
    CHECK(std::get<CallFact>(*call).status.empty());
    for (const char* text : {"", "[]", "{}", "null", R"({"kind":1})", R"({"kind":"no_such"})", "{\"kind\":\"call\""}) {
        CAPTURE(text);
        const auto fact = fact_from_json(text);
        REQUIRE_FALSE(fact);
        CHECK(fact.error().code == Errc::bad_message);
    }
}

TEST_CASE("clean_text: only whole UTF-8 without NUL passes") {
    const std::string bad = "\xEF\xBF\xBD";
    CHECK(clean_text("שלום, 😀 a", 100) == "שלום, 😀 a");
    CHECK(clean_text(std::string_view("a\0b", 3), 100) == "a" + bad + "b");
    CHECK(clean_text("\xff\xc3", 100) == bad + bad);
    CHECK(clean_text("\xc0\xaf", 100) == bad + bad);                      // Overlong.
    CHECK(clean_text("\xed\xa0\x80", 100) == bad + bad + bad);            // A surrogate.
    CHECK(clean_text("\xf4\x90\x80\x80", 100) == bad + bad + bad + bad);  // Above U+10FFFF.
    CHECK(clean_text("\xe2\x82", 100) == bad + bad);                      // Cut off.
}

TEST_CASE("clean_text: the limit cuts between characters") {
    CHECK(clean_text("שלום", 4) == "של");
    CHECK(clean_text("שלום", 5) == "של");
    CHECK(clean_text("שלום", 8) == "שלום");
    CHECK(clean_text("a\xff", 3) == "a");
    CHECK(clean_text("abc", 0).empty());
}
