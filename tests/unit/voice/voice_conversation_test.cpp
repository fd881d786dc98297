#include "worker/voice/voice_conversation.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <random>
#include <type_traits>

#include "phone.hpp"

using namespace agentlocator;
using namespace agentlocator::test;

namespace {

// The agent greeted in `samples`, and it was heard; the detector knows the line.
void greet(Phone& phone, std::size_t samples = 8000) {
    phone.start();
    phone.sentence(0, 0, samples);
    phone.from_agent(FromAgent::turn_done, 0);
    phone.wait(static_cast<double>(samples) / 8000 + 2);
    phone.wire.clear();
    phone.heard.clear();
    phone.agent.told.clear();
}

long count(const std::vector<std::string>& wire, std::string_view what) {
    return std::count(wire.begin(), wire.end(), what);
}

bool ends_with(const std::string& text, const std::string& part) {
    return text.size() >= part.size() && text.compare(text.size() - part.size(), part.size(), part) == 0;
}

}  // namespace

TEST_CASE("voice: the agent's greeting is played with a mark behind it, and told when it was heard") {
    Phone phone;
    phone.start({{"token", "secret"}, {"from", "+972501234567"}});
    REQUIRE(phone.agent.told.size() == 1);
    CHECK(phone.agent.told[0].kind == ToAgent::call_started);
    const auto facts = nlohmann::json::parse(phone.agent.told[0].payload);
    CHECK(facts == nlohmann::json{{"call_sid", "CA1"}, {"stream_sid", "MZ1"}, {"from", "+972501234567"}});
    phone.sentence(0, 0, 1000);  // The last frame is filled with silence (F-25).
    CHECK(phone.ready == 2000);
    CHECK(phone.wire ==
          std::vector<std::string>{"media", "media", "media", "media", "media", "media", "media", "tts_1"});
    phone.wait(0.3);
    CHECK(phone.heard == words(0, 0, 1000) + std::string(120, '\xff'));
    const auto heard = phone.agent.of(ToAgent::sentence_heard);
    REQUIRE(heard.size() == 1);
    CHECK(heard[0].sentence == 0);
}

TEST_CASE("voice: at most a second is sent ahead of what the caller hears") {
    Phone phone;
    phone.start();
    phone.sentence(0, 0, 80'000);
    CHECK(count(phone.wire, "media") == 50);
    phone.wait(3);
    CHECK(count(phone.wire, "media") == 200);
    phone.wait(8);
    CHECK(phone.heard == words(0, 0, 80'000));
}

TEST_CASE("voice: an utterance reaches the agent whole, with its beginning, in order, then its end") {
    Phone phone;
    greet(phone);
    const std::size_t before = phone.caller.size();
    phone.talk(1.2);
    phone.wait(1);
    const auto began = phone.agent.of(ToAgent::utterance_began);
    const auto ended = phone.agent.of(ToAgent::utterance_ended);
    REQUIRE(began.size() == 1);
    REQUIRE(ended.size() == 1);
    CHECK(began[0].turn == 1);
    CHECK(ended[0].turn == 1);
    CHECK(ended[0].value == 500);
    // Pre-roll: at least 300 ms before the voice was sure, so before it began.
    const auto from = static_cast<std::size_t>(began[0].value) * 8;
    CHECK(from <= before);
    CHECK(from + 8000 / 2 >= before);
    const std::string audio = phone.agent.audio(1);
    CHECK(audio == std::string(phone.caller.begin() + static_cast<long>(from),
                               phone.caller.begin() + static_cast<long>(from + audio.size())));
    CHECK(from + audio.size() >= before + 8 * 1200 + 8 * 300);
    CHECK(phone.wire.empty());
}

TEST_CASE("voice: audio is streamed as it comes, or sent at the end when the agent asked for that") {
    Phone phone;
    greet(phone);
    phone.talk(1);
    CHECK(phone.agent.audio(1).size() > 6000);
    phone.wait(1);
    phone.from_agent(FromAgent::turn_done, 1);
    phone.listen({.streaming = false});
    phone.talk(1);
    CHECK(phone.agent.audio(2).empty());
    phone.wait(1);
    CHECK(phone.agent.audio(2).size() > 8000);
    CHECK(phone.agent.told.back().kind == ToAgent::utterance_ended);
}

TEST_CASE("voice: a click is dropped and its number given again") {
    VoiceRules rules;
    rules.min_utterance_ms = 600;
    Phone phone(rules);
    greet(phone);
    phone.talk(0.35);
    phone.wait(1);
    REQUIRE(phone.agent.of(ToAgent::utterance_dropped).size() == 1);
    CHECK(phone.agent.of(ToAgent::utterance_dropped)[0].turn == 1);
    CHECK(phone.agent.of(ToAgent::utterance_ended).empty());
    phone.talk(2);
    phone.wait(1);
    REQUIRE(phone.agent.of(ToAgent::utterance_ended).size() == 1);
    CHECK(phone.agent.of(ToAgent::utterance_ended)[0].turn == 1);
}

TEST_CASE("voice: an endless utterance is ended at its longest, and the next one begins where it ended") {
    VoiceRules rules;
    rules.max_utterance_ms = 3000;
    Phone phone(rules);
    greet(phone);
    phone.talk(7);
    phone.wait(1);
    const auto ended = phone.agent.of(ToAgent::utterance_ended);
    const auto began = phone.agent.of(ToAgent::utterance_began);
    REQUIRE(ended.size() == 3);
    std::string all;
    for (std::size_t i = 0; i < 3; ++i) {
        const auto turn = static_cast<std::uint32_t>(i + 1);
        CHECK(phone.agent.audio(turn).size() <= 3000 * 8);
        if (i > 0) {
            const auto gap =
                began[i].value - began[i - 1].value - static_cast<std::int64_t>(phone.agent.audio(turn - 1).size() / 8);
            CHECK(gap >= 0);
            CHECK(gap < 200);
        }
    }
    CHECK(phone.agent.audio(1).size() == 3000 * 8);
}

TEST_CASE("voice: the pause that ends an utterance is the agent's choice") {
    for (const std::uint32_t hangover : {300U, 900U}) {
        Phone phone;
        greet(phone);
        phone.listen({.hangover_ms = hangover});
        phone.talk(1);
        phone.wait(2);
        REQUIRE(phone.agent.of(ToAgent::utterance_ended).size() == 1);
        CHECK(phone.agent.of(ToAgent::utterance_ended)[0].value == hangover);
    }
}

TEST_CASE("voice: an answer is played; what comes for an older turn is not") {
    Phone phone;
    greet(phone);
    phone.talk(1);
    phone.wait(0.7);
    phone.sentence(0, 1, 1600);  // Too late.
    phone.sentence(1, 0, 1600);
    phone.sentence(2, 0, 1600);  // Of the future.
    phone.from_agent(FromAgent::turn_done, 1);
    phone.wait(1);
    CHECK(phone.heard == words(1, 0, 1600));
}

TEST_CASE("voice: barge-in clears at once, tells what was heard, and drops the rest") {
    Phone phone;
    greet(phone);
    phone.talk(1);
    phone.wait(0.7);
    phone.sentence(1, 0, 16'000);
    phone.sentence(1, 1, 40'000);
    phone.from_agent(FromAgent::turn_done, 1);
    phone.wait(3);
    const std::string before = phone.heard;
    phone.wire.clear();
    phone.agent.told.clear();
    const Mulaw audio = mulaw(voice(2, -20));
    std::size_t frames = 0;
    while (count(phone.wire, "clear") == 0) {
        REQUIRE(frames < 20);
        phone.frame({&audio[160 * frames], 160});
        ++frames;
    }
    CHECK(frames <= 10);  // 5 of 8 frames of voice, the first of which is faint.
    CHECK(phone.wire.front() == "clear");
    while (frames < 100) {
        phone.frame({&audio[160 * frames], 160});
        ++frames;
    }
    phone.wait(1);
    // Never another frame of that answer.
    CHECK(count(phone.wire, "media") == 0);
    CHECK(phone.heard.size() - before.size() <= 160 * 10);
    const auto cut = phone.agent.of(ToAgent::interrupted);
    REQUIRE(cut.size() == 1);
    CHECK(cut[0].turn == 1);
    CHECK(cut[0].sentence == 1);
    CHECK(cut[0].value == static_cast<std::int64_t>((phone.heard.size() - 16'000) / 8));
    REQUIRE(phone.agent.of(ToAgent::utterance_ended).size() == 1);
    CHECK(phone.agent.of(ToAgent::utterance_ended)[0].turn == 2);
    phone.sentence(1, 2, 1600);  // In flight when the caller cut in.
    phone.sentence(2, 0, 3200);
    phone.from_agent(FromAgent::turn_done, 2);
    phone.wait(1);
    CHECK(ends_with(phone.heard, words(2, 0, 3200)));
    CHECK(phone.agent.of(ToAgent::sentence_heard).size() == 1);
}

TEST_CASE("voice: a short mm-hm over a long speech does not end it; it goes on where it was") {
    Phone phone;
    greet(phone);
    phone.talk(1);
    phone.wait(0.7);
    phone.sentence(1, 0, 40'000);
    phone.sentence(1, 1, 8000);
    phone.from_agent(FromAgent::turn_done, 1);
    phone.wait(1.5);
    phone.wire.clear();
    phone.agent.told.clear();
    phone.talk(0.3);
    phone.wait(8);
    CHECK(count(phone.wire, "clear") == 1);
    CHECK(phone.heard == words(1, 0, 40'000) + words(1, 1, 8000));
    CHECK(phone.agent.of(ToAgent::interrupted).empty());
    REQUIRE(phone.agent.of(ToAgent::utterance_dropped).size() == 1);
    CHECK(phone.agent.of(ToAgent::sentence_heard).size() == 2);
}

TEST_CASE("voice: a short word over our last second is an answer") {
    Phone phone;
    greet(phone);
    phone.talk(1);
    phone.wait(0.7);
    phone.sentence(1, 0, 16'000);
    phone.from_agent(FromAgent::turn_done, 1);
    phone.wait(1.3);
    phone.agent.told.clear();
    phone.talk(0.3);
    phone.wait(1);
    CHECK(phone.agent.of(ToAgent::utterance_dropped).empty());
    CHECK(phone.agent.of(ToAgent::utterance_ended).size() == 1);
    CHECK(phone.agent.of(ToAgent::interrupted).size() == 1);
}

TEST_CASE("voice: with BACKCHANNEL_MS 0 every interruption is one") {
    VoiceRules rules;
    rules.backchannel_ms = 0;
    Phone phone(rules);
    greet(phone);
    phone.talk(1);
    phone.wait(0.7);
    phone.sentence(1, 0, 40'000);
    phone.from_agent(FromAgent::turn_done, 1);
    phone.wait(1.5);
    phone.agent.told.clear();
    phone.talk(0.3);
    phone.wait(1);
    CHECK(phone.agent.of(ToAgent::interrupted).size() == 1);
    CHECK(phone.agent.of(ToAgent::utterance_ended).size() == 1);
}

TEST_CASE("voice: the caller may interrupt the greeting after its grace, not sooner") {
    for (const bool late : {false, true}) {
        VoiceRules rules;
        rules.barge_in_grace_ms = 2500;
        Phone phone(rules);
        phone.start();
        phone.wait(2);
        phone.sentence(0, 0, 64'000);
        phone.from_agent(FromAgent::turn_done, 0);
        if (late) {
            phone.wait(2.5);
        }
        phone.talk(1.5);
        CHECK(count(phone.wire, "clear") == (late ? 1 : 0));
    }
}

TEST_CASE("voice: without BARGE_IN, or when the agent asked for it, only keys interrupt") {
    for (const bool setting : {false, true}) {
        VoiceRules rules;
        rules.barge_in = setting;
        Phone phone(rules);
        phone.start();
        phone.wait(1);
        if (setting) {
            phone.listen({.barge_in = false});
        }
        phone.sentence(0, 0, 64'000);
        phone.wait(1);
        phone.talk(2);
        CHECK(count(phone.wire, "clear") == 0);
        CHECK(phone.agent.of(ToAgent::utterance_began).empty());
        phone.key('1');
        CHECK(count(phone.wire, "clear") == 1);
    }
}

TEST_CASE("voice: a caller who goes on while the agent thinks interrupts the thinking") {
    Phone phone;
    greet(phone);
    phone.talk(1);
    phone.wait(0.7);
    phone.agent.told.clear();
    phone.talk(2);
    const auto cut = phone.agent.of(ToAgent::interrupted);
    REQUIRE(cut.size() == 1);
    CHECK(cut[0].value == 0);
    phone.sentence(1, 0, 8000);  // The answer to the first part comes too late.
    phone.wait(1);
    CHECK(phone.heard.empty());
    CHECK(phone.agent.of(ToAgent::utterance_ended).back().turn == 2);
    phone.sentence(2, 0, 1600);
    phone.wait(1);
    CHECK(phone.heard == words(2, 0, 1600));
}

TEST_CASE("voice: an answer that is ready while the caller speaks waits, and is dropped if he means it") {
    for (const bool means_it : {false, true}) {
        Phone phone;
        greet(phone);
        phone.talk(1);
        phone.wait(0.7);
        phone.talk(0.2);
        phone.sentence(1, 0, 24'000);
        if (means_it) {
            phone.talk(1.5);
        }
        CHECK(phone.heard.empty());
        phone.wait(4);
        CHECK(phone.heard == (means_it ? "" : words(1, 0, 24'000)));
    }
}

TEST_CASE(
    "voice: right after our speech the caller must be as clear as for an interruption, and nothing he says is cut") {
    Phone phone;
    phone.start();
    phone.wait(1);
    phone.sentence(0, 0, 8000);
    phone.from_agent(FromAgent::turn_done, 0);
    phone.wait(1.1);
    const std::size_t before = phone.caller.size();
    phone.talk(1);
    phone.wait(1);
    REQUIRE(phone.agent.of(ToAgent::utterance_ended).size() == 1);
    CHECK(static_cast<std::size_t>(phone.agent.of(ToAgent::utterance_began)[0].value) * 8 <= before);
    CHECK(phone.agent.of(ToAgent::interrupted).empty());
}

TEST_CASE("voice: a key silences the agent at once and is a turn of its own") {
    Phone phone;
    phone.start();
    phone.wait(1);
    phone.sentence(0, 0, 64'000);
    phone.wait(1);
    phone.wire.clear();
    phone.agent.told.clear();
    phone.key('7');
    CHECK(phone.wire.front() == "clear");
    const auto key = phone.agent.of(ToAgent::key);
    REQUIRE(key.size() == 1);
    CHECK(key[0].payload == "7");
    CHECK(key[0].turn == 1);
    CHECK(phone.agent.of(ToAgent::interrupted).size() == 1);
    phone.sentence(0, 1, 1600);
    phone.wait(1);
    CHECK(count(phone.wire, "media") == 0);
    phone.sentence(1, 0, 1600);
    phone.wait(1);
    CHECK(ends_with(phone.heard, words(1, 0, 1600)));
}

TEST_CASE("voice: a key's own tones are no utterance") {
    Phone phone;
    greet(phone);
    const Signal tones = sine(0.1, 770, -15) + sine(0.1, 1336, -15);
    phone.say(tones);
    phone.key('5');
    phone.say(tones);
    phone.wait(1);
    CHECK(phone.agent.of(ToAgent::utterance_ended).empty());
    CHECK(phone.agent.of(ToAgent::key).size() == 1);
}

TEST_CASE("voice: a key ends an utterance that was meant, and drops a sound") {
    for (const bool meant : {true, false}) {
        Phone phone;
        greet(phone);
        phone.talk(meant ? 1.2 : 0.2);
        REQUIRE(phone.agent.of(ToAgent::utterance_began).size() == 1);
        phone.key('1');
        CHECK(phone.agent.of(ToAgent::utterance_ended).size() == (meant ? 1 : 0));
        CHECK(phone.agent.of(ToAgent::utterance_dropped).size() == (meant ? 0 : 1));
        REQUIRE(phone.agent.of(ToAgent::key).size() == 1);
        CHECK(phone.agent.of(ToAgent::key)[0].turn == (meant ? 2 : 1));
    }
}

TEST_CASE("voice: silence is told after the time for an answer, once for each time") {
    Phone phone;
    phone.start();
    phone.sentence(0, 0, 8000);
    phone.from_agent(FromAgent::turn_done, 0);
    phone.wait(6.8);
    CHECK(phone.agent.of(ToAgent::silence).empty());
    phone.wait(0.4);
    REQUIRE(phone.agent.of(ToAgent::silence).size() == 1);
    CHECK(phone.agent.of(ToAgent::silence)[0].value >= 6000);
    CHECK(phone.agent.of(ToAgent::silence)[0].sentence == 1);
    phone.sentence(0, 1, 8000);
    phone.from_agent(FromAgent::turn_done, 0);
    phone.listen({.answer_within_ms = 2000});
    phone.wait(3.2);
    CHECK(phone.agent.of(ToAgent::silence).size() == 2);
    CHECK(phone.lines.empty());
}

TEST_CASE("voice: an agent that does not greet is helped out by the recorded greeting, and told of it") {
    Phone phone;
    phone.start();
    phone.wait(2.9);
    CHECK(phone.wire.empty());
    phone.wait(1.4);
    CHECK(phone.heard == std::string(8000, 0x10));
    REQUIRE(phone.agent.told.back().kind == ToAgent::call_resumed);
    CHECK(phone.agent.told.back().turn == 1);
    CHECK(phone.agent.told.back().value == 1);
    phone.sentence(0, 0, 1600);  // Its own greeting, late.
    phone.wait(1);
    CHECK(phone.heard.size() == 8000);
    REQUIRE(phone.lines.size() == 1);
    CHECK(phone.lines[0].find("agent_mute") != std::string::npos);
}

TEST_CASE("voice: a mute agent never means silence: apology, and after three a farewell") {
    Phone phone;
    greet(phone);
    std::string expected;
    for (int turn = 1; turn <= 3; ++turn) {
        phone.talk(1);
        phone.wait(8.4);
        CHECK(phone.heard == expected);
        phone.wait(2);
        expected += turn < 3 ? std::string(2400, 0x40) : std::string(4000, 0x20);
        CHECK(phone.heard == expected);
    }
    CHECK(phone.hung_up);
    CHECK(phone.lines.size() == 3);
}

TEST_CASE("voice: an agent that says it is thinking gets more time") {
    Phone phone;
    greet(phone);
    phone.talk(1);
    for (int i = 0; i < 4; ++i) {
        phone.wait(5);
        phone.from_agent(FromAgent::thinking, 1);
    }
    CHECK(phone.heard.empty());
    phone.sentence(1, 0, 1600);
    phone.from_agent(FromAgent::turn_done, 1);
    phone.wait(1);
    CHECK(phone.heard == words(1, 0, 1600));
}

TEST_CASE("voice: the thinking hint is asked for once, when nothing was said") {
    VoiceRules rules;
    rules.thinking_hint_ms = 700;
    Phone phone(rules);
    greet(phone);
    phone.talk(1);
    phone.wait(3);
    REQUIRE(phone.agent.of(ToAgent::thinking_hint).size() == 1);
    CHECK(phone.agent.of(ToAgent::thinking_hint)[0].turn == 1);
    phone.sentence(1, 0, 1600);
    phone.from_agent(FromAgent::turn_done, 1);
    phone.wait(3);
    CHECK(phone.agent.of(ToAgent::thinking_hint).size() == 1);
}

TEST_CASE("voice: at its longest the call is said farewell, by the agent or else by us") {
    VoiceRules rules;
    rules.max_call_ms = 10'000;
    Phone phone(rules);
    greet(phone);
    phone.wait(7.5);
    CHECK(phone.agent.of(ToAgent::time_up).size() == 1);
    phone.wait(18);
    CHECK_FALSE(phone.hung_up);
    phone.wait(4);
    CHECK(phone.hung_up);
    CHECK(ends_with(phone.heard, std::string(4000, 0x20)));
}

TEST_CASE("voice: hang_up waits until the farewell was heard, and the caller cannot interrupt it") {
    Phone phone;
    greet(phone);
    phone.sentence(0, 1, 16'000);
    phone.from_agent(FromAgent::hang_up, 0, 0, "goodbye");
    phone.talk(1.9);
    CHECK_FALSE(phone.hung_up);
    CHECK(count(phone.wire, "clear") == 0);
    phone.wait(0.3);
    CHECK(phone.hung_up);
    CHECK(phone.heard == words(0, 1, 16'000));
}

TEST_CASE("voice: a peer that never answers marks is judged by the clock") {
    Phone phone;
    phone.marks_come_back = false;
    phone.start();
    phone.sentence(0, 0, 8000);
    phone.from_agent(FromAgent::hang_up, 0);
    phone.wait(2.8);
    CHECK_FALSE(phone.hung_up);
    phone.wait(0.4);
    CHECK(phone.hung_up);
}

TEST_CASE("voice: cancel_turn takes back what was not heard; the turn may then be answered otherwise") {
    Phone phone;
    greet(phone);
    phone.talk(1);
    phone.wait(0.7);
    phone.sentence(1, 0, 40'000);
    phone.wait(1);
    phone.from_agent(FromAgent::cancel_turn, 1);
    CHECK(phone.wire.back() == "clear");
    const std::size_t heard = phone.heard.size();
    phone.wait(1);
    CHECK(phone.heard.size() == heard);
    phone.sentence(1, 1, 1600);
    phone.wait(1);
    CHECK(phone.heard == words(1, 0, heard) + words(1, 1, 1600));
}

TEST_CASE("voice: speech beyond what the slot holds is left out; the rest of the call is not harmed") {
    Phone phone;
    greet(phone);
    const std::string much = words(0, 1, 8000);
    for (int i = 0; i < 100; ++i) {
        phone.from_agent(FromAgent::speech, 0, 1, much);
    }
    CHECK(phone.state.said - phone.state.sent < speech_bytes);
    CHECK(phone.state.said - phone.state.sent > speech_bytes - 3 * 8000);
    phone.from_agent(FromAgent::sentence_done, 0, 1);
    phone.wait(64);
    CHECK(phone.heard.substr(0, 8000) == much);
    phone.sentence(0, 2, 1600);
    phone.wait(3);
    CHECK(ends_with(phone.heard, words(0, 2, 1600)));
}

TEST_CASE("voice: more sentences than are counted share the last one's mark") {
    Phone phone;
    phone.start();
    std::string all;
    for (std::uint32_t i = 0; i < sentences_max + 20; ++i) {
        phone.sentence(0, i, 320);
        all += words(0, i, 320);
    }
    phone.from_agent(FromAgent::turn_done, 0);
    phone.wait(4);
    CHECK(phone.heard == all);
    CHECK_FALSE(phone.state.sentences_heard < phone.state.sentences_whole);
}

TEST_CASE("voice: when the ring to the agent was full, it is told all again; not a sample is lost") {
    Phone phone;
    greet(phone);
    const std::size_t before = phone.caller.size();
    phone.talk(0.5);
    phone.agent.full = true;
    phone.talk(1);
    phone.wait(2);
    phone.key('3');
    phone.agent.full = false;
    phone.agent.told.clear();
    phone.wait(0.1);
    REQUIRE(phone.agent.told.size() > 4);
    CHECK(phone.agent.told.front().kind == ToAgent::call_resumed);
    CHECK(phone.agent.told.front().value == 0);
    CHECK(phone.agent.told.back().kind == ToAgent::key);
    CHECK(phone.agent.told.back().turn == 2);
    REQUIRE(phone.agent.of(ToAgent::utterance_ended).size() == 1);
    const auto from = static_cast<std::size_t>(phone.agent.of(ToAgent::utterance_began)[0].value) * 8;
    CHECK(from <= before);
    const std::string audio = phone.agent.audio(1);
    CHECK(audio == std::string(phone.caller.begin() + static_cast<long>(from),
                               phone.caller.begin() + static_cast<long>(from + audio.size())));
    CHECK(audio.size() > 8 * 1800);
}

TEST_CASE("voice: without an agent thread the recorded prompts answer") {
    Phone phone({}, false);
    phone.start();
    CHECK(count(phone.wire, "media") == 50);
    phone.wait(2);
    CHECK(phone.heard == std::string(8000, 0x10));
    phone.talk(1);
    phone.wait(1.5);
    CHECK(phone.heard == std::string(8000, 0x10) + std::string(4000, 0x20));
    phone.key('1');
    phone.wait(1);
    CHECK(ends_with(phone.heard, std::string(1600, 0x30)));
    CHECK(phone.state.act_count == 0);
    phone.wait(30);
    CHECK(count(phone.wire, "heartbeat_1") == 1);
    CHECK_FALSE(phone.hung_up);
}

TEST_CASE("voice: what the agent remembers is kept, up to its limit, and told after a take-over") {
    Phone phone;
    greet(phone);
    const std::string memory(agent_payload_max, 'm');
    phone.from_agent(FromAgent::remember, 0, 0, memory);
    phone.start_process();
    phone.wait(0.02);
    REQUIRE(phone.agent.told.size() == 1);
    CHECK(phone.agent.told[0].kind == ToAgent::call_resumed);
    CHECK(phone.agent.told[0].payload == memory);
    CHECK(phone.agent.told[0].value == 1);
    phone.die_in = 1;  // Not committed: the last memory stays.
    phone.from_agent(FromAgent::remember, 0, 0, "other");
    phone.wait(0.02);
    CHECK(phone.agent.told[0].payload == memory);
}

TEST_CASE("voice: before the agent remembered anything a take-over tells it how the call began") {
    Phone phone;
    phone.start({{"from", "+1"}});
    phone.start_process();
    phone.wait(0.02);
    REQUIRE(phone.agent.told.size() == 1);
    CHECK(phone.agent.told[0].value == 0);
    CHECK(nlohmann::json::parse(phone.agent.told[0].payload)["from"] == "+1");
}

TEST_CASE("voice: a sentence cut by a take-over goes on at the next sample") {
    Phone phone;
    greet(phone);
    phone.talk(1);
    phone.wait(0.7);
    phone.sentence(1, 0, 1600);
    phone.from_agent(FromAgent::speech, 1, 1, words(1, 1, 3000));  // The rest is on its way ...
    phone.wait(0.1);
    phone.start_process();
    phone.wait(0.1);
    REQUIRE(phone.agent.of(ToAgent::call_resumed).size() == 1);
    CHECK(phone.agent.of(ToAgent::call_resumed)[0].sentence == 1);
    CHECK(phone.agent.of(ToAgent::utterance_ended).size() == 1);  // ... and the question is told again.
    phone.sentence(1, 1, 8000);
    phone.from_agent(FromAgent::turn_done, 1);
    phone.wait(2);
    CHECK(phone.heard == words(1, 0, 1600) + words(1, 1, 8000));
}

TEST_CASE("voice: a stream that breaks off goes on in another slot, with what was said and heard") {
    Phone first;
    greet(first);
    first.from_agent(FromAgent::remember, 0, 0, "notes");
    first.talk(1);
    first.wait(0.7);
    first.sentence(1, 0, 8000);
    first.sentence(1, 1, 16'000);
    first.wait(1.5);  // In the middle of the second sentence, and the agent is not done.
    Phone second;
    second.now = first.now;
    StreamMessage start;
    start.call_sid = "CA1";
    second.event([&](CallInHand in) {
        second.conversation->on_resume(in, {first.state, &first.file.slab->slots[Phone::slot].voice}, start);
    });
    REQUIRE(second.agent.told.front().kind == ToAgent::call_resumed);
    CHECK(second.agent.told.front().payload == "notes");
    CHECK(second.agent.told.front().turn == 1);
    CHECK(second.agent.told.front().sentence == 2);
    CHECK(second.agent.told.front().value == 0);
    CHECK(second.agent.audio(1) == first.agent.audio(1));
    second.wait(3);
    CHECK(second.heard == words(1, 1, 16'000));

    Phone nowhere;  // Its slot is not known here: the call begins anew.
    nowhere.event([&](CallInHand in) { nowhere.conversation->on_resume(in, {first.state, nullptr}, start); });
    CHECK(nowhere.agent.told.front().kind == ToAgent::call_started);
}

namespace {

// An agent that answers each utterance in three sentences and begins anew from what it is told.
struct Talker {
    explicit Talker(Phone& with) : phone(with) {
        phone.script = [this] { run(); };
        phone.messages_a_frame = 2;
    }
    void run() {
        if (phone.deaths != lives) {
            lives = phone.deaths;
            seen = 0;  // Another process: the agent knows nothing.
        }
        while (phone.deaths == lives && seen < phone.agent.told.size()) {
            const Told message = phone.agent.told[seen++];
            switch (message.kind) {
                case ToAgent::call_started:
                    say(0, 0);
                    break;
                case ToAgent::call_resumed:
                    from = message.sentence;
                    resumed = message.turn;
                    if (message.value == 0 && message.turn == 0) {
                        say(0, from);
                    }
                    break;
                case ToAgent::utterance_ended:
                    understood[message.turn] = phone.agent.audio(message.turn);
                    say(message.turn, message.turn == resumed ? from : 0);
                    break;
                default:
                    break;
            }
        }
    }
    void say(std::uint32_t turn, std::uint32_t first) {
        for (std::uint32_t i = first; i < 3 && phone.deaths == lives; ++i) {
            phone.sentence(turn, i, 4000 + 500 * i);
        }
        if (phone.deaths == lives) {  // Else there is no one left to say it.
            phone.from_agent(FromAgent::turn_done, turn);
        }
    }
    Phone& phone;
    std::size_t seen = 0;
    int lives = 0;
    std::uint32_t from = 0;
    std::uint32_t resumed = 0xffff'ffffU;
    std::map<std::uint32_t, std::string> understood;
};

void dialogue(Phone& phone) {
    phone.start();
    phone.wait(4);
    for (int turn = 0; turn < 3; ++turn) {
        phone.talk(1.3);
        phone.wait(4.5);
    }
}

}  // namespace

TEST_CASE("voice: processes that die at any step change nothing of what both sides hear") {
    Phone calm;
    Talker calm_agent(calm);
    dialogue(calm);
    REQUIRE(calm_agent.understood.size() == 3);
    REQUIRE(calm.heard.size() == 4 * (4000 + 4640 + 5120));
    int deaths = 0;
    for (std::uint32_t seed = 0; seed < 12; ++seed) {
        CAPTURE(seed);
        std::mt19937 random(seed);
        Phone rough;
        Talker rough_agent(rough);
        const auto inner = rough.script;
        rough.script = [&] {
            if (rough.die_in == 0 && random() % 8 == 0) {
                rough.die_in = 1 + static_cast<int>(random() % 40);
            }
            inner();
        };
        dialogue(rough);
        deaths += rough.deaths;
        REQUIRE(rough_agent.understood == calm_agent.understood);
        const auto differs =
            std::mismatch(rough.heard.begin(), rough.heard.end(), calm.heard.begin(), calm.heard.end());
        CAPTURE(differs.first - rough.heard.begin());
        CAPTURE(rough.heard.size());
        REQUIRE((rough.heard == calm.heard));
    }
    CHECK(deaths > 400);
}

TEST_CASE("voice: caller audio cannot become agent audio (P2)") {
    static_assert(!std::is_constructible_v<AgentAudio, CallerAudio>);
    static_assert(!std::is_constructible_v<AgentAudio, std::span<const std::uint8_t>>);
    static_assert(!std::is_convertible_v<CallerAudio, std::span<const std::uint8_t>>);
    Phone phone({}, false);
    phone.start();
    std::mt19937 random(3);
    Mulaw frame(160);
    for (int i = 0; i < 500; ++i) {
        for (auto& sample : frame) {
            sample = static_cast<std::uint8_t>(random());
        }
        phone.frame(frame);
    }
    // All that was heard is one of our prompts.
    CHECK_FALSE(phone.heard.empty());
    for (const char sample : phone.heard) {
        REQUIRE((sample == 0x10 || sample == 0x20 || sample == '\xff'));
    }
}

TEST_CASE("voice: of an answer's delay, what services and settings do not account for is ours") {
    Phone phone;
    greet(phone);
    phone.talk(1);
    phone.wait(0.6);  // The hangover is 500 ms.
    REQUIRE(phone.agent.of(ToAgent::utterance_ended).size() == 1);
    phone.wait(0.3);
    // Services say that they took 300 of the 400 ms or so since then.
    phone.from_agent(FromAgent::speech, 1, 0, words(1, 0, 800), 300'001);
    phone.from_agent(FromAgent::speech, 1, 0, words(1, 0, 800));
    CHECK(phone.metrics.sent.sum_us >= 800'000);
    CHECK(phone.metrics.own.sum_us + 840'000 >= phone.metrics.sent.sum_us);
    CHECK(phone.metrics.own.sum_us < 140'000);
    std::uint64_t counted = 0;
    for (const auto& bucket : phone.metrics.own.counts) {
        counted += bucket;
    }
    CHECK(counted == 1);  // Each answer once.
}

TEST_CASE("voice: an answer that had to wait for the caller is not counted as slow") {
    Phone phone;
    greet(phone);
    phone.talk(1);
    phone.wait(0.6);
    phone.say(voice(0.4, -22));  // Speaks again before the answer is there.
    phone.from_agent(FromAgent::speech, 1, 0, words(1, 0, 800), 1);
    phone.wait(1);
    CHECK(phone.metrics.sent.sum_us == 0);
}
