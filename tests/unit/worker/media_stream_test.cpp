#include "worker/media_stream.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "support.hpp"
#include "tests/unit/voice/signal.hpp"
#include "worker/base64.hpp"

using namespace agentlocator;
using namespace agentlocator::test;
using nlohmann::json;

namespace {

constexpr std::string_view one_frame = "AAECAw==";

std::string loud_frame() {  // 20 ms at full level.
    const Bytes bytes(160, 0x80);
    std::string text(base64_size(bytes.size()), '?');
    base64_encode(bytes, text.data());
    return text;
}
std::string quiet_frame() {
    const Bytes bytes(160, 0xff);
    std::string text(base64_size(bytes.size()), '?');
    base64_encode(bytes, text.data());
    return text;
}

std::vector<std::string> events(const std::vector<ServerFrame>& frames) {
    std::vector<std::string> names;
    for (const ServerFrame& frame : frames) {
        names.push_back(frame.opcode == WsOpcode::text ? json::parse(frame.payload)["event"].get<std::string>()
                                                       : "opcode " + std::to_string(static_cast<int>(frame.opcode)));
    }
    return names;
}

}  // namespace

TEST_CASE("media_stream: ECHO clears once, returns each payload unchanged and marks every 50th") {
    StreamUnderTest t(WsMode::echo);
    t.start();
    CHECK(t.sent().empty());
    t.media(one_frame);
    t.media("/w==");
    auto frames = t.sent();
    CHECK(events(frames) == std::vector<std::string>{"clear", "media", "media"});
    CHECK(json::parse(frames[1].payload)["media"]["payload"] == one_frame);
    CHECK(json::parse(frames[2].payload)["streamSid"] == "MZ1");
    for (int i = 2; i < 50; ++i) {
        t.media(one_frame);
    }
    frames = t.sent();
    CHECK(json::parse(frames.back().payload) ==
          json{{"event", "mark"}, {"streamSid", "MZ1"}, {"mark", {{"name", "f50"}}}});
    CHECK(t.state().rx == 50);
    CHECK(t.state().tx == 50);
}

TEST_CASE("media_stream: SINK counts and stays silent") {
    StreamUnderTest t(WsMode::sink);
    t.start();
    t.media(loud_frame());
    CHECK(t.sent().empty());
    CHECK(t.state().rx == 1);
    CHECK(t.state().tx == 0);
    CHECK(t.state().level > 0);
}

TEST_CASE("media_stream: AI greets with frames, mark and never returns what the caller said") {
    StreamUnderTest t(WsMode::ai);
    t.start();
    const auto frames = t.sent();
    CHECK(events(frames) == std::vector<std::string>{"media", "media", "media", "media", "mark"});
    // The last, partial frame is filled with mu-law silence (F-25).
    Bytes last(160);
    REQUIRE(base64_decode(json::parse(frames[3].payload)["media"]["payload"].get<std::string>(), last.data()) == 160);
    CHECK(std::count(last.begin(), last.end(), 0x10) == 40);
    CHECK(std::count(last.begin(), last.end(), 0xff) == 120);
    CHECK(json::parse(frames[4].payload)["mark"]["name"] == "tts_1");
    CHECK(t.state().tx == 4);
    t.media(loud_frame());
    CHECK(t.sent().empty());
    CHECK(std::find(t.log.lines.begin(), t.log.lines.end(), "TTS_LEN_BYTES 1040") != t.log.lines.end());
}

TEST_CASE("media_stream: AI keeps at most a second ahead of what the caller hears") {
    StreamUnderTest t(WsMode::ai);
    t.prompts = PromptLibrary({Bytes(160 * 200, 0x10), Bytes(160, 0x20), Bytes(160, 0x30), Bytes(160, 0x40)});
    t.start();
    CHECK(t.sent().size() == 50);
    t.now += 100ms;
    t.stream.on_tick(t.now);
    CHECK(t.sent().size() == 5);
    t.stream.on_tick(t.now);
    CHECK(t.sent().empty());
}

TEST_CASE("media_stream: AI answers an utterance when it ends, and a key at once") {
    StreamUnderTest t(WsMode::ai);
    t.start();
    t.sent();
    const auto hear = [&](const Signal& signal) {
        const auto audio = mulaw(signal);
        for (std::size_t at = 0; at + 160 <= audio.size(); at += 160) {
            t.now += 20ms;
            std::string text(base64_size(160), '?');
            base64_encode({&audio[at], 160}, text.data());
            t.media(text);
        }
    };
    hear(white(3, -60));
    t.text(R"({"event":"mark","streamSid":"MZ1","sequenceNumber":"3","mark":{"name":"tts_1"}})");
    hear(voice(1, -22));
    t.stream.on_tick(t.now);
    CHECK(t.sent().empty());
    hear(white(1, -60));
    const auto answer = events(t.sent());
    CHECK(answer == std::vector<std::string>{"media", "media", "mark"});
    t.text(R"({"event":"dtmf","streamSid":"MZ1","sequenceNumber":"9","dtmf":{"track":"inbound_track","digit":"1"}})");
    CHECK(events(t.sent()) == std::vector<std::string>{"clear", "media", "mark"});
}

TEST_CASE("media_stream: AI sends heartbeat marks every 18 seconds") {
    StreamUnderTest t(WsMode::ai);
    t.start();
    t.sent();
    int marks = 0;
    for (int i = 0; i < 50 * 60; ++i) {
        t.now += 20ms;
        t.media(quiet_frame());
        t.stream.on_tick(t.now);
        for (const ServerFrame& frame : t.sent()) {
            marks += frame.payload.find("heartbeat_") != std::string::npos ? 1 : 0;
        }
    }
    CHECK(marks == 3);
}

TEST_CASE("media_stream: marks are tracked until they come back") {
    StreamUnderTest t(WsMode::ai);
    t.start();
    CHECK(t.state().conversation.sentences_sent == 1);
    CHECK(t.state().conversation.sentences_heard == 0);
    t.text(R"({"event":"mark","streamSid":"MZ1","sequenceNumber":"3","mark":{"name":"tts_1"}})");
    CHECK(t.state().conversation.sentences_heard == 1);
    CHECK(t.log.lines.back() == "WS_MARK name=tts_1");
    t.text(R"({"event":"mark","streamSid":"MZ1","sequenceNumber":"4","mark":{"name":"x\nWS_DONE sid=forged"}})");
    CHECK(t.log.lines.back() == "WS_MARK name=\"x\\nWS_DONE sid=forged\"");
}

TEST_CASE("media_stream: the log tells one call's life in the historical lines") {
    StreamUnderTest t(WsMode::echo);
    t.start();
    t.media(one_frame);
    t.text(R"({"event":"stop","streamSid":"MZ1","sequenceNumber":"4","stop":{"accountSid":"AC1","callSid":"CA1"}})");
    t.feed(client_frame(std::string("\x03\xe8", 2), WsOpcode::close));
    CHECK(t.stream.closed());
    t.stream.on_peer_gone();
    CHECK(t.log.lines == std::vector<std::string>{"WS_CONNECTED mode=ECHO hebrew_realtime=True",
                                                  "WS_START sid=MZ1 mode=ECHO", "WS_STOP sid=MZ1 frames=1 rx=1 tx=1",
                                                  "WS_DONE sid=MZ1 rx=1 tx=1"});
    CHECK(events(t.sent()) == std::vector<std::string>{"clear", "media", "opcode 8"});
}

TEST_CASE("media_stream: a peer that leaves without stop is WS_CLOSED") {
    StreamUnderTest t(WsMode::sink);
    t.stream.on_peer_gone();
    t.stream.on_peer_gone();
    CHECK(t.log.lines == std::vector<std::string>{"WS_CONNECTED mode=SINK hebrew_realtime=True",
                                                  "WS_CLOSED sid=- frames=0 rx=0 tx=0", "WS_DONE sid=- rx=0 tx=0"});
}

TEST_CASE("media_stream: nothing but a close frame is sent after stop") {
    StreamUnderTest t(WsMode::echo);
    t.start();
    t.text(R"({"event":"stop","streamSid":"MZ1"})");
    t.media(one_frame);
    t.feed(client_frame("hi", WsOpcode::ping));
    CHECK(events(t.sent()) == std::vector<std::string>{"opcode 8"});
    CHECK(t.state().rx == 0);
}

TEST_CASE("media_stream: before start and for a foreign stream nothing is answered") {
    StreamUnderTest t(WsMode::echo);
    t.media(one_frame);
    CHECK(t.sent().empty());
    t.start();
    t.text(R"({"event":"media","media":{"payload":"/w=="},"streamSid":"MZ_other"})");
    t.text(R"({"event":"media","media":{"payload":"not base64!"},"streamSid":"MZ1"})");
    CHECK(t.sent().empty());
    CHECK(t.state().rx == 0);
}

TEST_CASE("media_stream: invalid JSON is logged and the call goes on; a flood of it is not a flood of lines") {
    StreamUnderTest t(WsMode::echo);
    t.start();
    t.text("{nonsense");
    CHECK(t.log.lines.back() == "WS_BAD_JSON sid=MZ1");
    for (int i = 0; i < 1000; ++i) {
        t.text("{nonsense");
    }
    CHECK(t.log.lines.size() < 30);
    t.media(one_frame);
    CHECK(t.state().rx == 1);
}

TEST_CASE("media_stream: start without ids waits, with a strange format is refused, twice is ignored") {
    StreamUnderTest t(WsMode::echo);
    t.text(R"({"event":"start","start":{}})");
    CHECK(t.state().phase == StreamPhase::waiting);
    t.start();
    t.text(R"({"event":"start","start":{"streamSid":"MZ2"},"streamSid":"MZ2"})");
    CHECK(t.state().stream_sid.view() == "MZ1");
    StreamUnderTest other(WsMode::echo);
    other.text(
        R"({"event":"start","start":{"streamSid":"MZ1","mediaFormat":{"encoding":"audio/l16","sampleRate":16000,"channels":1}}})");
    CHECK(other.stream.closed());
    CHECK(other.sent().back().close_code() == 1003);
}

TEST_CASE("media_stream: an id that does not fit the slot is not used, one that fits is") {
    StreamUnderTest t(WsMode::echo);
    t.text(R"({"event":"start","start":{"streamSid":")" + std::string(64, 'M') + R"("}})");
    CHECK(t.state().phase == StreamPhase::waiting);
    t.text(R"({"event":"start","start":{"streamSid":")" + std::string(63, 'M') + R"("}})");
    CHECK(t.state().phase == StreamPhase::streaming);
}

TEST_CASE("media_stream: with signatures on, a start without our token is closed with 1008") {
    const auto token = [](std::string_view sid, std::string_view text) { return sid == "CA1" && text == "good"; };
    StreamUnderTest t(WsMode::ai, token);
    t.start(R"("token":"bad")");
    CHECK(t.stream.closed());
    auto frames = t.sent();
    REQUIRE(frames.size() == 1);
    CHECK(frames[0].close_code() == 1008);
    StreamUnderTest good(WsMode::ai, token);
    good.start(R"("token":"good")");
    CHECK(good.state().phase == StreamPhase::streaming);
}

TEST_CASE("media_stream: protocol errors close with the code of RFC 6455") {
    const auto code = [](const Bytes& bytes) {
        StreamUnderTest t(WsMode::echo);
        t.start();
        t.feed(bytes);
        CHECK(t.stream.closed());
        const auto frames = t.sent();
        return frames.size() == 1 ? frames[0].close_code() : 0U;
    };
    CHECK(code({0x81, 0x01, 'x'}) == 1002);
    CHECK(code(client_frame("x", WsOpcode::binary)) == 1003);
    CHECK(code(client_frame("x", WsOpcode::continuation)) == 1002);
    CHECK(code(client_frame("\xff\xfe")) == 1007);
    CHECK(code(client_frame(std::string(message_bytes_max + 1, 'x'))) == 1009);
    CHECK(code(client_frame("\x03", WsOpcode::close)) == 1002);
    CHECK(code(client_frame(std::string("\x03\xee", 2), WsOpcode::close)) == 1002);  // 1006 is never sent.
    CHECK(code(client_frame("", WsOpcode::close)) == 1005);
    CHECK(code(client_frame(std::string("\x0b\xb8", 2), WsOpcode::close)) == 3000);
    Bytes two = client_frame("a", WsOpcode::text, false);
    const Bytes again = client_frame("b", WsOpcode::text, true);
    two.insert(two.end(), again.begin(), again.end());
    CHECK(code(two) == 1002);
}

TEST_CASE("media_stream: fragments with pings between them make one message, up to the limit") {
    StreamUnderTest t(WsMode::echo);
    t.start();
    const std::string message = R"({"event":"media","media":{"payload":"AAECAw=="},"streamSid":"MZ1"})";
    t.feed(client_frame(message.substr(0, 10), WsOpcode::text, false));
    t.feed(client_frame("ping!", WsOpcode::ping));
    t.feed(client_frame(message.substr(10, 20), WsOpcode::continuation, false));
    t.feed(client_frame("", WsOpcode::continuation, false));
    t.feed(client_frame(message.substr(30), WsOpcode::continuation, true));
    const auto frames = t.sent();
    CHECK(events(frames) == std::vector<std::string>{"opcode 10", "clear", "media"});
    CHECK(frames[0].payload == "ping!");
    t.feed(client_frame(std::string(message_bytes_max, ' '), WsOpcode::text, false));
    CHECK_FALSE(t.stream.closed());
    t.feed(client_frame("x", WsOpcode::continuation, true));
    CHECK(t.stream.closed());
    CHECK(t.sent().back().close_code() == 1009);
}

TEST_CASE("media_stream: bytes split anywhere give the same answer as bytes at once") {
    Bytes all;
    for (const std::string& payload : {
             std::string(R"({"event":"start","start":{"streamSid":"MZ1","callSid":"CA1"},"streamSid":"MZ1"})"),
             std::string(R"({"event":"media","media":{"payload":"AAECAw=="},"streamSid":"MZ1"})"),
             std::string(R"({"event":"media","media":{"payload":"/w=="},"streamSid":"MZ1"})"),
         }) {
        const Bytes frame = client_frame(payload);
        all.insert(all.end(), frame.begin(), frame.end());
    }
    StreamUnderTest whole(WsMode::echo);
    CHECK(whole.feed(all) == all.size());
    const std::string expected = whole.sent_bytes();
    for (std::size_t cut = 0; cut <= all.size(); ++cut) {
        StreamUnderTest t(WsMode::echo);
        const std::size_t used = t.feed(Bytes(all.begin(), all.begin() + static_cast<long>(cut)));
        REQUIRE(used <= cut);
        t.feed(Bytes(all.begin() + static_cast<long>(used), all.end()));
        REQUIRE(t.sent_bytes() == expected);
    }
}

TEST_CASE("media_stream: a peer that does not read stops being read, and goes on when it does") {
    StreamUnderTest t(WsMode::echo);
    t.start();
    const Bytes frame =
        client_frame(R"({"event":"media","media":{"payload":")" + loud_frame() + R"("},"streamSid":"MZ1"})");
    int taken = 0;
    while (t.feed(frame) == frame.size()) {
        ++taken;
        REQUIRE(taken < 1000);
    }
    CHECK(t.stream.stalled());
    CHECK_FALSE(t.stream.closed());
    CHECK(taken > 50);
    std::size_t answers = t.sent().size();
    while (t.feed(frame) == frame.size() && taken < 500) {
        ++taken;
        answers += t.sent().size();
    }
    CHECK(taken == 500);
    CHECK(answers == 1 + 500 + 500 / 50);
}

TEST_CASE("media_stream: deadlines end a stream that never starts, goes silent, or does not answer a close") {
    StreamUnderTest t(WsMode::sink);
    t.now += t.context.start_max;
    t.stream.on_tick(t.now);
    CHECK(t.sent().empty());
    t.now += 1ms;
    t.stream.on_tick(t.now);
    CHECK(t.sent().back().close_code() == 1008);
    t.now += t.context.close_max + 1ms;
    t.stream.on_tick(t.now);
    CHECK(t.stream.closed());

    StreamUnderTest silent(WsMode::sink);
    silent.start();
    silent.now += silent.context.silence_max;
    silent.stream.on_tick(silent.now);
    CHECK_FALSE(silent.stream.closed());
    silent.now += 1ms;
    silent.stream.on_tick(silent.now);
    CHECK(silent.stream.closed());
    CHECK(silent.log.lines.back() == "WS_DONE sid=MZ1 rx=0 tx=0");
}

TEST_CASE("media_stream: who talks on after our close frame is waited for no longer than who is silent") {
    StreamUnderTest t(WsMode::sink);
    t.start();
    t.stream.close(1000, "the agent said goodbye", t.now);
    const TimePoint end = t.now + t.context.close_max;
    while (t.now < end) {
        t.media(one_frame);
        t.stream.on_tick(t.now);
        CHECK_FALSE(t.stream.closed());
        t.now += 20ms;
    }
    t.now = end + 1ms;
    t.stream.on_tick(t.now);
    CHECK(t.stream.closed());
}

TEST_CASE("media_stream: a step that is not committed leaves no trace") {
    StreamUnderTest t(WsMode::echo);
    t.start();
    t.media(one_frame);
    const CallState before = t.state();
    const std::string queued = [&] {
        std::string out;
        for (const auto piece : t.call().unsent().pieces) {
            out.append(reinterpret_cast<const char*>(piece.data()), piece.size());
        }
        return out;
    }();
    {
        CallHandle handle = t.call();  // The process dies after this, before commit().
        CallState& next = handle.begin();
        next.rx = 99;
        handle.append(Bytes(1000, 'x'));
    }
    CHECK(t.state().rx == before.rx);
    CHECK(t.state().send.tail == before.send.tail);
    CHECK(t.sent_bytes() == queued);
    t.media(one_frame);
    CHECK(t.state().rx == 2);
}

TEST_CASE("media_stream: a condemned call is closed with 1011 and nothing of it is looked at any more") {
    StreamUnderTest t(WsMode::echo);
    t.start();
    t.media(one_frame);
    (void)t.sent();
    t.stream.condemn("it ends workers", t.now);
    const auto frames = t.sent();
    REQUIRE(frames.size() == 1);
    CHECK(frames[0].opcode == WsOpcode::close);
    CHECK(frames[0].payload == "\x03\xf3");
    const Bytes junk(5000, 0xff);
    const std::uint64_t parsed = t.state().frames.parsed;
    CHECK(t.feed(junk) == junk.size());
    CHECK(t.state().frames.parsed == parsed + junk.size());
    CHECK(t.sent().empty());
    CHECK(t.state().rx == 1);
    t.now += std::chrono::milliseconds(1001);
    t.stream.on_tick(t.now);
    CHECK(t.stream.closed());
    CHECK(std::count(t.log.lines.begin(), t.log.lines.end(), "WS_DONE sid=MZ1 rx=1 tx=1") == 1);
}

TEST_CASE("media_stream: what ends a call for good, and what only breaks it off") {
    const auto fate = [](auto&& end) {
        StreamUnderTest t(WsMode::echo);
        t.start();
        end(t);
        return t.state().fate;
    };
    const auto peer_closes = [&](std::string payload) {
        return fate([&](StreamUnderTest& t) { t.feed(client_frame(payload, WsOpcode::close)); });
    };
    CHECK(fate([](StreamUnderTest&) {}) == StreamFate::open);
    CHECK(fate([](StreamUnderTest& t) { t.stream.on_peer_gone(); }) == StreamFate::lost);
    CHECK(fate([](StreamUnderTest& t) {
              t.text(R"({"event":"stop","streamSid":"MZ1"})");
              t.stream.on_peer_gone();
          }) == StreamFate::finished);
    CHECK(peer_closes("\x03\xe8") == StreamFate::finished);  // 1000
    CHECK(peer_closes("") == StreamFate::finished);          // 1005
    CHECK(peer_closes("\x03\xe9") == StreamFate::lost);      // 1001: a proxy that restarts.
    CHECK(peer_closes("\x03\xf4") == StreamFate::lost);      // 1012
    CHECK(fate([](StreamUnderTest& t) { t.stream.close(ws_close::normal, "goodbye", t.now); }) == StreamFate::finished);
    CHECK(fate([](StreamUnderTest& t) { t.stream.close(ws_close::going_away, "stop", t.now); }) == StreamFate::lost);
    CHECK(fate([](StreamUnderTest& t) { t.stream.close(ws_close::internal, "take-over", t.now); }) == StreamFate::lost);
    CHECK(fate([](StreamUnderTest& t) { t.stream.condemn("poison", t.now); }) == StreamFate::finished);
    CHECK(fate([](StreamUnderTest& t) {
              t.now += std::chrono::seconds(11);
              t.stream.on_tick(t.now);
          }) == StreamFate::lost);
}

TEST_CASE("media_stream: a stream with a resume token goes on counting and does not greet again") {
    StreamUnderTest first(WsMode::ai);
    first.start();
    first.media(one_frame);
    for (int i = 0; i < 25; ++i) {  // The greeting is said to its end; no mark says so, but the clock.
        first.now += std::chrono::milliseconds(100);
        first.stream.on_tick(first.now);
    }
    first.stream.on_peer_gone();
    const CallState lost = first.state();
    CHECK(lost.conversation.sentences_heard == 1);

    StreamUnderTest t(WsMode::ai);
    t.context.resume = [&](std::string_view call, std::string_view token) -> std::optional<ResumedCall> {
        return call == "CA1" && token == "good" ? std::optional(ResumedCall{2, &first.call().voice(), lost})
                                                : std::nullopt;
    };
    t.start(R"("resume":"good")");
    CHECK(t.state().resumes == 2);
    CHECK(t.state().rx == 1);
    CHECK(t.state().tx == lost.tx);
    CHECK(t.state().conversation.turn == lost.conversation.turn);
    CHECK(t.sent().empty());
    CHECK(std::count(t.log.lines.begin(), t.log.lines.end(),
                     "event=call_resumed call=CA1 stream=MZ1 resume=2 known=true rx=1 tx=" + std::to_string(lost.tx)) ==
          1);
    CHECK(t.call().entry().sid_key.load() != 0);

    StreamUnderTest forged(WsMode::ai);
    forged.context.resume = t.context.resume;
    forged.start(R"("resume":"bad")");
    CHECK(forged.state().resumes == 0);
    CHECK(events(forged.sent()).size() == 5);  // The greeting.

    StreamUnderTest interrupted(WsMode::ai);  // Broken off in the middle of the greeting: it is said again.
    StreamUnderTest broken(WsMode::ai);
    broken.start();
    const auto greeting = events(broken.sent());
    broken.stream.on_peer_gone();
    interrupted.context.resume = [&](std::string_view, std::string_view) {
        return std::optional(ResumedCall{1, &broken.call().voice(), broken.state()});
    };
    interrupted.start(R"("resume":"good")");
    CHECK(events(interrupted.sent()) == greeting);
}
