// What is known of a caller from before: how it is read, and what a call makes of it.
#include "worker/agent/known_person.hpp"

#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "call_fixture.hpp"

using namespace agentlocator;
using namespace agentlocator::test;
using namespace std::chrono_literals;

namespace {

KnownPerson dana() {
    KnownPerson known;
    known.said = messages_of({{false, "Is the flat in Haifa still free?"}, {true, "It is. Shall I book a visit?"}});
    known.slots = {{"intent", "buy"}, {"property_type", "apartment"}, {"area", "Haifa"}, {"name", "Dana"}};
    return known;
}

void greet(FakeCall& call) {
    call.start();
    REQUIRE(call.answered());
    call.hear();
    call.run(100ms);  // The store has answered.
    call.forget_said();
}

void ask(FakeCall& call, const std::string& words) {
    call.stt[0]->plans.queue = {heard(words)};
    call.forget_said();
    call.utter();
    REQUIRE(call.answered());
    call.hear();
}

std::vector<LeadFact> leads(const FakeCall& call) {
    std::vector<LeadFact> out;
    for (const auto& fact : call.records.facts()) {
        if (const auto* one = std::get_if<LeadFact>(&fact)) {
            out.push_back(*one);
        }
    }
    return out;
}

}  // namespace

TEST_CASE("known person: the lead, and over it what was answered in a written dialogue that is not over") {
    PersonRecord record;
    record.said = {{true, "hello"}};
    record.lead.name = "Dana";
    record.lead.details = R"({"area":"Haifa","rooms":"3","odd":7,"none":""})";
    record.state = R"({"v":1,"dialogue":{"slots":{"rooms":"4","intent":"rent"}}})";
    const KnownPerson known = known_person(record);
    CHECK(known.slots == LeadSlots{{"name", "Dana"}, {"area", "Haifa"}, {"rooms", "4"}, {"intent", "rent"}});
    CHECK(known.said.at(0).role == ChatMessage::Role::assistant);
    for (const char* broken : {"", "nonsense", "[]", R"({"dialogue":7})", R"({"dialogue":{"slots":[]}})"}) {
        record.state = record.lead.details = broken;
        CHECK(known_person(record).slots == LeadSlots{{"name", "Dana"}});
    }
    CHECK(known_person({}).empty());
}

TEST_CASE("known person: the model reads what was written before, in front of the greeting") {
    FakeCall call({.remembers = true});
    call.people.known = dana();
    greet(call);
    REQUIRE(call.people.asked.size() == 1);
    CHECK(call.people.asked[0].phone == "+972501234567");
    CHECK(call.people.asked[0].called == "+97233760000");
    CHECK(call.people.asked[0].call_sid == "CA1");
    CHECK(call.logged("event=caller_known call=CA1 lines=2 details=4"));
    call.llm[0]->plans.queue = {thinks("Yes. When?")};
    ask(call, "hello again");
    const auto& messages = call.llm[0]->requests.at(0).messages;
    REQUIRE(messages.size() == 5);
    CHECK(messages[0].content.find(R"("area":"Haifa")") != std::string::npos);
    CHECK(messages[0].content.find("WhatsApp") != std::string::npos);
    CHECK(messages[1].content == "Is the flat in Haifa still free?");
    CHECK(messages[2].content == "It is. Shall I book a visit?");
    CHECK(messages[3].content.find("Hello, this is Leah") == 0);
    CHECK(messages[4].content == "hello again");
}

TEST_CASE("known person: what a model stores of him does not undo what is known") {
    FakeCall call({.remembers = true});
    call.people.known = dana();
    greet(call);
    call.llm[0]->plans.queue = {calls_tool("save_lead", R"({"area":"Acre"})"), thinks("Noted.")};
    ask(call, "rather in Acre");
    REQUIRE(leads(call).size() == 1);
    CHECK(leads(call)[0].name == "Dana");
    CHECK(nlohmann::json::parse(leads(call)[0].details) ==
          nlohmann::json{{"intent", "buy"}, {"property_type", "apartment"}, {"area", "Acre"}});
}

TEST_CASE("known person: a store that is slow or silent delays nothing") {
    for (const Duration after : {Duration(5s), Duration(24h)}) {
        FakeCall call({.remembers = true});
        call.people.known = dana();
        call.people.after = after;
        call.start();
        REQUIRE(call.answered(1s));
        call.hear();
        call.llm[0]->plans.queue = {thinks("How can I help?"), thinks("Of course.")};
        ask(call, "hello");
        CHECK(call.llm[0]->requests.at(0).messages.size() == 3);
        call.run(10s);
        ask(call, "and now?");
        CHECK(call.llm[0]->requests.at(1).messages.size() == (after < 10s ? 7 : 5));
        call.end();
    }
}

TEST_CASE("known person: a withheld number is nobody") {
    for (const char* from : {"", "anonymous", "+266696687", "Restricted", "client:web"}) {
        FakeCall call({.remembers = true});
        call.start(from);
        REQUIRE(call.answered());
        CHECK(call.people.asked.empty());
    }
}

TEST_CASE("known person: whoever takes the call over asks again") {
    FakeCall call({.remembers = true});
    call.people.known = dana();
    greet(call);
    CHECK(call.memory.find("Shall I book") == std::string::npos);  // The slab keeps none of it.
    call.take_over(true, false);
    call.run(100ms);
    CHECK(call.people.asked.size() == 2);
    CHECK(call.people.asked[1].call_sid == "CA1");
    call.llm[0]->plans.queue = {thinks("Yes.")};
    ask(call, "hello");
    CHECK(call.llm[0]->requests.at(0).messages.at(1).content == "Is the flat in Haifa still free?");
    CHECK(call.llm[0]->requests.at(0).messages.at(2).content == "It is. Shall I book a visit?");
}

TEST_CASE("known person: the script asks the wish, and reads back the rest") {
    FakeCall call({.model = false, .remembers = true});
    call.people.known = dana();
    greet(call);
    ask(call, "I want to buy");
    CHECK(call.said_text() ==
          "buying, noted. I already have some of your details. How many rooms? Say a number, or "
          "press it and then the hash key. The star key is half a room.");
    call.take_over(true, false);  // Told again, and nothing is said twice.
    call.run(100ms);
    ask(call, "four");
    CHECK(call.says("4, noted. What price"));
    ask(call, "two million");
    ask(call, "yes");
    CHECK(call.says("a flat"));
    CHECK(call.says("Haifa"));
    CHECK(call.says("Dana"));
    ask(call, "yes");
    REQUIRE(leads(call).size() == 1);
    CHECK(leads(call)[0].name == "Dana");
    CHECK(nlohmann::json::parse(leads(call)[0].details)["area"] == "Haifa");
}

TEST_CASE("known person: a speech-to-speech service is told, in each of its sessions") {
    FakeCall call({.realtime = true, .remembers = true});
    call.people.known = dana();
    greet(call);
    const auto told = [&] {
        return std::count_if(call.realtime->asked.begin(), call.realtime->asked.end(), [](const std::string& what) {
            return what.find("note ") == 0 && what.find("They: Is the flat in Haifa still free?") != std::string::npos;
        });
    };
    CHECK(told() == 1);
    call.take_over(true, false);
    call.run(100ms);
    CHECK(told() == 2);
}
