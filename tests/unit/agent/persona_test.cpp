#include "worker/agent/persona.hpp"

#include <doctest/doctest.h>

#include "worker/agent/call_agent.hpp"

using namespace agentlocator;

TEST_CASE("persona: what a business has set stands before the installation's settings, and only that") {
    AgentSettings settings;
    settings.business_name = "House";
    settings.greeting_he = "Hello from the house";
    settings.transfer_number = "+97231111111";
    const auto plain = make_persona(settings, "prompt of the house", {});
    CHECK(plain->settings == settings);
    CHECK(plain->prompt == "prompt of the house");
    const auto own = make_persona(settings, "prompt of the house",
                                  {{"prompt", "own prompt"},
                                   {"business_name", "Flats"},
                                   {"language", "en-US"},
                                   {"paypal_client_id", "not for the agent"}});
    CHECK(own->prompt == "own prompt");
    CHECK(own->settings.business_name == "Flats");
    CHECK(own->settings.language == "en-US");
    CHECK(own->settings.greeting_he == "Hello from the house");
    CHECK(own->settings.transfer_number == "+97231111111");
}

TEST_CASE("persona: the called number is found in a beginning and in a memory") {
    CHECK(CallAgent::called_number(R"({"call_sid":"CA1","to":"+97236123456"})") == "+97236123456");
    CHECK(CallAgent::called_number(R"({"To":"+97236123456"})") == "+97236123456");
    CHECK(CallAgent::called_number(R"({"v":1,"call":{"sid":"CA1","from":"+1","to":"+97236123456"}})") ==
          "+97236123456");
    for (const char* text : {"", "[]", "null", "{", R"({"to":5})", R"({"call":5,"to":"+1"})"}) {
        CHECK(CallAgent::called_number(text).empty());
    }
}
