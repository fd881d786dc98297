// Every service fails in every way: the caller always hears something, once, and the call goes on.
#include <doctest/doctest.h>

#include <random>

#include "call_fixture.hpp"
#include "worker/agent/recorded_speech.hpp"

using namespace agentlocator;
using namespace agentlocator::test;
using namespace std::chrono_literals;

namespace {

using enum ProviderErrorClass;

void greet(FakeCall& call) {
    call.start();
    REQUIRE(call.answered());
    call.hear();
    call.forget_said();
}

// One turn of a healthy call, as proof that it goes on.
void goes_on(FakeCall& call) {
    call.hear();
    call.forget_said();
    for (auto* stt : call.stt) {
        stt->plans.queue = {heard("yes")};
    }
    for (auto* llm : call.llm) {
        llm->plans.queue = {thinks("All is well.")};
    }
    for (auto* tts : call.tts) {
        tts->plans.queue.clear();
    }
    call.run(11min);  // Breakers close again.
    call.utter();
    REQUIRE(call.answered());
    CHECK_FALSE(call.said.empty());
    CHECK(call.ledger.running == 0);
}

struct Fault {
    const char* name;
    Plan plan;
};
const Fault faults[] = {{"refused", fails(network)},
                        {"401", fails(auth)},
                        {"403 quota", fails(quota)},
                        {"400", fails(bad_request)},
                        {"429", fails(rate_limited, 50ms)},
                        {"429 Retry-After short", fails(rate_limited, 50ms, 300ms)},
                        {"429 Retry-After long", fails(rate_limited, 50ms, 30s)},
                        {"500", fails(server, 100ms)},
                        {"garbage", fails(protocol, 100ms)},
                        {"filtered", fails(content_filter, 100ms)},
                        {"session over", fails(lifetime, 100ms)},
                        {"hangs", hangs()}};

}  // namespace

TEST_CASE("fault: a recogniser that fails is replaced by the next, with the utterance's audio") {
    for (const Fault& fault : faults) {
        CAPTURE(fault.name);
        FakeCall call;
        greet(call);
        call.stt[0]->plans.queue = {fault.plan};
        call.stt[1]->plans.queue = {heard("a flat")};
        call.llm[0]->plans.queue = {thinks("Which city?")};
        call.utter();
        REQUIRE(call.answered(7s));
        const bool content = fault.plan[0].error_class == content_filter && fault.plan[0].kind == Step::Kind::fail;
        CHECK(call.says(content ? "small problem" : "Which city?"));
        if (!content) {
            CHECK(call.stt[1]->bytes == 8000);
        }
        CHECK(call.logged("event=provider_failed provider=first operation=transcribe"));
        goes_on(call);
    }
}

TEST_CASE("fault: all recognisers fail: an apology within the budget, and the call goes on") {
    for (const Fault& fault : faults) {
        CAPTURE(fault.name);
        FakeCall call;
        greet(call);
        call.stt[0]->plans.queue = {fault.plan};
        call.stt[1]->plans.queue = {fault.plan};
        call.utter();
        REQUIRE(call.answered(CallAgent::turn_budget + 1s));
        CHECK(call.says("There is a small problem") == false);
        CHECK(call.says("Sorry, there is a small problem."));
        goes_on(call);
    }
}

TEST_CASE("fault: a model that fails before it spoke is replaced, its cause told once with a remedy") {
    for (const Fault& fault : faults) {
        CAPTURE(fault.name);
        FakeCall call;
        greet(call);
        call.stt[0]->plans.queue = {heard("a flat")};
        call.llm[0]->plans.queue = {fault.plan};
        call.llm[1]->plans.queue = {thinks("Which city?")};
        call.utter();
        REQUIRE(call.answered(7s));
        const bool content = fault.plan[0].error_class == content_filter && fault.plan[0].kind == Step::Kind::fail;
        CHECK(call.says(content ? "small problem" : "Which city?"));
        CHECK(call.logged("event=provider_failed provider=first operation=chat"));
        CHECK(call.logged("remedy="));
        goes_on(call);
    }
}

TEST_CASE("fault: all models fail: an apology, and the second time the script takes the lead") {
    FakeCall call;
    greet(call);
    call.stt[0]->plans.queue = {heard("a flat"), heard("hello"), heard("buy")};
    call.llm[0]->plans.queue = {calls_tool("save_lead", R"({"intent":"buy"})"), fails(network)};
    call.llm[1]->plans.queue = {fails(auth)};
    call.utter();
    REQUIRE(call.answered(7s));
    CHECK(call.says("Sorry, there is a small problem."));
    CHECK(call.agent->uses_model());
    call.hear();
    call.utter();
    REQUIRE(call.answered(7s));
    CHECK(call.says("let me take your details"));
    CHECK(call.says("Is it a flat"));  // What the model learnt is not asked again.
    CHECK_FALSE(call.agent->uses_model());
    CHECK(call.logged("event=script_goes_on"));
}

TEST_CASE("fault: everything refuses: the recorded apology within three seconds") {
    FakeCall call;
    for (auto* tts : call.tts) {
        tts->plans.queue = {fails(network)};
    }
    call.start();
    REQUIRE(call.answered(3s));
    call.hear();
    call.forget_said();
    for (auto* stt : call.stt) {
        stt->plans.queue = {fails(network)};
    }
    for (auto* llm : call.llm) {
        llm->plans.queue = {fails(network)};
    }
    for (int turn = 0; turn < 5; ++turn) {
        call.utter();
        REQUIRE(call.answered(3s));
        REQUIRE_FALSE(call.said.empty());
        CHECK(call.said.back().text == recorded_speech(Recorded::sorry, Language::english).text);
        CHECK(call.said.back().bytes == recorded_speech(Recorded::sorry, Language::english).mulaw.size());
        call.hear();
    }
}

TEST_CASE("fault: without any voice the caller is greeted and told that we call back, and the log says why, once") {
    FakeCall call;
    for (auto* tts : call.tts) {
        tts->mute = true;
    }
    call.start();
    REQUIRE(call.answered(3s));
    CHECK(call.said_text() == recorded_speech(Recorded::greeting, Language::english).text);
    for (int turn = 0; turn < 3; ++turn) {
        call.hear();
        call.forget_said();
        call.utter();
        REQUIRE(call.answered());
        CHECK(call.said_text() == recorded_speech(Recorded::noted, Language::english).text);
    }
    CHECK(call.logged("event=provider_failed provider=none operation=speak"));
    CHECK(call.logged("there is no voice for en"));
    call.end();
}

TEST_CASE("fault: a model that breaks off in the middle is continued by the next, without repeating") {
    FakeCall call;
    greet(call);
    call.stt[0]->plans.queue = {heard("tell me")};
    call.llm[0]->plans.queue = {{{.kind = Step::Kind::text, .text = "First part is this. Second par", .after = 100ms},
                                 {.kind = Step::Kind::fail, .after = 100ms, .error_class = network}}};
    call.llm[1]->plans.queue = {thinks("Second part is that.")};
    call.utter();
    REQUIRE(call.answered());
    CHECK(call.said_text() == "First part is this. Second part is that.");
    const auto& messages = call.llm[1]->requests.back().messages;
    CHECK(messages[messages.size() - 2].content == "First part is this.");
    CHECK(messages.back().content == continue_prompt);
}

TEST_CASE("fault: a model that hangs in the middle is continued, or what it said is the answer") {
    for (const bool backup : {true, false}) {
        FakeCall call({.backup = backup});
        greet(call);
        call.stt[0]->plans.queue = {heard("tell me")};
        call.llm[0]->plans.queue = {
            {{.kind = Step::Kind::text, .text = "First part is this. ", .after = 100ms}, {.kind = Step::Kind::hang}}};
        if (backup) {
            call.llm[1]->plans.queue = {thinks("The rest.")};
        }
        call.utter();
        REQUIRE(call.answered());
        CHECK(call.said_text() == (backup ? "First part is this. The rest." : "First part is this."));
        CHECK(call.ledger.running == 0);
    }
}

TEST_CASE("fault: a model that does not stop is stopped at a sentence") {
    FakeCall call;
    greet(call);
    call.stt[0]->plans.queue = {heard("tell me")};
    call.llm[0]->plans.queue = {{{.kind = Step::Kind::forever, .text = "And then he went on. ", .after = 100ms}}};
    call.utter();
    REQUIRE(call.answered());
    std::size_t characters = 0;
    for (const auto& sentence : call.said) {
        characters += sentence.text.size();
    }
    CHECK(characters >= call.services().settings.answer_chars_max);
    CHECK(characters < call.services().settings.answer_chars_max + 30);
    CHECK(call.ledger.running == 0);
    goes_on(call);
}

TEST_CASE("fault: an answer without any words is an apology") {
    for (const char* text : {"", "...", " \n", "***"}) {
        FakeCall call;
        greet(call);
        call.stt[0]->plans.queue = {heard("tell me")};
        call.llm[0]->plans.queue = {thinks(text)};
        call.utter();
        REQUIRE(call.answered());
        CHECK(call.says("small problem"));
    }
}

TEST_CASE("fault: a voice that fails is replaced by the next") {
    const Plan silent = {{.kind = Step::Kind::done, .after = 50ms}};
    std::vector<Fault> all(std::begin(faults), std::end(faults));
    all.push_back({"zero length", silent});
    for (const Fault& fault : all) {
        CAPTURE(fault.name);
        FakeCall call;
        greet(call);
        call.stt[0]->plans.queue = {heard("a flat")};
        call.llm[0]->plans.queue = {thinks("Which city?")};
        call.tts[0]->plans.queue = {fault.plan};
        call.utter();
        REQUIRE(call.answered(7s));
        const bool content = fault.plan[0].error_class == content_filter && fault.plan[0].kind == Step::Kind::fail;
        CHECK(call.says(content ? "could you say that again" : "Which city?") != content);
        CHECK(call.spoke_at_done);
        goes_on(call);
    }
}

TEST_CASE("fault: a voice that breaks off: from the start below 300 ms, else from about where it broke") {
    const std::string text = "One two three four five six seven eight nine ten.";
    for (const std::size_t bytes : {Speaking::repeat_below - 8, Speaking::repeat_below + 8, std::size_t{16'000}}) {
        CAPTURE(bytes);
        FakeCall call;
        greet(call);
        call.stt[0]->plans.queue = {heard("count")};
        call.llm[0]->plans.queue = {thinks(text)};
        call.tts[0]->plans.queue = {{{.kind = Step::Kind::audio, .text = std::string(bytes, 'a'), .after = 50ms},
                                     {.kind = Step::Kind::fail, .after = 100ms, .error_class = bad_request}}};
        call.utter();
        REQUIRE(call.answered());
        REQUIRE_FALSE(call.tts[1]->texts.empty());
        const std::string rest = call.tts[1]->texts.back();
        CHECK(text.ends_with(rest));
        CHECK((rest == text) == (bytes < 8000));  // The first word is not sure before.
        CHECK(call.said.size() == 1);
        CHECK(call.said[0].text == text);
    }
}

TEST_CASE("fault: a voice that never ends is cut at a minute") {
    FakeCall call;
    greet(call);
    call.stt[0]->plans.queue = {heard("sing")};
    call.llm[0]->plans.queue = {thinks("La la la.")};
    call.tts[0]->plans.queue = {{{.kind = Step::Kind::forever, .text = std::string(16'000, 'a'), .after = 10ms}}};
    call.utter();
    REQUIRE(call.answered());
    CHECK(call.said.back().bytes <= Speaking::sentence_bytes_max);
    CHECK(call.ledger.running == 0);
}

TEST_CASE("fault: a failing service is left alone after three turns, and asked again later") {
    FakeCall call;
    greet(call);
    call.stt[0]->plans.queue = {heard("hello you")};
    call.llm[0]->plans.queue = {fails(server)};
    call.llm[1]->plans.queue = {thinks("One."), thinks("Two."), thinks("Three."), thinks("Four.")};
    for (int turn = 0; turn < 4; ++turn) {
        call.utter();
        REQUIRE(call.answered());
        call.hear();
    }
    CHECK(call.llm[0]->requests.size() == 3);
    call.run(15s);
    call.llm[0]->plans.queue = {thinks("I am back.")};
    call.utter();
    REQUIRE(call.answered());
    CHECK(call.says("I am back."));
}

TEST_CASE("fault: the same cause is one line a minute, with a count") {
    FaultLines lines;
    ProviderError error;
    error.provider = "openai";
    error.operation = "chat";
    error.error_class = auth;
    error.message = "invalid key";
    error.remedy = "set OPENAI_API_KEY";
    const TimePoint start{1h};
    CHECK(lines.line(error, start) ==
          "event=provider_failed provider=openai operation=chat class=auth cause=\"invalid key\" remedy=\"set "
          "OPENAI_API_KEY\"");
    CHECK(lines.line(error, start + 59s).empty());
    CHECK(lines.line(error, start + 60s).ends_with(" also=1"));
    error.operation = "speak";
    CHECK_FALSE(lines.line(error, start).empty());
}

TEST_CASE("cancel: the end of the call destroys what is in flight, at every moment") {
    for (Duration moment{}; moment < 2500ms; moment += 50ms) {
        CAPTURE(moment / 1ms);
        FakeCall call;
        greet(call);
        call.stt[0]->plans.queue = {{{.kind = Step::Kind::text, .text = "a flat", .after = 100ms},
                                     {.kind = Step::Kind::done, .text = "a flat", .after = 300ms}}};
        call.llm[0]->plans.queue = {calls_tool("save_lead", "{}"), thinks("One two three. Four five six.", 300ms)};
        call.tts[0]->first_audio = 400ms;
        call.utter();
        call.run(moment);
        call.end();
        call.run(1s);
    }
}

TEST_CASE("cancel: a key at every moment is answered, and what was in flight is destroyed") {
    for (Duration moment{}; moment < 2500ms; moment += 50ms) {
        CAPTURE(moment / 1ms);
        FakeCall call({.model = moment % 100ms == 0ms});
        greet(call);
        call.stt[0]->plans.queue = {heard("buy", 300ms)};
        call.llm[0]->plans.queue = {thinks("One two three. Four five six.", 300ms)};
        call.utter();
        call.run(moment);
        call.press('1');
        REQUIRE(call.answered());
        CHECK(call.ledger.running == 0);
    }
}

TEST_CASE("take-over: at every moment of a turn the new agent answers it once, from the next sentence on") {
    for (const bool model : {true, false}) {
        for (Duration moment{}; moment < 2500ms; moment += 50ms) {
            CAPTURE(model);
            CAPTURE(moment / 1ms);
            FakeCall call({.model = model});
            greet(call);
            call.stt[0]->plans.queue = {heard("buy", 300ms), heard("buy", 300ms)};
            call.llm[0]->plans.queue = {thinks("One two three. Four five six. Seven eight.", 300ms)};
            call.tts[0]->first_audio = 300ms;
            call.utter();
            call.run(moment);
            const bool done = call.owed == 0;
            call.take_over(done, !done);
            REQUIRE(call.answered());
            std::set<std::pair<std::uint32_t, std::uint32_t>> numbers;
            for (const auto& sentence : call.said) {
                CHECK(numbers.emplace(sentence.turn, sentence.sentence).second);
            }
            CHECK_FALSE(call.said.empty());
            if (!model) {
                CHECK(call.said_text().find("Is it a flat") != std::string::npos);
                CHECK(call.said_text().find("Is it a flat") == call.said_text().rfind("Is it a flat"));
                CHECK(call.agent->slots().at("intent") == "buy");
            }
            goes_on(call);
        }
    }
}

TEST_CASE("take-over: in the greeting, with nothing remembered and with everything") {
    for (Duration moment{}; moment < 600ms; moment += 20ms) {
        FakeCall call({.model = false});
        call.start();
        call.run(moment);
        const bool done = call.owed == 0;
        call.take_over(done, false);
        REQUIRE(call.answered());
        CHECK(call.says("Would you like to buy"));
    }
    FakeCall call;
    call.start();
    call.memory.clear();
    call.take_over(false, false);
    REQUIRE(call.answered());
    CHECK(call.says("Hello, this is Leah."));
}

TEST_CASE("take-over: between the last words and the hang-up the call is still hung up") {
    FakeCall call;
    greet(call);
    call.stt[0]->plans.queue = {heard("that is all")};
    call.llm[0]->plans.queue = {calls_tool("hang_up", R"({"reason":"done"})")};
    call.utter();
    REQUIRE(call.answered());
    call.hung_up.clear();  // The worker died before it was told.
    call.take_over(true, false);
    call.run(100ms);
    CHECK(call.hung_up == "done");
    CHECK(call.owed == 0);
}

TEST_CASE("take-over: digits keyed in so far are kept") {
    FakeCall call({.model = false, .recogniser = false});
    greet(call);
    for (const char key : std::string("11323")) {
        call.press(key);
        REQUIRE(call.answered());
        call.take_over(true, false);
    }
    // Two rooms with half? No: "3" city, "2", "3" digits of the rooms, out of range; asked again.
    call.press('#');
    REQUIRE(call.answered());
    CHECK(call.says("does not fit"));
}

TEST_CASE("take-over: a memory of another build or garbage is no memory") {
    for (const char* memory :
         {"", "{", "[]", R"({"v":2})", R"({"v":1})", R"({"v":1,"history":[{"k":9},5],"answer":7,"next":[1]})",
          R"({"v":1,"answer":{"turn":"x","after":9},"dialogue":{"slots":5}})"}) {
        CAPTURE(memory);
        FakeCall call;
        call.start();
        REQUIRE(call.answered());
        call.memory = memory;
        call.owed = 1;
        call.take_over(false, false);
        REQUIRE(call.answered());
        goes_on(call);
    }
}

TEST_CASE("memory: stays within its limit however long the call, and is restored equal") {
    FakeCall call;
    greet(call);
    call.llm[0]->plans.queue = {thinks(std::string(600, 'x') + ". " + std::string(200, 'y') + ".")};
    for (int turn = 0; turn < 80; ++turn) {
        call.stt[0]->plans.queue = {heard("word " + std::to_string(turn) + " " + std::string(300, 'w'))};
        call.utter();
        REQUIRE(call.answered());
        call.hear();
        CHECK(call.memory.size() <= agent_payload_max);
    }
    const std::string before = call.memory;
    call.take_over(true, false);
    CHECK(call.agent->history().items().size() > 10);
}

TEST_CASE("random: 1000 calls with failing services, interruptions, keys and take-overs never get stuck") {
    std::mt19937 random(20251121);
    const auto one_of = [&](const auto& list) { return list[random() % std::size(list)]; };
    for (int round = 0; round < 1000; ++round) {
        CAPTURE(round);
        FakeCall call({.model = random() % 3 != 0,
                       .recogniser = random() % 5 != 0,
                       .backup = random() % 2 == 0,
                       .language = random() % 2 == 0 ? "he-IL" : "en-US",
                       .transfer_number = random() % 3 == 0 ? "+97231112222" : ""});
        const auto plan_stt = [&] {
            const char* texts[] = {"buy", "", "yes", "no", "three rooms", "goodbye", "two million", "a person"};
            return random() % 4 == 0 ? one_of(faults).plan
                                     : heard(one_of(texts), std::chrono::milliseconds(random() % 800));
        };
        const auto plan_llm = [&]() -> Plan {
            switch (random() % 8) {
                case 0:
                    return one_of(faults).plan;
                case 1:
                    return calls_tool("save_lead", R"({"intent":"buy"})", random() % 2 == 0 ? "One moment. " : "");
                case 2:
                    return calls_tool("nonsense", "{");
                case 3:
                    return {{.kind = Step::Kind::forever, .text = "On and on. "}};
                default:
                    return thinks("One two three. Four five six, seven eight nine. Ten?",
                                  std::chrono::milliseconds(random() % 900));
            }
        };
        for (int i = 0; i < 12; ++i) {
            for (auto* stt : call.stt) {
                stt->plans.queue.push_back(plan_stt());
            }
            for (auto* llm : call.llm) {
                llm->plans.queue.push_back(plan_llm());
            }
            for (auto* tts : call.tts) {
                tts->plans.queue.push_back(random() % 6 == 0 ? one_of(faults).plan : Plan{});
            }
        }
        call.control.problem = random() % 2 == 0 ? "20404" : "";
        call.start();
        for (int event = static_cast<int>(random() % 15); event > 0 && call.hung_up.empty(); --event) {
            call.run(std::chrono::milliseconds(random() % 3000));
            call.refuse = static_cast<int>(random() % 10);
            if (random() % 3 == 0) {
                call.hear();
            }
            switch (random() % 8) {
                case 0:
                    call.press("0123456789*#"[random() % 12]);
                    break;
                case 1:
                    if (call.owed == 0) {
                        call.hear();
                        call.silence();
                    }
                    break;
                case 2:
                    call.begin_utterance();
                    call.drop_utterance();
                    break;
                case 3:
                    call.begin_utterance();
                    if (!call.said.empty()) {
                        call.interrupt(call.said.back().sentence, random() % 2000);
                    }
                    call.end_utterance();
                    break;
                case 4: {
                    const bool done = call.owed == 0;
                    call.take_over(done, !done && call.turn() > 0);
                    break;
                }
                default:
                    call.utter(std::chrono::milliseconds(100 + random() % 2000));
            }
        }
        if (random() % 2 == 0) {  // Hung up in the middle.
            call.end();
            continue;
        }
        const bool answered = call.answered(60s);
        CHECK((answered || !call.hung_up.empty() || !call.control.sent.empty()));
        call.run(60s);
        CHECK(call.ledger.running == 0);
        call.end();
    }
}

TEST_CASE("fault: a voice that breaks off in its first syllable is followed by the recorded sentence") {
    FakeCall call({.backup = false});
    greet(call);
    call.stt[0]->plans.queue = {heard("a flat")};
    call.llm[0]->plans.queue = {thinks("Which city?")};
    const std::size_t syllable = Speaking::repeat_below - 8;
    call.tts[0]->plans.queue = {{{.kind = Step::Kind::audio, .text = std::string(syllable, 'a'), .after = 100ms},
                                 {.kind = Step::Kind::fail, .after = 100ms, .error_class = server}}};
    call.utter();
    REQUIRE(call.answered(7s));
    REQUIRE(call.said.size() == 1);
    CHECK(call.said[0].text == recorded_speech(Recorded::sorry, Language::english).text);
    CHECK(call.said[0].bytes == syllable + recorded_speech(Recorded::sorry, Language::english).mulaw.size());
    goes_on(call);
}

TEST_CASE("fault: of a sentence that breaks off later, what was said is kept") {
    FakeCall call({.backup = false});
    greet(call);
    call.stt[0]->plans.queue = {heard("a flat")};
    call.llm[0]->plans.queue = {thinks("Which city?")};
    call.tts[0]->plans.queue = {
        {{.kind = Step::Kind::audio, .text = std::string(Speaking::repeat_below, 'a'), .after = 100ms},
         {.kind = Step::Kind::fail, .after = 100ms, .error_class = server}}};
    call.utter();
    REQUIRE(call.answered(7s));
    CHECK(call.said_text() == "Which city?");
    goes_on(call);
}
