#include "worker/agent/call_agent.hpp"

#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "call_fixture.hpp"
#include "worker/agent/recorded_speech.hpp"

using namespace agentlocator;
using namespace agentlocator::test;
using namespace std::chrono_literals;

namespace {

// A call that was greeted and is listening.

void greet(FakeCall& call) {
    call.start();
    REQUIRE(call.answered());
    call.hear();
    call.forget_said();
}

template <class Fact>
std::vector<Fact> facts(const FakeCall& call) {
    std::vector<Fact> out;
    for (const auto& fact : call.records.facts()) {
        if (const auto* one = std::get_if<Fact>(&fact)) {
            out.push_back(*one);
        }
    }
    return out;
}

}  // namespace

TEST_CASE("call: greets, hears, thinks, speaks; the turn's times are told") {
    FakeCall call;
    call.start();
    REQUIRE(call.answered());
    CHECK(call.says("Hello, this is Leah."));
    call.hear();
    call.forget_said();
    call.stt[0]->plans.queue = {heard("I want a flat in Haifa", 100ms)};
    call.llm[0]->plans.queue = {thinks("Of course. How many rooms do you need?", 200ms)};
    call.utter();
    REQUIRE(call.answered());
    CHECK(call.said_text() == "Of course. How many rooms do you need?");
    CHECK(call.said.size() == 2);
    CHECK(call.stt[0]->bytes == 8000);
    CHECK(call.logged(
        "event=turn_answered call=CA1 turn=1 end_of_turn_ms=500 stt_ms=600 llm_ms=800 tts_ms=850 sent_ms=850 "
        "stt=first llm=first tts=first"));
    CHECK(call.service_us == std::vector<std::int64_t>{350'000});  // 100, 200 and 50 ms: nothing of it is ours.
    CHECK(call.metrics.turns == 1);
    CHECK(call.metrics.tts.sum_us == 850'000);
    const auto turns = facts<TurnFact>(call);
    REQUIRE(turns.size() == 3);
    CHECK(turns[1].text == "I want a flat in Haifa");
    CHECK(turns[2].providers == "stt=first llm=first tts=first");
    CHECK(turns[2].heard_ms == 850);
    call.end();
    CHECK(call.ledger.cancelled == 0);
}

TEST_CASE("call: the next sentence is synthesised while the first plays, in order") {
    FakeCall call;
    greet(call);
    call.stt[0]->plans.queue = {heard("hello there")};
    call.llm[0]->plans.queue = {thinks("One is here. Two is here. Three is here.")};
    // The first voice is slow, the second fast: order must hold.
    call.tts[0]->plans.queue = {
        {{.kind = Step::Kind::audio, .text = std::string(8000, 'a'), .after = 900ms}, {.kind = Step::Kind::done}},
        {{.kind = Step::Kind::audio, .text = std::string(8000, 'b'), .after = 10ms}, {.kind = Step::Kind::done}}};
    call.utter();
    REQUIRE(call.answered());
    CHECK(call.said_text() == "One is here. Two is here. Three is here.");
    CHECK(call.clock.now < TimePoint(100h) + 5s);
}

TEST_CASE("call: a script without model takes a lead by keys in Hebrew") {
    FakeCall call({.model = false, .recogniser = false, .language = "he-IL"});
    call.start();
    REQUIRE(call.answered());
    CHECK(call.says("בְּמַקָּשֵׁי"));
    for (const char key : std::string("1134#2300#11")) {
        call.press(key);
        REQUIRE(call.answered());
        call.hear();
    }
    CHECK(call.hung_up == "lead_taken");
    const auto leads = facts<LeadFact>(call);
    REQUIRE(leads.size() == 1);
    CHECK(leads[0].phone == "+972501234567");
    CHECK(leads[0].to == "+97233760000");
    CHECK(nlohmann::json::parse(leads[0].details) == nlohmann::json{{"intent", "buy"},
                                                                    {"property_type", "apartment"},
                                                                    {"area", "Haifa"},
                                                                    {"rooms", "4"},
                                                                    {"budget", "2300000"}});
}

TEST_CASE("call: a script without model takes a lead by closed phrases in English") {
    FakeCall call({.model = false});
    call.stt[0]->closed_only = call.stt[1]->closed_only = true;
    greet(call);
    for (const char* words : {"rent", "apartment", "tel aviv", "three rooms"}) {
        call.stt[0]->plans.queue = {heard(words)};
        call.utter();
        REQUIRE(call.answered());
        CHECK(call.stt[0]->last_config.closed);
        call.hear();
    }
    for (const char key : std::string("6500#")) {
        call.press(key);
        REQUIRE(call.answered());
    }
    for (int i = 0; i < 2; ++i) {
        call.stt[0]->plans.queue = {heard("yes")};
        call.utter();
        REQUIRE(call.answered());
        call.hear();
    }
    CHECK(call.hung_up == "lead_taken");
    CHECK(facts<LeadFact>(call).size() == 1);
}

TEST_CASE("call: a recogniser that cannot hear free speech leaves the call to the script, model or not") {
    FakeCall call;
    call.stt[0]->closed_only = call.stt[1]->closed_only = true;
    call.start();
    REQUIRE(call.answered());
    CHECK_FALSE(call.agent->uses_model());
}

TEST_CASE("call: digits end by a pause") {
    FakeCall call({.model = false, .recogniser = false});
    greet(call);
    for (const char key : std::string("1134")) {
        call.press(key);
        REQUIRE(call.answered());
    }
    call.forget_said();
    call.run(3900ms);
    CHECK(call.said.empty());
    call.owed = 1;
    call.run(300ms);
    CHECK(call.says("thousands of shekels"));
}

TEST_CASE("call: keys go to the model together, and zero to a person") {
    FakeCall call({.transfer_number = "+97231112222"});
    greet(call);
    call.llm[0]->plans.queue = {thinks("Thank you, noted.")};
    for (const char key : std::string("52")) {
        call.press(key);
        CHECK(call.answered());
    }
    CHECK(call.said.empty());
    call.press('#');
    REQUIRE(call.answered());
    CHECK(call.says("noted"));
    CHECK(call.llm[0]->requests.back().messages.back().content == "[keyed in: 52]");
    call.hear();
    call.press('0');
    REQUIRE(call.answered());
    CHECK(call.control.sent.empty());  // Our words first.
    call.hear();
    REQUIRE(call.control.sent.size() == 1);
    CHECK(call.control.sent[0].find("<Dial><Number>+97231112222</Number></Dial>") != std::string::npos);
}

TEST_CASE("call: a transfer that fails is told, and the call goes on") {
    for (const bool hangs_too : {false, true}) {
        FakeCall call({.transfer_number = "+97231112222"});
        call.control.problem = "21220: not in progress";
        call.control.hangs = hangs_too;
        greet(call);
        call.press('0');
        REQUIRE(call.answered());
        call.hear();
        call.owed = 1;
        REQUIRE(call.answered(20s));
        CHECK(call.says("Nobody is free"));
        CHECK(call.logged("event=transfer_failed"));
        call.stt[0]->plans.queue = {heard("then later")};
        call.llm[0]->plans.queue = {thinks("As you like.")};
        call.utter();
        CHECK(call.answered());
        CHECK(call.says("As you like."));
    }
}

TEST_CASE("call: tools are run, their results told to the model, the facts stored") {
    FakeCall call;
    greet(call);
    call.stt[0]->plans.queue = {heard("save it please")};
    call.llm[0]->plans.queue = {calls_tool("save_lead", R"({"name":"Dana","budget":2000000,"area":"Haifa"})"),
                                calls_tool("book_meeting", R"({"starts_at":"2025-11-23T10:30","name":"Dana"})"),
                                thinks("Done, see you on Sunday.")};
    call.utter();
    REQUIRE(call.answered());
    CHECK(call.says("see you on Sunday"));
    const auto leads = facts<LeadFact>(call);
    REQUIRE_FALSE(leads.empty());
    CHECK(leads[0].name == "Dana");
    CHECK(leads[0].phone == "+972501234567");
    const auto meetings = facts<AppointmentFact>(call);
    REQUIRE(meetings.size() == 1);
    CHECK(meetings[0].starts_at == 1'763'886'600'000);  // 08:30 UTC
    CHECK(meetings[0].ends_at - meetings[0].starts_at == 3'600'000);
    const auto& last = call.llm[0]->requests.back().messages;
    CHECK(last.back().role == ChatMessage::Role::tool);
    CHECK(last.back().tool_call_id == "call_1");
}

TEST_CASE("call: an unknown tool and wrong arguments are answered politely to the model") {
    FakeCall call;
    greet(call);
    call.stt[0]->plans.queue = {heard("do magic")};
    call.llm[0]->plans.queue = {calls_tool("cast_spell", "{}"), calls_tool("save_lead", "[1"),
                                thinks("I cannot do that.")};
    call.utter();
    REQUIRE(call.answered());
    CHECK(call.says("I cannot do that."));
    const auto& messages = call.llm[0]->requests.back().messages;
    CHECK(messages[messages.size() - 3].content.find("there is no tool cast_spell; there are: save_lead") !=
          std::string::npos);
    CHECK(messages.back().content.find("not a JSON object") != std::string::npos);
}

TEST_CASE("call: a model that only calls tools is stopped, and something is said") {
    FakeCall call;
    greet(call);
    call.stt[0]->plans.queue = {heard("do magic")};
    call.llm[0]->plans.queue = {calls_tool("cast_spell", "{}")};
    call.utter();
    REQUIRE(call.answered());
    CHECK(call.spoke_at_done);
    CHECK(call.llm[0]->requests.size() == CallAgent::tool_rounds_max + 1);
}

TEST_CASE("call: hang_up of the model says goodbye first") {
    FakeCall call;
    greet(call);
    call.stt[0]->plans.queue = {heard("that is all")};
    call.llm[0]->plans.queue = {calls_tool("hang_up", R"({"reason":"done"})")};
    call.utter();
    REQUIRE(call.answered());
    CHECK(call.says("Goodbye"));
    CHECK(call.hung_up == "done");
}

TEST_CASE("call: the caller's goodbye ends the call after the answer, in a story it does not") {
    FakeCall call;
    greet(call);
    call.stt[0]->plans.queue = {heard("he said goodbye to his old flat in June")};
    call.llm[0]->plans.queue = {thinks("I see."), thinks("Have a good day!")};
    call.utter();
    REQUIRE(call.answered());
    CHECK(call.hung_up.empty());
    call.hear();
    call.stt[0]->plans.queue = {heard("okay, bye bye")};
    call.utter();
    REQUIRE(call.answered());
    CHECK(call.hung_up == "goodbye");
    CHECK(call.says("Have a good day!"));
}

TEST_CASE("call: an interruption cuts the history to what was heard") {
    FakeCall call;
    greet(call);
    call.stt[0]->plans.queue = {heard("tell me"), heard("wait")};
    call.llm[0]->plans.queue = {thinks("One two three four. Five six seven eight. Nine ten."), thinks("Yes?")};
    call.utter();
    REQUIRE(call.answered());
    // The fake voice takes 10 ms a byte: the second sentence has 21 bytes.
    call.begin_utterance();
    call.interrupt(1, 105);
    call.end_utterance();
    REQUIRE(call.answered());
    const auto& messages = call.llm[0]->requests.back().messages;
    REQUIRE(messages.size() >= 3);
    CHECK(messages[messages.size() - 2].content == "One two three four. Five six");
    CHECK(messages.back().content == "wait");
    CHECK(call.metrics.interrupted == 1);
}

TEST_CASE("call: words before an answer came are one question with the next words") {
    FakeCall call;
    greet(call);
    call.stt[0]->plans.queue = {heard("a flat"), heard("in Haifa")};
    call.llm[0]->plans.queue = {{{.kind = Step::Kind::text, .text = "Where? ", .after = 2s}},
                                thinks("In Haifa, good.")};
    call.utter();
    call.run(500ms);
    call.utter();
    REQUIRE(call.answered());
    CHECK(call.said_text() == "In Haifa, good.");
    CHECK(call.llm[0]->requests.back().messages.back().content == "a flat in Haifa");
    CHECK(call.ledger.running == 0);
}

TEST_CASE("call: two utterances that are recognised together are one question") {
    FakeCall call;
    greet(call);
    call.stt[0]->plans.queue = {heard("a flat", 900ms), heard("in Haifa", 100ms)};
    call.llm[0]->plans.queue = {thinks("In Haifa, good.")};
    call.utter();
    call.run(300ms);
    call.utter();
    REQUIRE(call.answered());
    CHECK(call.llm[0]->requests.size() == 1);
    CHECK(call.llm[0]->requests.back().messages.back().content == "a flat in Haifa");
}

TEST_CASE("call: noise during thinking does not lose the answer") {
    FakeCall call;
    greet(call);
    call.stt[0]->plans.queue = {heard("a flat"), heard("")};
    call.llm[0]->plans.queue = {thinks("Which city is it?", 1500ms)};
    call.utter();
    call.run(300ms);
    call.utter(200ms);
    REQUIRE(call.answered());
    CHECK(call.said_text() == "Which city is it?");
    CHECK(call.said[0].turn == 2);
    CHECK(call.llm[0]->requests.size() == 1);
}

TEST_CASE("call: the same words again before the answer are the same question, after it a new one") {
    FakeCall call;
    greet(call);
    call.stt[0]->plans.queue = {heard("are you there"), heard("Are you there?"), heard("are you there")};
    call.llm[0]->plans.queue = {thinks("Yes, I am.", 1500ms), thinks("Still here.")};
    call.utter();
    call.run(300ms);
    call.utter();
    REQUIRE(call.answered());
    CHECK(call.llm[0]->requests.size() == 1);
    CHECK(call.said_text() == "Yes, I am.");
    call.hear();
    call.utter();
    REQUIRE(call.answered());
    CHECK(call.says("Still here."));
}

TEST_CASE("call: our own voice coming back is not taken for the caller's") {
    FakeCall call;
    greet(call);
    call.stt[0]->plans.queue = {heard("tell me"), heard("five lovely flats near the sea")};
    call.llm[0]->plans.queue = {thinks("I have five lovely flats near the sea.")};
    call.utter();
    REQUIRE(call.answered());
    call.hear();
    call.utter();
    REQUIRE(call.answered());
    CHECK(call.llm[0]->requests.size() == 1);
    CHECK(call.says("Could you say it again?"));
}

TEST_CASE("call: nothing recognised is asked again, never told to the model") {
    FakeCall call;
    greet(call);
    call.stt[0]->plans.queue = {heard("")};
    call.utter();
    REQUIRE(call.answered());
    CHECK(call.says("Could you say it again?"));
    CHECK(call.llm[0]->requests.empty());
}

TEST_CASE("call: silence is asked into twice, then the call ends") {
    FakeCall call;
    greet(call);
    for (const char* expected : {"Are you still there?", "I cannot hear you", "Goodbye"}) {
        CHECK(call.hung_up.empty());
        call.silence();
        REQUIRE(call.answered());
        CHECK(call.says(expected));
        call.hear();
    }
    CHECK(call.hung_up == "silence");
}

TEST_CASE("call: the longest time ends with a farewell, whatever is going on") {
    FakeCall call;
    greet(call);
    call.stt[0]->plans.queue = {heard("tell me a story")};
    call.llm[0]->plans.queue = {
        {{.kind = Step::Kind::forever, .text = "and then he went on and on. ", .after = 100ms}}};
    call.utter();
    call.run(400ms);
    call.forget_said();
    call.time_up();
    REQUIRE(call.answered());
    CHECK(call.says("Our time is up."));
    CHECK(call.hung_up == "time_up");
    CHECK(call.ledger.running == 0);
}

TEST_CASE("call: the thinking hint is said once, the answer follows") {
    FakeCall call;
    greet(call);
    call.stt[0]->plans.queue = {heard("tell me")};
    call.llm[0]->plans.queue = {thinks("Here it is.", 2s)};
    call.utter();
    call.run(800ms);
    call.send(ToAgent::thinking_hint, 1, 0);
    REQUIRE(call.answered());
    CHECK(call.said_text() == "One moment, I am checking. Here it is.");
    CHECK(call.said[1].sentence == 1);
    CHECK(call.thinking >= 1);
}

TEST_CASE("call: the model starts on the partial text and is heard when it was right") {
    for (const bool right : {true, false}) {
        FakeCall call;
        greet(call);
        call.stt[0]->plans.queue = {
            {{.kind = Step::Kind::text, .text = "a flat in Haifa", .after = 50ms},
             {.kind = Step::Kind::done, .text = right ? "A flat, in Haifa!" : "a flat in Yaffo", .after = 600ms}}};
        call.llm[0]->plans.queue = {thinks("Good.", 300ms)};
        call.utter();
        REQUIRE(call.answered());
        CHECK(call.said_text() == "Good.");
        CHECK(call.llm[0]->requests.size() == (right ? 1 : 2));
        CHECK(call.llm[0]->requests.back().messages.back().content == (right ? "a flat in Haifa" : "a flat in Yaffo"));
        CHECK(call.agent->history().items().size() == 3);
        CHECK(call.ledger.running == 0);
    }
}

TEST_CASE("call: a full queue loses nothing") {
    FakeCall call;
    greet(call);
    call.stt[0]->plans.queue = {heard("tell me")};
    call.llm[0]->plans.queue = {thinks("One two three. Four five six. Seven eight nine.")};
    call.refuse = 500;
    call.utter();
    REQUIRE(call.answered());
    CHECK(call.said_text() == "One two three. Four five six. Seven eight nine.");
}

TEST_CASE("call: a breath is taken before an answer that comes too soon") {
    FakeCall call;
    call.services().settings.resp_min = call.services().settings.resp_max = 900ms;
    greet(call);
    call.tts[0]->first_audio = 0ms;
    call.stt[0]->plans.queue = {heard("hello", 0ms)};
    call.llm[0]->plans.queue = {thinks("Hi there.", 0ms)};
    call.utter();
    REQUIRE(call.answered());
    CHECK(call.logged("sent_ms=900"));
}
