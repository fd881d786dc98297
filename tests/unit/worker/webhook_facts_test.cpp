// What Twilio's webhooks leave in the store, and which of them wait for it.
#include <doctest/doctest.h>

#include "tests/unit/worker/web_fixture.hpp"

using namespace agentlocator;

namespace {

struct FactsFixture : WebFixture {
    FactsFixture() { context.now_ms = 1'790'000'000'123; }
    [[nodiscard]] RouteResult ask(const std::string& path, const std::string& form) const {
        return route(post(path, form), context);
    }
};

}  // namespace

TEST_CASE("webhook facts: a call is remembered with its caller as a lead, and waits for nothing") {
    const FactsFixture web;
    const RouteResult result =
        web.ask("/webhook/incoming_call", "CallSid=CA1&From=%2B972501234567&To=%2B97236123456&Direction=inbound");
    CHECK(status_of(result) == 200);
    CHECK_FALSE(result.unless_stored);
    REQUIRE(result.facts.size() == 2);
    const auto& call = std::get<CallFact>(result.facts[0]);
    CHECK(call.call_sid == "CA1");
    CHECK(call.status == "initiated");
    CHECK(call.started_at == 1'790'000'000'123);
    const auto& lead = std::get<LeadFact>(result.facts[1]);
    CHECK(lead.phone == "+972501234567");
    CHECK(lead.to == "+97236123456");
    CHECK(lead.external_id == "CA1");
}

TEST_CASE("webhook facts: the lead of a call we made is the one we called") {
    const FactsFixture web;
    const RouteResult result =
        web.ask("/webhook/incoming_call", "CallSid=CA1&From=%2B97236123456&To=%2B972501234567&Direction=outbound-api");
    REQUIRE(result.facts.size() == 2);
    const auto& lead = std::get<LeadFact>(result.facts[1]);
    CHECK(lead.phone == "+972501234567");
    CHECK(lead.to == "+97236123456");
}

TEST_CASE("webhook facts: a call that found no free line is remembered as such") {
    FactsFixture web;
    web.settings.max_concurrent_calls = 1;
    web.context.live_calls = 1;
    const RouteResult result = web.ask("/webhook/incoming_call", "CallSid=CA1&From=%2B972501234567&To=%2B9723");
    REQUIRE(result.facts.size() == 2);
    CHECK(std::get<CallFact>(result.facts[0]).status == "rejected_capacity");
}

TEST_CASE("webhook facts: nothing without a call id, nothing from the preview, nothing from a forger") {
    FactsFixture web;
    CHECK(web.ask("/webhook/incoming_call", "").facts.empty());
    CHECK(web.ask("/webhook/call_status", "CallStatus=completed").facts.empty());
    CHECK(web.ask("/webhook/handle_recording", "CallSid=CA1").facts.empty());
    CHECK(route(WebFixture::get("/webhook/incoming_call_preview"), web.context).facts.empty());
    web.sign_with("token");
    const RouteResult forged = web.ask("/webhook/call_status", "CallSid=CA1&CallStatus=completed");
    CHECK(status_of(forged) == 403);
    CHECK(forged.facts.empty());
}

TEST_CASE("webhook facts: how a call ended is acknowledged only when it is stored") {
    const FactsFixture web;
    const RouteResult over = web.ask("/webhook/call_status", "CallSid=CA1&CallStatus=completed&CallDuration=61");
    REQUIRE(over.facts.size() == 1);
    const auto& call = std::get<CallFact>(over.facts[0]);
    CHECK(call.status == "completed");
    CHECK(call.duration_s == 61);
    CHECK(call.ended_at == 1'790'000'000'123);
    CHECK(status_of(over) == 204);
    REQUIRE(over.unless_stored);
    CHECK(over.unless_stored->status == 503);
    const RouteResult ringing = web.ask("/webhook/call_status", "CallSid=CA1&CallStatus=ringing&CallDuration=x");
    CHECK(std::get<CallFact>(ringing.facts[0]).ended_at == 0);
    CHECK(std::get<CallFact>(ringing.facts[0]).duration_s == 0);
}

TEST_CASE("webhook facts: a recording's callback waits, the action inside a call does not") {
    const FactsFixture web;
    const std::string url = "RecordingUrl=https%3A%2F%2Fapi.twilio.com%2FRecordings%2FRE7";
    const RouteResult callback =
        web.ask("/webhook/handle_recording", "CallSid=CA1&RecordingStatus=completed&RecordingDuration=58&" + url);
    REQUIRE(callback.facts.size() == 1);
    const auto& recording = std::get<RecordingFact>(callback.facts[0]);
    CHECK(recording.recording_sid == "RE7");
    CHECK(recording.call_sid == "CA1");
    CHECK(recording.duration_s == 58);
    CHECK(callback.unless_stored);
    const RouteResult action = web.ask("/webhook/handle_recording", "CallSid=CA1&" + url);
    CHECK(action.facts.size() == 1);
    CHECK_FALSE(action.unless_stored);
}

TEST_CASE("webhook facts: routes that take unsigned requests tell the store nothing") {
    const FactsFixture web;
    CHECK(web.ask("/webhook/stream_ended", "CallSid=CA1&CallStatus=completed").facts.empty());
    CHECK(web.ask("/webhook/stream_status", "CallSid=CA1&StreamEvent=stream-stopped").facts.empty());
}
