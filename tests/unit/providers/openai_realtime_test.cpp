#include "worker/providers/openai_realtime.hpp"

#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "worker/digest.hpp"
#include "worker/providers/google_speech.hpp"

using namespace agentlocator;
using namespace std::chrono_literals;
using nlohmann::json;
using Kind = RealtimeEvent::Kind;

namespace {

RealtimeServer server(bool beta = false) {
    return {"wss://api.openai.com/v1/realtime", "sk-test", "gpt-realtime-2.1", "marin", "gpt-transcribe", beta};
}

// A session with what it said and sent.
struct Talk {
    RealtimeProtocol protocol{server(), {"be kind", "he", "", {{"find", "d", "{}"}}, {}}};
    std::vector<RealtimeEvent> events;
    std::vector<std::string> messages;

    void hear(const json& event) {
        events.clear();
        messages.clear();
        protocol.on_text(event.dump(), events, messages);
    }
    std::string sent(std::size_t i) const { return i < messages.size() ? json::parse(messages[i])["type"] : "(none)"; }
};

Talk ready() {
    Talk talk;
    talk.hear({{"type", "session.updated"}});
    REQUIRE(talk.events.size() == 1);
    CHECK(talk.events[0].kind == Kind::ready);
    return talk;
}

json audio(const std::string& item, std::size_t bytes) {
    return {{"type", "response.output_audio.delta"}, {"item_id", item}, {"delta", to_base64(std::string(bytes, 'a'))}};
}

const std::vector<std::uint8_t> frame(160, 0x55);

}  // namespace

TEST_CASE("openai_realtime: the session is configured for the telephone, with turns decided by us") {
    const json ga = json::parse(Talk().protocol.configuration())["session"];
    CHECK(ga["type"] == "realtime");
    CHECK(ga["audio"]["input"]["format"]["type"] == "audio/pcmu");
    CHECK(ga["audio"]["output"]["format"]["type"] == "audio/pcmu");
    CHECK(ga["audio"]["input"]["turn_detection"].is_null());
    CHECK(ga["audio"]["input"]["transcription"] == json{{"model", "gpt-transcribe"}, {"languages", {"he"}}});
    CHECK(ga["tools"][0]["name"] == "find");
    CHECK_FALSE(ga.contains("model"));  // It cannot change, and asking is an error.
    const json beta = json::parse(RealtimeProtocol(server(true), {}).configuration())["session"];
    CHECK(beta["input_audio_format"] == "g711_ulaw");
    CHECK_FALSE(beta.contains("type"));
    CHECK(server().socket_url() == "wss://api.openai.com/v1/realtime?model=gpt-realtime-2.1");
    CHECK(server().headers().size() == 1);
    CHECK(server(true).headers()[1].name == "OpenAI-Beta");
}

TEST_CASE("openai_realtime: when the session ends is told with its being ready; nonsense is nothing") {
    Talk told;
    told.hear({{"type", "session.created"}, {"session", {{"expires_at", 1'795'203'600}}}});
    told.hear({{"type", "session.updated"}, {"session", {{"expires_at", nullptr}}}});
    CHECK(told.events.at(0).expires_at == 1'795'203'600);
    for (const json& wrong : {json("soon"), json(-1), json(1e300), json(json::object())}) {
        Talk talk;
        talk.hear({{"type", "session.updated"}, {"session", {{"expires_at", wrong}}}});
        CHECK(talk.events.at(0).expires_at == 0);
    }
}

TEST_CASE("openai_realtime: no sound before session.updated, and what the caller said behind it") {
    Talk talk;
    for (int i = 0; i < 100; ++i) {
        talk.protocol.push(frame, talk.messages);
    }
    CHECK(talk.messages.empty());
    talk.hear({{"type", "session.created"}});
    CHECK(talk.messages.empty());
    talk.hear({{"type", "session.updated"}});
    REQUIRE(talk.messages.size() == 1);
    CHECK(from_base64(json::parse(talk.messages[0])["audio"].get<std::string>())->size() == 16'000);
    talk.messages.clear();
    talk.protocol.push(frame, talk.messages);
    CHECK(talk.messages.empty());
    talk.protocol.push(frame, talk.messages);
    CHECK(talk.sent(0) == "input_audio_buffer.append");
}

TEST_CASE("openai_realtime: of a session that does not become ready, no more is kept than the limit") {
    Talk talk;
    const std::vector<std::uint8_t> most(RealtimeProtocol::early_audio_max, 0x55);
    talk.protocol.push(most, talk.messages);
    talk.protocol.push(std::span(frame).first(1), talk.messages);
    talk.hear({{"type", "session.updated"}});
    CHECK(from_base64(json::parse(talk.messages[0])["audio"].get<std::string>())->size() == most.size());
}

TEST_CASE("openai_realtime: the end of a turn commits and asks for an answer; a short one is filled up") {
    Talk talk = ready();
    for (int i = 0; i < 5; ++i) {
        talk.protocol.push(frame, talk.messages);
    }
    talk.messages.clear();
    talk.protocol.end_of_turn(1, talk.messages);
    CHECK(talk.sent(0) == "input_audio_buffer.append");
    CHECK(talk.sent(1) == "input_audio_buffer.commit");
    CHECK(talk.sent(2) == "response.create");
    talk.messages.clear();
    talk.protocol.push(std::span(frame).first(100), talk.messages);
    talk.protocol.end_of_turn(2, talk.messages);
    CHECK(from_base64(json::parse(talk.messages[0])["audio"].get<std::string>())->size() ==
          RealtimeProtocol::turn_bytes_min);
    CHECK(talk.sent(1) == "input_audio_buffer.commit");
    CHECK(talk.sent(2) == "(none)");  // The answer to the first is still being made.
    talk.hear({{"type", "response.done"}, {"response", {{"status", "completed"}}}});
    CHECK(talk.sent(0) == "response.create");
}

TEST_CASE("openai_realtime: a cough is cleared away, what was not sent of it, too") {
    Talk talk = ready();
    for (int i = 0; i < 3; ++i) {
        talk.protocol.push(frame, talk.messages);
    }
    talk.messages.clear();
    talk.protocol.drop_turn(talk.messages);
    CHECK(talk.sent(0) == "input_audio_buffer.clear");
    talk.messages.clear();
    talk.protocol.push(frame, talk.messages);
    CHECK(talk.messages.empty());
    talk.protocol.push(frame, talk.messages);
    CHECK(from_base64(json::parse(talk.messages[0])["audio"].get<std::string>())->size() == 320);
}

TEST_CASE("openai_realtime: a turn that ended before the session was ready is answered when it is") {
    Talk talk;
    for (int i = 0; i < 10; ++i) {
        talk.protocol.push(frame, talk.messages);
    }
    talk.protocol.end_of_turn(1, talk.messages);
    CHECK(talk.messages.empty());
    talk.hear({{"type", "session.updated"}});
    CHECK(talk.sent(0) == "input_audio_buffer.append");
    CHECK(talk.sent(1) == "input_audio_buffer.commit");
    CHECK(talk.sent(2) == "response.create");
}

TEST_CASE("openai_realtime: what the caller said belongs to its turn, however late it is written down") {
    Talk talk = ready();
    for (const std::uint32_t turn : {4U, 6U}) {
        talk.protocol.push(frame, talk.messages);
        talk.protocol.end_of_turn(turn, talk.messages);
    }
    talk.hear({{"type", "input_audio_buffer.committed"}, {"item_id", "a"}});
    talk.hear({{"type", "input_audio_buffer.committed"}, {"item_id", "b"}});
    const std::string written = "conversation.item.input_audio_transcription.completed";
    talk.hear({{"type", written}, {"item_id", "b"}, {"transcript", "second"}});
    CHECK(talk.events[0].turn == 6);
    talk.hear({{"type", written}, {"item_id", "a"}, {"transcript", "first"}});
    CHECK(talk.events[0].turn == 4);
    CHECK(talk.events[0].text == "first");
    talk.hear({{"type", written}, {"item_id", "?"}, {"transcript", "x"}});  // A server that named none.
    CHECK(talk.events[0].turn == 6);
}

TEST_CASE("openai_realtime: what is heard comes out, by the names of the beta too") {
    Talk talk = ready();
    talk.hear({{"type", "response.created"}});
    CHECK(talk.protocol.expects_audio());
    for (const char* name : {"response.output_audio.delta", "response.audio.delta"}) {
        talk.hear({{"type", name}, {"item_id", "i"}, {"delta", to_base64("abc")}});
        REQUIRE(talk.events.size() == 1);
        CHECK(talk.events[0].kind == Kind::audio);
        CHECK(talk.events[0].text == "abc");
    }
    talk.hear({{"type", "response.audio_transcript.done"}, {"item_id", "i"}, {"transcript", "שלום"}});
    CHECK(talk.events[0].kind == Kind::agent_text);
    CHECK(talk.events[0].final);
    talk.hear({{"type", "something.new"}});
    CHECK(talk.events.empty());
    talk.hear({{"type", "response.done"}, {"response", {{"status", "completed"}}}});
    CHECK(talk.events[0].kind == Kind::turn_done);
    CHECK_FALSE(talk.protocol.expects_audio());
}

TEST_CASE("openai_realtime: results of tools are all there before more is asked for") {
    Talk talk = ready();
    talk.hear({{"type", "response.created"}});
    talk.hear({{"type", "response.function_call_arguments.done"},
               {"call_id", "c1"},
               {"name", "find"},
               {"arguments", "{\"a\":1}"}});
    REQUIRE(talk.events.size() == 1);
    CHECK(talk.events[0].tool.arguments == "{\"a\":1}");
    talk.messages.clear();
    talk.protocol.tool_result("c1", "{}", talk.messages);
    talk.protocol.tool_result("c2", "{}", talk.messages);
    talk.protocol.go_on({}, talk.messages);  // The response that called runs on: not yet.
    REQUIRE(talk.messages.size() == 2);
    CHECK(talk.sent(0) == "conversation.item.create");
    CHECK(talk.sent(1) == "conversation.item.create");
    talk.hear({{"type", "response.done"}, {"response", {{"status", "completed"}}}});
    CHECK(talk.sent(0) == "response.create");
    talk.hear({{"type", "response.done"}, {"response", {{"status", "completed"}}}});
    CHECK(talk.messages.empty());
}

TEST_CASE("openai_realtime: of a response that was cancelled nothing comes out, and the next one waits for its end") {
    Talk talk = ready();
    talk.hear({{"type", "response.created"}});
    talk.hear(audio("i", 16'000));
    talk.messages.clear();
    talk.protocol.cancel(talk.messages);
    talk.protocol.cancel(talk.messages);  // Once is enough.
    REQUIRE(talk.messages.size() == 1);
    CHECK(talk.sent(0) == "response.cancel");
    talk.protocol.go_on("x", talk.messages);
    CHECK(talk.messages.size() == 1);
    talk.hear(audio("i", 800));
    CHECK(talk.events.empty());
    talk.hear({{"type", "response.output_audio_transcript.done"}, {"item_id", "i"}, {"transcript", "no"}});
    CHECK(talk.events.empty());
    talk.hear({{"type", "response.done"}, {"response", {{"status", "cancelled"}}}});
    CHECK(talk.events.empty());
    CHECK(talk.sent(0) == "response.create");
    talk.hear(audio("j", 800));
    CHECK(talk.events.size() == 1);
}

TEST_CASE("openai_realtime: what was not heard of an item is taken back, also when its response is long over") {
    Talk talk = ready();
    talk.hear({{"type", "response.created"}});
    talk.hear(audio("i", 16'000));  // Two seconds, faster than they can be played.
    talk.hear({{"type", "response.done"}, {"response", {{"status", "completed"}}}});
    talk.hear({{"type", "response.created"}});
    talk.messages.clear();
    talk.protocol.interrupted("i", 1840ms, talk.messages);
    REQUIRE(talk.messages.size() == 1);
    CHECK(json::parse(talk.messages[0])["type"] == "conversation.item.truncate");
    CHECK(json::parse(talk.messages[0])["audio_end_ms"] == 1840);
    talk.messages.clear();
    talk.protocol.interrupted("i", 2s, talk.messages);  // All of it was heard.
    talk.protocol.interrupted("i", 9s, talk.messages);
    talk.protocol.interrupted("unknown", 1s, talk.messages);
    CHECK(talk.messages.empty());
    talk.protocol.interrupted("i", -1ms, talk.messages);
    CHECK(json::parse(talk.messages[0])["audio_end_ms"] == 0);
}

TEST_CASE("openai_realtime: a server that makes items without end is broken off") {
    Talk talk = ready();
    talk.hear({{"type", "response.created"}});
    for (std::size_t i = 0; i < RealtimeProtocol::items_max; ++i) {
        talk.hear(audio(std::to_string(i), 8));
        REQUIRE(talk.events[0].kind == Kind::audio);
    }
    talk.hear(audio("one more", 8));
    CHECK(talk.events[0].kind == Kind::error);
}

TEST_CASE("openai_realtime: harmless errors are nothing, the others end the session with their class") {
    Talk talk = ready();
    for (const char* code : {"response_cancel_not_active", "conversation_already_has_active_response",
                             "input_audio_buffer_commit_empty"}) {
        talk.hear(
            {{"type", "error"}, {"error", {{"type", "invalid_request_error"}, {"code", code}, {"message", "m"}}}});
        CHECK(talk.events.empty());
    }
    const std::pair<const char*, ProviderErrorClass> codes[] = {
        {"session_expired", ProviderErrorClass::lifetime},  {"insufficient_quota", ProviderErrorClass::quota},
        {"invalid_api_key", ProviderErrorClass::auth},      {"rate_limit_exceeded", ProviderErrorClass::rate_limited},
        {"invalid_value", ProviderErrorClass::bad_request}, {"server_error", ProviderErrorClass::server}};
    for (const auto& entry : codes) {
        talk.hear({{"type", "error"}, {"error", {{"code", entry.first}, {"message", "m"}}}});
        REQUIRE(talk.events.size() == 1);
        CHECK(talk.events[0].error->error_class == entry.second);
    }
    talk.hear(
        {{"type", "response.done"},
         {"response", {{"status", "failed"}, {"status_details", {{"error", {{"code", "rate_limit_exceeded"}}}}}}}});
    REQUIRE(talk.events.size() == 1);
    CHECK(talk.events[0].error->error_class == ProviderErrorClass::rate_limited);
    talk.hear({{"type", "response.output_audio.delta"}, {"item_id", "x"}, {"delta", "!"}});
    CHECK(talk.events[0].kind == Kind::error);
}

TEST_CASE("openai_realtime: words to say wait for the session and for the response that runs") {
    Talk talk;
    talk.protocol.say("שלום", talk.messages);
    talk.protocol.say("וברכה", talk.messages);
    CHECK(talk.messages.empty());
    talk.hear({{"type", "session.updated"}});
    REQUIRE(talk.messages.size() == 1);
    CHECK(json::parse(talk.messages[0])["response"]["instructions"].get<std::string>().ends_with(": שלום וברכה"));
    talk.messages.clear();
    talk.protocol.say("להתראות", talk.messages);
    CHECK(talk.messages.empty());
    talk.hear({{"type", "response.done"}, {"response", {{"status", "completed"}}}});
    CHECK(json::parse(talk.messages[0])["response"]["instructions"].get<std::string>().ends_with(": להתראות"));
}

TEST_CASE("openai_realtime: keys are told as the caller's words, before the session is ready, too") {
    for (const bool early : {false, true}) {
        Talk talk = early ? Talk() : ready();
        talk.messages.clear();
        talk.protocol.hear("[keyed in: 42]", talk.messages);
        if (early) {
            CHECK(talk.messages.empty());
            talk.hear({{"type", "session.updated"}});
        }
        REQUIRE(talk.messages.size() == 2);
        CHECK(json::parse(talk.messages[0])["item"]["content"][0] ==
              json{{"type", "input_text"}, {"text", "[keyed in: 42]"}});
        CHECK(json::parse(talk.messages[1]) == json{{"type", "response.create"}});
    }
}

TEST_CASE("openai_realtime: a conversation that went on elsewhere comes with its history") {
    RealtimeProtocol protocol(server(), {"x",
                                         "he",
                                         "",
                                         {},
                                         {{ChatMessage::Role::system, "no", {}, {}},
                                          {ChatMessage::Role::user, "a", {}, {}},
                                          {ChatMessage::Role::assistant, "b", {}, {}}}});
    std::vector<RealtimeEvent> events;
    std::vector<std::string> messages;
    protocol.on_text(R"({"type":"session.updated"})", events, messages);
    REQUIRE(messages.size() == 2);
    CHECK(json::parse(messages[0])["item"]["content"][0]["type"] == "input_text");
    CHECK(json::parse(messages[1])["item"]["content"][0] == json{{"type", "output_text"}, {"text", "b"}});
}
