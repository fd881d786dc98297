#include "worker/agent/turn_latency.hpp"

#include <doctest/doctest.h>

using namespace agentlocator;

TEST_CASE("turn_latency: what services took, one after the other") {
    const TimePoint start{1h};
    TurnLatency latency;
    CHECK(latency.services() == 0ms);
    latency.end_of_turn = start;
    latency.text = start + 100ms;
    latency.asked_model = start + 101ms;
    latency.first_token = start + 301ms;
    latency.asked_voice = start + 303ms;
    latency.first_audio = start + 403ms;
    CHECK(latency.services() == 400ms);  // Three milliseconds were ours.
    latency.first_sentence = start + 302ms;
    CHECK(latency.services() == 401ms);  // The model was still speaking.
}

TEST_CASE("turn_latency: a model that thought ahead is not counted twice") {
    const TimePoint start{1h};
    TurnLatency latency;
    latency.end_of_turn = start;
    latency.text = start + 100ms;
    latency.asked_model = start;
    latency.first_token = start + 80ms;
    latency.asked_voice = start + 100ms;
    latency.first_audio = start + 150ms;
    CHECK(latency.services() == 150ms);
    latency.first_token = start + 120ms;
    CHECK(latency.services() == 150ms);
}
