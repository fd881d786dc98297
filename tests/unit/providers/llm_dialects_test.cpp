// Anthropic and Gemini: streams as their vendors send them, and histories as they want them.
#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "worker/providers/anthropic.hpp"
#include "worker/providers/gemini.hpp"

using namespace agentlocator;
using nlohmann::json;

namespace {

struct Heard {
    std::string text;
    std::vector<ToolCall> tools;
    std::optional<LlmFinish> finish;
    std::optional<ProviderError> error;
    int terminals = 0;
};

Heard hear(LlmDecoder& decoder, const std::vector<std::string>& events) {
    Heard heard;
    const auto take = [&](const LlmOutput& out) {
        heard.text += out.text;
        heard.tools.insert(heard.tools.end(), out.tools.begin(), out.tools.end());
        heard.terminals += (out.finish ? 1 : 0) + (out.error ? 1 : 0);
        heard.finish = out.finish ? out.finish : heard.finish;
        heard.error = out.error ? out.error : heard.error;
        return !out.finish && !out.error;
    };
    for (const std::string& event : events) {
        LlmOutput out;
        decoder.on_event({"", event}, out);
        if (!take(out)) {
            return heard;
        }
    }
    LlmOutput out;
    decoder.on_end(out);
    take(out);
    return heard;
}

Heard anthropic(const std::vector<std::string>& events) {
    AnthropicDecoder decoder({"anthropic", "chat", "", "", ""});
    return hear(decoder, events);
}

Heard gemini(const std::vector<std::string>& events) {
    GeminiDecoder decoder({"gemini", "chat", "", "", ""});
    return hear(decoder, events);
}

LlmRequest history() {
    LlmRequest request;
    request.messages = {{ChatMessage::Role::system, "את נציגה", {}, {}},
                        {ChatMessage::Role::assistant, "שלום", {}, {}},
                        {ChatMessage::Role::user, "תור", {}, {}},
                        {ChatMessage::Role::assistant, "רגע", {{"call_0~SIG", "find", "{\"a\":1}"}}, {}},
                        {ChatMessage::Role::tool, "{\"ok\":true}", {}, "call_0~SIG"},
                        {ChatMessage::Role::user, "תודה", {}, {}}};
    request.tools = {{"find", "d", R"({"type":"object"})"}};
    return request;
}

const std::string text_delta =
    R"({"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"רגע. "}})";
const std::string stop_tool = R"({"type":"message_delta","delta":{"stop_reason":"tool_use"}})";
const std::string message_stop = R"({"type":"message_stop"})";

}  // namespace

TEST_CASE("anthropic: text is spoken, thinking is not, a tool call is put together") {
    const Heard heard = anthropic(
        {R"({"type":"message_start","message":{"id":"m"}})",
         R"({"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}})", R"({"type":"ping"})",
         text_delta, R"({"type":"content_block_stop","index":0})",
         R"({"type":"content_block_delta","index":1,"delta":{"type":"thinking_delta","thinking":"hm"}})",
         R"({"type":"content_block_start","index":2,"content_block":{"type":"tool_use","id":"t1","name":"find","input":{}}})",
         R"({"type":"content_block_delta","index":2,"delta":{"type":"input_json_delta","partial_json":"{\"da"}})",
         R"({"type":"content_block_delta","index":2,"delta":{"type":"input_json_delta","partial_json":"te\":1}"}})",
         stop_tool, message_stop, "garbage after the end"});
    CHECK(heard.text == "רגע. ");
    REQUIRE(heard.tools.size() == 1);
    CHECK(heard.tools[0].id == "t1");
    CHECK(heard.tools[0].arguments == "{\"date\":1}");
    CHECK(heard.finish == LlmFinish::tool_calls);
    CHECK(heard.terminals == 1);
}

TEST_CASE("anthropic: every way to stop") {
    const auto stopped = [](const std::string& reason) {
        return anthropic(
            {text_delta, R"({"type":"message_delta","delta":{"stop_reason":")" + reason + "\"}}", message_stop});
    };
    CHECK(stopped("end_turn").finish == LlmFinish::stop);
    CHECK(stopped("max_tokens").finish == LlmFinish::length);
    CHECK(stopped("refusal").finish == LlmFinish::content_filter);
    CHECK(anthropic({text_delta, stop_tool}).finish == LlmFinish::stop);  // message_stop alone may be missing.
    CHECK(anthropic({text_delta}).error->error_class == ProviderErrorClass::server);
    CHECK(anthropic({}).error->error_class == ProviderErrorClass::server);
    CHECK(anthropic({message_stop}).error->error_class == ProviderErrorClass::server);
    CHECK(anthropic({R"({"type":"error","error":{"type":"overloaded_error","message":"m"}})"}).error->error_class ==
          ProviderErrorClass::server);
    CHECK(anthropic({text_delta, "{"}).error->error_class == ProviderErrorClass::protocol);
}

TEST_CASE("anthropic: the history alternates, begins with the user, and its tool results are the user's") {
    const AnthropicMessages dialect({"https://api.anthropic.com", "ak-test", "2026-10-21", "m", 200});
    const HttpCall call = dialect.request(history());
    CHECK(call.url == "https://api.anthropic.com/v1/messages");
    const json body = json::parse(call.body);
    CHECK(body["system"][0]["text"] == "את נציגה");
    CHECK(body["max_tokens"] == 200);
    CHECK_FALSE(body.contains("temperature"));
    const json& messages = body["messages"];
    REQUIRE(messages.size() == 5);
    for (std::size_t i = 0; i < messages.size(); ++i) {
        CHECK(messages[i]["role"] == (i % 2 == 0 ? "user" : "assistant"));
    }
    CHECK(messages[3]["content"][1]["type"] == "tool_use");
    CHECK(messages[3]["content"][1]["input"] == json{{"a", 1}});
    CHECK(messages[4]["content"][0]["type"] == "tool_result");
    CHECK(messages[4]["content"][1]["text"] == "תודה");
    CHECK(body["tools"][0]["input_schema"] == json{{"type", "object"}});
}

TEST_CASE("gemini: text is spoken, thoughts are not, calls come whole") {
    const Heard heard = gemini(
        {R"({"candidates":[{"content":{"parts":[{"text":"hm","thought":true},{"text":"שלום"}]}}]})",
         R"({"candidates":[{"content":{"parts":[{"functionCall":{"name":"find","args":{"date":"x"}},"thoughtSignature":"SIG"}]},"finishReason":"STOP"}]})",
         R"({"usageMetadata":{"totalTokenCount":1}})"});
    CHECK(heard.text == "שלום");
    REQUIRE(heard.tools.size() == 1);
    CHECK(heard.tools[0].arguments == "{\"date\":\"x\"}");
    CHECK(heard.tools[0].id == "call_0~SIG");
    CHECK(heard.finish == LlmFinish::tool_calls);
}

TEST_CASE("gemini: every way to stop") {
    const auto stopped = [](const std::string& reason) {
        return gemini({R"({"candidates":[{"content":{"parts":[{"text":"x"}]},"finishReason":")" + reason + "\"}]}"});
    };
    CHECK(stopped("STOP").finish == LlmFinish::stop);
    CHECK(stopped("MAX_TOKENS").finish == LlmFinish::length);
    CHECK(stopped("SAFETY").finish == LlmFinish::content_filter);
    CHECK(gemini({R"({"candidates":[{"finishReason":"SAFETY"}]})"}).error->error_class ==
          ProviderErrorClass::content_filter);
    CHECK(gemini({R"({"promptFeedback":{"blockReason":"SAFETY"}})"}).error->error_class ==
          ProviderErrorClass::content_filter);
    CHECK(gemini({R"({"candidates":[{"content":{"parts":[{"text":"x"}]}}]})"}).error->error_class ==
          ProviderErrorClass::server);
    CHECK(gemini({}).error->error_class == ProviderErrorClass::server);
    CHECK(gemini({R"({"error":{"code":429,"message":"m","status":"RESOURCE_EXHAUSTED"}})"}).error->error_class ==
          ProviderErrorClass::rate_limited);
    std::vector<std::string> many(
        GeminiDecoder::calls_max + 1,
        R"({"candidates":[{"content":{"parts":[{"functionCall":{"name":"a","args":{}}}]}}]})");
    CHECK(gemini(many).error);
    many.pop_back();
    CHECK(gemini(many).tools.size() == GeminiDecoder::calls_max);
}

TEST_CASE("gemini: the history sends a call's signature back, and results by their function's name") {
    const GeminiContent dialect({"https://g.example/v1beta", "gk-test", "m", 160, "0"});
    const HttpCall call = dialect.request(history());
    CHECK(call.url == "https://g.example/v1beta/models/m:streamGenerateContent?alt=sse");
    const json body = json::parse(call.body);
    const json& contents = body["contents"];
    REQUIRE(contents.size() == 4);
    CHECK(contents[0]["role"] == "model");
    CHECK(contents[2]["parts"][1]["thoughtSignature"] == "SIG");
    CHECK(contents[3]["parts"][0]["functionResponse"] == json{{"name", "find"}, {"response", {{"ok", true}}}});
    CHECK(contents[3]["parts"][1]["text"] == "תודה");
    CHECK(body["generationConfig"] == json{{"maxOutputTokens", 160}, {"thinkingConfig", {{"thinkingBudget", 0}}}});
    CHECK_FALSE(
        json::parse(GeminiContent({"h", "k", "m", 1, "omit"}).request(history()).body)["generationConfig"].contains(
            "thinkingConfig"));
}
