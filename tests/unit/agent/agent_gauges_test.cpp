#include "worker/agent/agent_gauges.hpp"

#include <doctest/doctest.h>

#include "call_fixture.hpp"

using namespace agentlocator;
using namespace agentlocator::test;

TEST_CASE("gauges: every service of every stage, and what an earlier worker left is gone") {
    FakeCall call;
    AgentEntry entry;
    entry.providers = 9;
    entry.provider[0].failed = 7;
    AgentGauges gauges(entry, call.services());
    REQUIRE(entry.providers == 6);  // Two of each stage.
    CHECK(std::string_view(entry.provider[0].name.data()) == "first");
    CHECK(entry.provider[0].stage == Stage::stt);
    CHECK(entry.provider[0].failed == 0);
    CHECK(entry.provider[3].stage == Stage::llm);
    CHECK(std::string_view(entry.provider[5].name.data()) == "second");
    call.start();
    REQUIRE(call.answered());
    call.stt[0]->plans.queue = {heard("hello")};
    call.llm[0]->plans.queue = {fails(ProviderErrorClass::auth)};
    call.llm[1]->plans.queue = {thinks("Yes.")};
    call.utter();
    REQUIRE(call.answered());
    gauges.publish(call.clock.now);
    CHECK(entry.provider[0].started == 1);
    CHECK(entry.provider[2].failed == 1);
    CHECK(entry.provider[2].breaker == static_cast<std::uint8_t>(CircuitBreaker::State::open));
    CHECK(entry.provider[3].breaker == static_cast<std::uint8_t>(CircuitBreaker::State::closed));
}
