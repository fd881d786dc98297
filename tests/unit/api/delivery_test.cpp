#include "worker/api/delivery.hpp"

#include <doctest/doctest.h>

using namespace agentlocator;
using Kind = DeliveryOutcome::Kind;

namespace {

OutboxJob job(const std::string& provider, std::int64_t last_inbound_at = 0, const std::string& used = {}) {
    return {.id = "m1",
            .to = "+972501234567",
            .provider = provider,
            .text = "שלום & תודה",
            .used = used,
            .asked_at = 1'790'000'000'000,
            .attempts = 1,
            .last_inbound_at = last_inbound_at};
}

constexpr ProvidersNow both{.baileys = true, .twilio = true};
constexpr ProvidersNow only_twilio{.baileys = false, .twilio = true};
constexpr ProvidersNow only_baileys{.baileys = true, .twilio = false};
constexpr std::int64_t now = 1'790'000'000'000;

}  // namespace

TEST_CASE("delivery: auto keeps a conversation on the bridge for a day, and opens none there while Twilio can") {
    CHECK(choose_provider(job("auto", now - 1), both, now) == WhatsAppProvider::baileys);
    CHECK(choose_provider(job("auto", now - free_text_ms + 1), both, now) == WhatsAppProvider::baileys);
    CHECK(choose_provider(job("auto", now - free_text_ms), both, now) == WhatsAppProvider::twilio);
    CHECK(choose_provider(job("auto"), both, now) == WhatsAppProvider::twilio);
    CHECK(choose_provider(job("auto"), only_baileys, now) == WhatsAppProvider::baileys);
    CHECK(choose_provider(job("auto", now - 1), only_twilio, now) == WhatsAppProvider::twilio);
    CHECK_FALSE(choose_provider(job("auto"), {}, now));
}

TEST_CASE("delivery: a provider that is asked for by name is waited for") {
    CHECK(choose_provider(job("twilio", now - 1), both, now) == WhatsAppProvider::twilio);
    CHECK(choose_provider(job("baileys"), both, now) == WhatsAppProvider::baileys);
    CHECK_FALSE(choose_provider(job("baileys"), only_twilio, now));
    CHECK_FALSE(choose_provider(job("twilio"), only_baileys, now));
}

TEST_CASE("delivery: what a provider may have taken never goes to the other one") {
    CHECK(choose_provider(job("auto", now - 1, "twilio"), both, now) == WhatsAppProvider::twilio);
    CHECK_FALSE(choose_provider(job("auto", now - 1, "baileys"), only_twilio, now));
}

TEST_CASE("delivery: the bridge's answers") {
    CHECK(read_bridge_answer(202, R"({"id":"x","wa_id":"3A","state":"queued"})").kind == Kind::accepted);
    CHECK(read_bridge_answer(202, R"({"id":"x","wa_id":"3A"})").provider_id == "3A");
    CHECK(read_bridge_answer(202, R"({"id":"x"})").provider_id == "x");
    for (const long status : {0L, 401L, 408L, 429L, 500L, 503L}) {
        CAPTURE(status);
        CHECK(read_bridge_answer(status, "").kind == Kind::again);
    }
    for (const long status : {400L, 409L, 422L}) {
        CAPTURE(status);
        CHECK(read_bridge_answer(status, R"({"error":{"code":"not_on_whatsapp"}})").kind == Kind::refused);
    }
    CHECK(read_bridge_answer(422, R"({"error":{"code":"not_on_whatsapp"}})").error ==
          "bridge answered 422: not_on_whatsapp");
    CHECK(read_bridge_answer(422, R"({"error":7})").kind == Kind::refused);
}

TEST_CASE("delivery: Twilio's answers; after a doubt it is asked, never just repeated") {
    CHECK(read_twilio_answer(201, R"({"sid":"SM1","status":"queued"})", true).provider_id == "SM1");
    CHECK(read_twilio_answer(201, "<html>", true).kind == Kind::unknown);
    CHECK(read_twilio_answer(0, "", false).kind == Kind::again);
    CHECK(read_twilio_answer(0, "", true).kind == Kind::unknown);
    CHECK(read_twilio_answer(500, "", true).kind == Kind::unknown);
    CHECK(read_twilio_answer(429, R"({"code":20429})", true).kind == Kind::again);
    const DeliveryOutcome refused = read_twilio_answer(400, R"({"code":21211,"message":"..."})", true);
    CHECK(refused.kind == Kind::refused);
    CHECK(refused.error == "Twilio answered 400: 21211");
}

TEST_CASE("delivery: only outbound messages with the very same text may be ours") {
    const std::string list = R"({"messages":[
        {"sid":"SM1","direction":"inbound","body":"שלום & תודה"},
        {"sid":"SM2","direction":"outbound-api","body":"something else"},
        {"sid":"SM3","direction":"outbound-api","body":"שלום & תודה"},
        {"direction":"outbound-api","body":"שלום & תודה"},7]})";
    CHECK(candidates_in_twilio_list(list, job("twilio")) == std::vector<std::string>{"SM3"});
    for (const char* bad : {"", "[]", "{}", R"({"messages":7})"}) {
        CHECK(candidates_in_twilio_list(bad, job("twilio")).empty());
    }
}

TEST_CASE("delivery: what is written to the providers") {
    CHECK(bridge_body(job("baileys")) == R"({"text":"שלום & תודה","to":"972501234567","type":"text"})");
    OutboxJob plain = job("twilio");
    plain.text = "a&b=c +";
    CHECK(twilio_form(plain, "+14155550123", "https://x/cb") ==
          "To=whatsapp%3A%2B972501234567&From=whatsapp%3A%2B14155550123&Body=a%26b%3Dc%20%2B&StatusCallback=https%3A%"
          "2F%2F"
          "x%2Fcb");
    CHECK(twilio_form(plain, "whatsapp:+14155550123", "").find("From=whatsapp%3A%2B1415") != std::string::npos);
    CHECK(twilio_list_query(plain, "+14155550123") ==
          "To=whatsapp%3A%2B972501234567&From=whatsapp%3A%2B14155550123&DateSent%3E=2026-09-21");
}

TEST_CASE("delivery: pauses double up to ten minutes") {
    CHECK(delivery_pause_ms(1) == 1000);
    CHECK(delivery_pause_ms(2) == 2000);
    CHECK(delivery_pause_ms(10) == 512'000);
    CHECK(delivery_pause_ms(11) == 600'000);
    CHECK(delivery_pause_ms(1000) == 600'000);
}

TEST_CASE("delivery: while nobody can take a message it is looked at soon, and seldom after a while") {
    CHECK(nobody_pause_ms(0) == 500);
    CHECK(nobody_pause_ms(60'000) == 6000);
    CHECK(nobody_pause_ms(86'400'000) == 30'000);
}
