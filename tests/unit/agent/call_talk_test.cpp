// A call in VOICE_MODE=realtime: one service hears and speaks, and when it fails the call goes on without it.
#include <doctest/doctest.h>

#include <algorithm>

#include "call_fixture.hpp"
#include "worker/agent/thinking.hpp"

using namespace agentlocator;
using namespace agentlocator::test;
using namespace std::chrono_literals;

namespace {

void greet(FakeCall& call) {
    call.start();
    REQUIRE(call.answered());
    CHECK(call.says("Hello, this is Leah."));
    call.hear();
    call.forget_said();
    call.realtime->asked.clear();
}

bool asked(const FakeCall& call, std::string_view what) {
    return std::find(call.realtime->asked.begin(), call.realtime->asked.end(), what) != call.realtime->asked.end();
}

Plan answers(std::string words, Duration after = 300ms) {
    return {{.kind = Step::Kind::audio, .text = std::string(words.size() * 80, 'r'), .after = after},
            {.kind = Step::Kind::text, .text = std::move(words)},
            {.kind = Step::Kind::done}};
}

// Some sound and words, then the session is gone.
Plan dies_after(std::string words) {
    return {{.kind = Step::Kind::audio, .text = std::string(words.size() * 80, 'r'), .after = 300ms},
            {.kind = Step::Kind::text, .text = std::move(words)},
            {.kind = Step::Kind::fail, .after = 50ms, .error_class = ProviderErrorClass::network}};
}

// The newest session is, and will be ended after so many seconds.
void session_ready(FakeCall& call, std::int64_t seconds) {
    call.realtime->current->ready(call.unix_ms() / 1000 + seconds);
    call.work();
}

std::vector<ChatMessage> spoken(const RealtimeConfig& config) {
    std::vector<ChatMessage> out;
    for (const ChatMessage& message : config.history) {
        if (message.role == ChatMessage::Role::user || message.role == ChatMessage::Role::assistant) {
            out.push_back(message);
        }
    }
    return out;
}

}  // namespace

TEST_CASE("talk: greets word for word, hears the caller's sound, answers; what was said is noted when it is known") {
    FakeCall call({.realtime = true});
    greet(call);
    CHECK(call.agent->talks());
    CHECK(call.realtime->configs[0].tools.size() >= 3);
    CHECK(call.realtime->configs[0].instructions.find("Leah") != std::string::npos);
    call.realtime->plans.queue = {answers("Which city?")};
    call.utter();
    REQUIRE(call.answered());
    CHECK(asked(call, "turn 1 of 8000"));
    CHECK(call.said_text() == "Which city?");
    CHECK(call.stt[0]->bytes == 0);  // Nobody else was asked.
    CHECK(call.llm[0]->requests.empty());
    CHECK(call.tts[0]->texts.empty());
    call.realtime->current->write_down(1, "A flat, please.");
    call.work();
    const auto& items = call.agent->history().items();
    REQUIRE(items.size() == 3);
    CHECK(items[1].text == "A flat, please.");  // In front of the answer that came before it was written down.
    CHECK(items[2].text == "Which city?");
    CHECK(call.service_us == std::vector<std::int64_t>{300'000});
    CHECK(call.logged(
        "event=turn_answered call=CA1 turn=1 end_of_turn_ms=500 stt_ms=0 llm_ms=800 tts_ms=800 sent_ms=800"));
    call.end();
}

TEST_CASE("talk: an interruption cancels what is being made and takes back what was not heard") {
    FakeCall call({.realtime = true});
    greet(call);
    call.realtime->plans.queue = {answers("One two three four five six."), answers("Yes?")};
    call.utter();
    REQUIRE(call.answered());
    call.begin_utterance();
    call.interrupt(0, 110);
    CHECK_FALSE(asked(call, "cancel"));  // The answer was all there; it was only not heard.
    CHECK(asked(call, "truncate item2 110"));
    CHECK(call.agent->history().items().back().text == "One two");
    call.end_utterance();
    REQUIRE(call.answered());
    CHECK(call.says("Yes?"));
    call.end();
}

TEST_CASE("talk: an interruption in the middle of an answer: nothing of it comes out any more") {
    FakeCall call({.realtime = true});
    greet(call);
    call.realtime->plans.queue = {{{.kind = Step::Kind::audio, .text = std::string(1600, 'r'), .after = 300ms},
                                   {.kind = Step::Kind::text, .text = "One"},
                                   {.kind = Step::Kind::audio, .text = std::string(1600, 'r'), .after = 300ms},
                                   {.kind = Step::Kind::done}},
                                  answers("Yes?")};
    call.utter();
    call.run(400ms);
    call.begin_utterance();
    call.interrupt(0, 100);
    CHECK(asked(call, "cancel"));
    const auto& asks = call.realtime->asked;
    CHECK(std::find(asks.begin(), asks.end(), "cancel") < std::find(asks.begin(), asks.end(), "truncate item2 100"));
    call.end_utterance();
    REQUIRE(call.answered());
    CHECK(call.said_text() == "Yes?");
    call.end();
}

TEST_CASE("talk: a noise is forgotten over there, too") {
    FakeCall call({.realtime = true});
    greet(call);
    call.begin_utterance();
    call.send(ToAgent::audio, call.turn(), 0, 0, std::string(800, '\x70'));
    call.drop_utterance();
    CHECK(asked(call, "drop"));
    call.utter();
    REQUIRE(call.answered());
    CHECK(asked(call, "turn 1 of 8000"));
}

TEST_CASE("talk: tools are the same tools; all results go back before more is asked for") {
    FakeCall call({.realtime = true});
    greet(call);
    Plan two = calls_tool("save_lead", R"({"intent":"buy","name":"Dana"})");
    two.insert(two.begin() + 1, {.kind = Step::Kind::tool, .tool = {.id = "call_2", .name = "fly", .arguments = "{}"}});
    call.realtime->plans.queue = {two, answers("Noted.")};
    call.utter();
    REQUIRE(call.answered());
    CHECK(call.says("Noted."));
    CHECK(call.agent->slots().at("name") == "Dana");
    const auto& asks = call.realtime->asked;
    REQUIRE(asks.size() == 4);
    CHECK(asks[1].starts_with(R"(result call_1 {"ok":true)"));
    CHECK(asks[2].starts_with("result call_2 {"));
    CHECK(asks[2].find(R"("ok":false)") != std::string::npos);
    CHECK(asks[3] == "go on");
    CHECK(std::any_of(call.records.facts().begin(), call.records.facts().end(),
                      [](const Fact& fact) { return std::holds_alternative<LeadFact>(fact); }));
}

TEST_CASE("talk: hanging up by a tool says goodbye first") {
    FakeCall call({.realtime = true});
    greet(call);
    call.realtime->plans.queue = {calls_tool("hang_up", R"({"reason":"done"})"), {}};
    call.utter();
    REQUIRE(call.answered());
    CHECK(call.says("Thank you for calling. Goodbye."));
    CHECK_FALSE(call.hung_up.empty());
}

TEST_CASE("talk: a model in a loop of tools is stopped") {
    FakeCall call({.realtime = true});
    greet(call);
    call.realtime->plans.queue.clear();
    for (int i = 0; i <= CallAgent::tool_rounds_max; ++i) {
        call.realtime->plans.queue.push_back(calls_tool("fly", "{}"));
    }
    call.realtime->plans.queue.push_back({});
    call.utter();
    REQUIRE(call.answered());
    CHECK(call.says("Could you say it again?"));
    CHECK(call.logged("event=tools_stopped"));
}

TEST_CASE("talk: digits are told as words, silence is asked into, the time is up with a farewell") {
    FakeCall call({.realtime = true});
    greet(call);
    for (const char key : std::string("42#")) {
        call.press(key);
    }
    REQUIRE(call.answered());
    CHECK(asked(call, "hear [keyed in: 42]"));
    call.hear();
    call.silence();
    REQUIRE(call.answered());
    CHECK(asked(call, "say Are you still there?"));
    call.hear();
    call.time_up();
    REQUIRE(call.answered());
    CHECK(call.says("Our time is up."));
    CHECK(call.hung_up == "time_up");
}

TEST_CASE("talk: a service that cannot be reached: the cascade greets, and the next call does not wait for it") {
    FakeCall call({.realtime = true});
    call.realtime->refuses = true;
    call.start();
    REQUIRE(call.answered());
    CHECK(call.says("Hello, this is Leah."));
    CHECK_FALSE(call.agent->talks());
    CHECK(call.agent->uses_model());
    CHECK(call.realtime->configs.size() == 2);  // Once more, and then no longer at the caller's expense.
    CHECK(call.logged("event=provider_failed provider=talker operation=converse class=network"));
    CHECK(call.logged("event=realtime_left call=CA1"));
    call.end();
}

TEST_CASE("talk: a session that dies before it answered: the next one gets the utterance") {
    FakeCall call({.realtime = true});
    greet(call);
    call.realtime->plans.queue = {fails(ProviderErrorClass::network, 100ms), answers("Which city?")};
    call.utter();
    REQUIRE(call.answered());
    CHECK(call.realtime->configs.size() == 2);
    CHECK(std::count(call.realtime->asked.begin(), call.realtime->asked.end(), "turn 1 of 8000") == 2);
    CHECK(call.said_text() == "Which city?");
    CHECK(spoken(call.realtime->configs[1]).at(0).content == "Hello, this is Leah. How can I help?");
    CHECK(call.agent->talks());
    call.end();
}

TEST_CASE("talk: sessions that die again: the recogniser hears the utterance, the model knows what was said") {
    FakeCall call({.realtime = true});
    greet(call);
    call.realtime->plans.queue = {fails(ProviderErrorClass::network, 100ms)};
    call.stt[0]->plans.queue = {heard("a flat in Haifa")};
    call.llm[0]->plans.queue = {thinks("How many rooms?")};
    call.utter();
    REQUIRE(call.answered());
    CHECK(call.stt[0]->bytes == 8000);
    CHECK(call.said_text() == "How many rooms?");
    const auto& messages = call.llm[0]->requests.back().messages;
    CHECK(messages[1].content == "Hello, this is Leah. How can I help?");
    CHECK(messages.back().content == "a flat in Haifa");
    CHECK(call.agent->uses_model());
    call.hear();
    call.forget_said();
    call.stt[0]->plans.queue = {heard("three")};
    call.llm[0]->plans.queue = {thinks("Good.")};
    call.utter();
    REQUIRE(call.answered());
    CHECK(call.said_text() == "Good.");
    call.end();
}

TEST_CASE("talk: a session that dies in the middle of its answer: what broke off goes on") {
    SUBCASE("in a new session") {
        FakeCall call({.realtime = true});
        greet(call);
        call.realtime->plans.queue = {dies_after("There is a flat"), answers("in Haifa.")};
        call.utter();
        REQUIRE(call.answered());
        CHECK(call.said_text() == "There is a flat in Haifa.");
        CHECK(asked(call, "go on: " + std::string(continue_prompt)));
        CHECK(spoken(call.realtime->configs[1]).back().content.ends_with("There is a flat"));
        call.end();
    }
    SUBCASE("by model and voice, when the key is no longer taken") {
        FakeCall call({.realtime = true});
        greet(call);
        Plan plan = dies_after("There is a flat");
        plan.back().error_class = ProviderErrorClass::auth;
        call.realtime->plans.queue = {plan};
        call.llm[0]->plans.queue = {thinks("in Haifa.")};
        call.utter();
        REQUIRE(call.answered());
        CHECK(call.said_text() == "There is a flat in Haifa.");
        CHECK(call.realtime->configs.size() == 1);
        CHECK(call.llm[0]->requests.back().messages.back().content == continue_prompt);
        call.end();
    }
    SUBCASE("by the script, without a model") {
        FakeCall call({.model = false, .realtime = true});
        greet(call);
        Plan plan = dies_after("There is a flat");
        plan.back().error_class = ProviderErrorClass::auth;
        call.realtime->plans.queue = {plan};
        call.utter();
        REQUIRE(call.answered());
        CHECK(call.said.size() >= 2);
        CHECK(call.logged("the script goes on with the call"));
        call.end();
    }
}

TEST_CASE("talk: a greeting that breaks off is said to its end") {
    FakeCall call({.realtime = true});
    call.realtime->plans.queue = {{{.kind = Step::Kind::audio, .text = std::string(8000, 'r'), .after = 300ms},
                                   {.kind = Step::Kind::fail, .error_class = ProviderErrorClass::auth}}};
    call.start();
    REQUIRE(call.answered());
    REQUIRE(call.said.size() == 2);
    CHECK(call.said[1].text.ends_with("How can I help?"));
    CHECK(call.said[1].text.size() < std::string("Hello, this is Leah. How can I help?").size());
    call.end();
}

TEST_CASE("talk: an answer that does not come, stops, or has no sound is a failure") {
    const Plan plans[] = {hangs(),
                          {{.kind = Step::Kind::audio, .text = std::string(800, 'r')}, {.kind = Step::Kind::hang}},
                          {{.kind = Step::Kind::done, .after = 100ms}}};
    for (const Plan& plan : plans) {
        FakeCall call({.realtime = true});
        greet(call);
        call.realtime->plans.queue = {plan};
        call.stt[0]->plans.queue = {heard("a flat")};
        call.llm[0]->plans.queue = {thinks("Which city?")};
        call.utter();
        REQUIRE(call.answered(15s));
        CHECK(call.says("Which city?"));
        CHECK(call.logged("event=realtime_left"));
        CHECK(call.logged("remedy="));
        call.end();
    }
}

TEST_CASE("talk: a take-over opens a session that knows what was said") {
    SUBCASE("while the caller listens") {
        FakeCall call({.realtime = true});
        greet(call);
        call.take_over(true, false);
        CHECK(call.agent->talks());
        CHECK(spoken(call.realtime->configs.back()).back().content == "Hello, this is Leah. How can I help?");
        call.utter();
        REQUIRE(call.answered());
        CHECK(call.said_text() == "Well.");
    }
    SUBCASE("before the answer came: the utterance is told again") {
        FakeCall call({.realtime = true});
        greet(call);
        call.utter();
        call.take_over(false, true);
        REQUIRE(call.answered());
        CHECK(call.said_text() == "Well.");
        CHECK(std::count(call.realtime->asked.begin(), call.realtime->asked.end(), "turn 1 of 8000") == 2);
    }
    SUBCASE("in the middle of the answer: it goes on behind what is there") {
        FakeCall call({.realtime = true});
        greet(call);
        call.realtime->plans.queue = {{{.kind = Step::Kind::text, .text = "There is a flat"},
                                       {.kind = Step::Kind::audio, .text = std::string(8000, 'r'), .after = 300ms},
                                       {.kind = Step::Kind::hang}},
                                      answers("in Haifa.")};
        call.utter();
        call.run(500ms);
        CHECK(call.said.empty());  // Its end has not come.
        call.take_over(false, true);
        REQUIRE(call.answered());
        CHECK(call.said_text() == "There is a flat in Haifa.");
        CHECK(asked(call, "go on: " + std::string(continue_prompt)));
        CHECK(std::count(call.realtime->asked.begin(), call.realtime->asked.end(), "turn 1 of 8000") == 1);
    }
    SUBCASE("in the middle of the greeting") {
        FakeCall call({.realtime = true});
        call.realtime->delay = 1s;
        call.start();
        call.run(500ms);
        call.take_over(false, false);
        REQUIRE(call.answered());
        CHECK(call.said_text() == "Hello, this is Leah. How can I help?");
    }
}

TEST_CASE("talk: a session whose time is nearly over is renewed in a pause, and the next one knows what was said") {
    FakeCall call({.realtime = true});
    greet(call);
    session_ready(call, 600);
    call.run(499s);
    CHECK(call.realtime->configs.size() == 1);
    call.run(2s);
    REQUIRE(call.realtime->configs.size() == 2);
    CHECK(spoken(call.realtime->configs[1]).at(0).content == "Hello, this is Leah. How can I help?");
    CHECK_FALSE(call.logged("event=realtime_renewed"));  // It is not ready: the old one goes on.
    call.realtime->current->ready(0);
    call.work();
    CHECK(call.logged("event=realtime_renewed call=CA1"));
    call.utter();
    REQUIRE(call.answered());
    CHECK(call.said_text() == "Well.");
    CHECK(call.agent->history().items().size() == 2);
    call.hear();
    call.run(49min);  // It did not tell its end.
    CHECK(call.realtime->configs.size() == 2);
    call.run(2min);
    CHECK(call.realtime->configs.size() == 3);
    CHECK_FALSE(call.logged("event=provider_failed"));
    call.end();
}

TEST_CASE("talk: a session is not renewed while anybody speaks or is owed an answer") {
    FakeCall call({.realtime = true});
    greet(call);
    session_ready(call, 60);
    call.run(49s);
    call.begin_utterance();
    call.run(5s);
    CHECK(call.realtime->configs.size() == 1);
    call.end_utterance();
    REQUIRE(call.answered());
    call.run(5s);
    CHECK(call.realtime->configs.size() == 1);  // The caller has not heard it yet.
    call.hear();
    call.run(2s);
    REQUIRE(call.realtime->configs.size() == 2);
    CHECK(spoken(call.realtime->configs[1]).back().content.ends_with(" Well."));
    call.forget_said();
    call.begin_utterance();  // Before it is ready: it would miss this.
    call.run(2s);
    call.end_utterance();
    REQUIRE(call.answered());
    CHECK(call.said_text() == "Well.");
    CHECK_FALSE(call.logged("event=realtime_renewed"));
    call.hear();
    call.run(2s);
    CHECK(call.realtime->configs.size() == 3);
    call.end();
}

TEST_CASE("talk: when the next session cannot be had, the call stays in the old one and tries again") {
    FakeCall call({.realtime = true});
    greet(call);
    session_ready(call, 60);
    call.realtime->refuses = true;
    call.run(51s);
    CHECK(call.realtime->configs.size() == 2);
    CHECK(call.logged("event=provider_failed provider=talker operation=converse class=network"));
    call.utter();
    REQUIRE(call.answered());
    CHECK(call.said_text() == "Well.");
    CHECK(call.agent->talks());
    call.hear();
    call.run(CallAgent::renewal_again);
    CHECK(call.realtime->configs.size() == 3);
    CHECK(call.agent->talks());
    call.end();
}

TEST_CASE("talk: an end that cannot be is not believed: a clock is wrong") {
    const auto limit = [](Duration told) { return std::chrono::duration_cast<std::chrono::seconds>(told).count(); };
    for (const std::int64_t told :
         {limit(-1h), limit(CallAgent::session_time_min) - 1, limit(CallAgent::session_time) + 1}) {
        FakeCall call({.realtime = true});
        greet(call);
        session_ready(call, told);
        call.run(49min);
        CHECK(call.realtime->configs.size() == 1);
        call.run(2min);
        CHECK(call.realtime->configs.size() > 1);
        call.end();
    }
    FakeCall call({.realtime = true});
    greet(call);
    session_ready(call, limit(CallAgent::session_time_min));
    call.run(CallAgent::session_time_min);
    CHECK(call.realtime->configs.size() == 2);
    call.end();
}

TEST_CASE("talk: an item that never ends is said for a minute") {
    FakeCall call({.realtime = true});
    greet(call);
    Plan endless;
    for (int i = 0; i < 70; ++i) {
        endless.push_back({.kind = Step::Kind::audio, .text = std::string(8000, 'r'), .after = 10ms});
    }
    endless.push_back({.kind = Step::Kind::text, .text = "On and on."});
    endless.push_back({.kind = Step::Kind::done});
    call.realtime->plans.queue = {endless};
    call.utter();
    REQUIRE(call.answered());
    REQUIRE(call.said.size() == 1);
    CHECK(call.said[0].bytes == Talking::sentence_bytes_max);
}
