#include "worker/providers/openai_realtime.hpp"

#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "worker/digest.hpp"

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

TEST_CASE("openai_realtime: no sound before session.updated, and the last second of it behind") {
    Talk talk;
    for (int i = 0; i < 100; ++i) {
        talk.protocol.push(frame, talk.messages);
    }
    CHECK(talk.messages.empty());
    talk.hear({{"type", "session.created"}});
    CHECK(talk.messages.empty());
    talk.hear({{"type", "session.updated"}});
    REQUIRE(talk.messages.size() == 1);
    CHECK(json::parse(talk.messages[0])["audio"].get<std::string>().size() ==
          (RealtimeProtocol::early_audio_max + 2) / 3 * 4);
    talk.messages.clear();
    talk.protocol.push(frame, talk.messages);
    CHECK(talk.messages.empty());
    talk.protocol.push(frame, talk.messages);
    CHECK(talk.sent(0) == "input_audio_buffer.append");
}

TEST_CASE("openai_realtime: the end of a turn commits and asks for an answer; a cough is cleared away") {
    Talk talk = ready();
    for (int i = 0; i < 5; ++i) {
        talk.protocol.push(frame, talk.messages);
    }
    talk.messages.clear();
    talk.protocol.end_of_turn(talk.messages);
    CHECK(talk.sent(0) == "input_audio_buffer.append");
    CHECK(talk.sent(1) == "input_audio_buffer.commit");
    CHECK(talk.sent(2) == "response.create");
    talk.messages.clear();
    talk.protocol.push(std::span(frame).first(100), talk.messages);
    talk.protocol.end_of_turn(talk.messages);
    CHECK(talk.sent(1) == "input_audio_buffer.clear");
}

TEST_CASE("openai_realtime: a turn that ended before the session was ready is answered when it is") {
    Talk talk;
    for (int i = 0; i < 10; ++i) {
        talk.protocol.push(frame, talk.messages);
    }
    talk.protocol.end_of_turn(talk.messages);
    CHECK(talk.messages.empty());
    talk.hear({{"type", "session.updated"}});
    CHECK(talk.sent(0) == "input_audio_buffer.append");
    CHECK(talk.sent(1) == "input_audio_buffer.commit");
    CHECK(talk.sent(2) == "response.create");
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
    talk.hear({{"type", "conversation.item.input_audio_transcription.completed"}, {"transcript", "תור"}});
    CHECK(talk.events[0].kind == Kind::user_text);
    talk.hear({{"type", "something.new"}});
    CHECK(talk.events.empty());
    talk.hear({{"type", "response.done"}, {"response", {{"status", "completed"}}}});
    CHECK(talk.events[0].kind == Kind::turn_done);
    CHECK_FALSE(talk.protocol.expects_audio());
}

TEST_CASE("openai_realtime: a tool's result asks for more only when the response that called it is over") {
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
    REQUIRE(talk.messages.size() == 1);
    CHECK(talk.sent(0) == "conversation.item.create");
    talk.hear({{"type", "response.done"}, {"response", {{"status", "completed"}}}});
    CHECK(talk.sent(0) == "response.create");
    talk.hear({{"type", "response.done"}, {"response", {{"status", "completed"}}}});
    CHECK(talk.messages.empty());
}

TEST_CASE("openai_realtime: an interruption cancels, truncates to what was heard, and drops what comes late") {
    Talk talk = ready();
    talk.hear({{"type", "response.created"}});
    talk.hear(audio("i", 16'000));  // Two seconds, faster than they can be played.
    talk.messages.clear();
    talk.protocol.interrupted("i", 1840ms, talk.messages);
    CHECK(talk.sent(0) == "response.cancel");
    CHECK(json::parse(talk.messages[1])["audio_end_ms"] == 1840);
    talk.hear(audio("i", 800));
    CHECK(talk.events.empty());
    talk.messages.clear();
    talk.protocol.interrupted("i", 9s, talk.messages);  // Past the end: an error over there, so nothing is cut.
    CHECK(talk.sent(1) == "(none)");
    talk.messages.clear();
    talk.protocol.interrupted("unknown", 1s, talk.messages);
    CHECK(talk.sent(1) == "(none)");
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
    CHECK(talk.messages.empty());
    talk.hear({{"type", "session.updated"}});
    REQUIRE(talk.messages.size() == 1);
    CHECK(json::parse(talk.messages[0])["response"]["instructions"].get<std::string>().ends_with("שלום"));
    talk.messages.clear();
    talk.protocol.say("להתראות", talk.messages);
    CHECK(talk.messages.empty());
    talk.hear({{"type", "response.done"}, {"response", {{"status", "completed"}}}});
    CHECK(talk.sent(0) == "response.create");
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
