#include "worker/providers/openai_chat.hpp"

#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

using namespace agentlocator;
using nlohmann::json;

namespace {

OpenAiServer server() {
    OpenAiServer out;
    out.place = {"openai", "chat", "OPENAI_API_KEY", "OPENAI_LLM_MODEL", "OPENAI_BASE_URL"};
    out.base_url = "https://api.openai.com/v1";
    out.key = "sk-test";
    out.model = "m";
    return out;
}

// What a stream gave in all.
struct Heard {
    std::string text;
    std::vector<ToolCall> tools;
    std::optional<LlmFinish> finish;
    std::optional<ProviderError> error;
    int terminals = 0;
};

Heard hear(const std::vector<std::string>& events) {
    OpenAiChatDecoder decoder(server().place);
    Heard heard;
    const auto take = [&](const LlmOutput& out) {
        heard.text += out.text;
        heard.tools.insert(heard.tools.end(), out.tools.begin(), out.tools.end());
        heard.terminals += out.finish ? 1 : 0;
        heard.terminals += out.error ? 1 : 0;
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

std::string delta(const std::string& inner, const std::string& finish = "null") {
    return R"({"choices":[{"index":0,"delta":)" + inner + R"(,"finish_reason":)" + finish + "}]}";
}

}  // namespace

TEST_CASE("openai_chat: a request has what the server wants and nothing it may refuse") {
    LlmRequest request;
    request.messages = {{ChatMessage::Role::system, "את נציגה", {}, {}},
                        {ChatMessage::Role::user, "שלום", {}, {}},
                        {ChatMessage::Role::assistant, "", {{"call_1", "find", "{\"a\":1}"}}, {}},
                        {ChatMessage::Role::tool, "{}", {}, "call_1"}};
    request.tools = {{"find", "d", R"({"type":"object"})"}};
    request.cache_key = "CA1";
    OpenAiServer plain = server();
    json body = json::parse(OpenAiChat(plain).request(request).body);
    CHECK(body["model"] == "m");
    CHECK(body["stream"] == true);
    CHECK(body["messages"][0] == json{{"role", "system"}, {"content", "את נציגה"}});
    CHECK(body["messages"][2]["content"].is_null());
    CHECK(body["messages"][2]["tool_calls"][0]["function"] == json{{"name", "find"}, {"arguments", "{\"a\":1}"}});
    CHECK(body["messages"][3] == json{{"role", "tool"}, {"tool_call_id", "call_1"}, {"content", "{}"}});
    CHECK(body["tools"][0]["function"]["parameters"] == json{{"type", "object"}});
    for (const char* absent : {"max_tokens", "max_completion_tokens", "reasoning_effort", "temperature",
                               "stream_options", "prompt_cache_key"}) {
        CHECK_FALSE(body.contains(absent));
    }
    plain.max_tokens = 160;
    plain.max_tokens_field = "max_completion_tokens";
    plain.reasoning_effort = "none";
    plain.temperature = "0.3";
    plain.stream_options = "obfuscation";
    plain.extra_body = R"({"keep_alive":-1,"model":"other"})";
    plain.cache_key = true;
    body = json::parse(OpenAiChat(plain).request(request).body);
    CHECK(body["max_completion_tokens"] == 160);
    CHECK(body["reasoning_effort"] == "none");
    CHECK(body["temperature"] == 0.3);
    CHECK(body["stream_options"] == json{{"include_obfuscation", false}});
    CHECK(body["prompt_cache_key"] == "CA1");
    CHECK(body["keep_alive"] == -1);
    CHECK(body["model"] == "other");
    request.max_tokens = 20;
    CHECK(json::parse(OpenAiChat(plain).request(request).body)["max_completion_tokens"] == 20);
}

TEST_CASE("openai_chat: the history may hold broken text, the request does not") {
    LlmRequest request;
    request.messages = {{ChatMessage::Role::user, "a\xff", {}, {}}};
    const json body = json::parse(OpenAiChat(server()).request(request).body, nullptr, false);
    REQUIRE(body.is_object());
    CHECK(body["messages"][0]["content"] == "a\xef\xbf\xbd");
}

TEST_CASE("openai_chat: text is spoken, reasoning is not") {
    const Heard heard = hear({delta(R"({"role":"assistant","content":""})"), delta(R"({"reasoning_content":"hm"})"),
                              delta(R"({"reasoning":"hm"})"), delta(R"({"content":"של"})"),
                              delta(R"({"content":"ום"})"), delta("{}", R"("stop")"),
                              R"({"choices":[],"usage":{"total_tokens":3}})", "[DONE]", "garbage after the end"});
    CHECK(heard.text == "שלום");
    CHECK(heard.finish == LlmFinish::stop);
    CHECK(heard.terminals == 1);
}

TEST_CASE("openai_chat: tool calls are put together by index and delivered once") {
    const Heard heard =
        hear({delta(R"({"tool_calls":[{"index":0,"id":"call_1","function":{"name":"find","arguments":""}}]})"),
              delta(R"({"tool_calls":[{"index":1,"id":"call_2","function":{"name":"save","arguments":"{}"}}]})"),
              delta(R"({"tool_calls":[{"index":0,"function":{"arguments":"{\"da"}}]})"),
              delta(R"({"tool_calls":[{"index":0,"function":{"arguments":"te\":1}"}}]})"),
              delta("{}", R"("tool_calls")"), "[DONE]"});
    REQUIRE(heard.tools.size() == 2);
    CHECK(heard.tools[0].id == "call_1");
    CHECK(heard.tools[0].arguments == "{\"date\":1}");
    CHECK(heard.tools[1].name == "save");
    CHECK(heard.finish == LlmFinish::tool_calls);
}

TEST_CASE("openai_chat: a whole call in one chunk, without id, with arguments as an object or not at all") {
    const Heard heard =
        hear({delta(R"({"tool_calls":[{"index":0,"function":{"name":"a","arguments":{"x":1}}}]})"),
              delta(R"({"tool_calls":[{"index":1,"function":{"name":"b","arguments":""}}]})", R"("stop")"), "[DONE]"});
    REQUIRE(heard.tools.size() == 2);
    CHECK(heard.tools[0].arguments == "{\"x\":1}");
    CHECK_FALSE(heard.tools[0].id.empty());
    CHECK(heard.tools[0].id != heard.tools[1].id);
    CHECK(heard.tools[1].arguments == "{}");
    CHECK(heard.finish == LlmFinish::tool_calls);
}

TEST_CASE("openai_chat: two whole calls under one index are two calls") {
    const Heard heard =
        hear({delta(R"({"tool_calls":[{"index":0,"id":"1","function":{"name":"a","arguments":"{}"}}]})"),
              delta(R"({"tool_calls":[{"index":0,"id":"2","function":{"name":"b","arguments":"{}"}}]})"), "[DONE]"});
    REQUIRE(heard.tools.size() == 2);
    CHECK(heard.tools[1].name == "b");
}

TEST_CASE("openai_chat: broken arguments and too many calls are errors, not calls") {
    Heard heard =
        hear({delta(R"({"tool_calls":[{"index":0,"id":"1","function":{"name":"a","arguments":"{\"x"}}]})"), "[DONE]"});
    REQUIRE(heard.error);
    CHECK(heard.error->error_class == ProviderErrorClass::protocol);
    std::vector<std::string> many;
    for (std::size_t i = 0; i <= ToolAssembly::calls_max; ++i) {
        many.push_back(delta(R"({"tool_calls":[{"index":)" + std::to_string(i) + R"(,"id":")" + std::to_string(i) +
                             R"(","function":{"name":"a","arguments":"{}"}}]})"));
    }
    many.emplace_back("[DONE]");
    CHECK(hear(many).error);
    many.erase(many.begin());
    CHECK(hear(many).tools.size() == ToolAssembly::calls_max);
    const std::string half(ToolAssembly::arguments_bytes_max / 2, ' ');
    const std::string piece =
        delta(R"({"tool_calls":[{"index":0,"function":{"name":"a","arguments":")" + half + R"("}}]})");
    CHECK_FALSE(hear({piece, piece, "[DONE]"}).error);
    CHECK(hear({piece, piece, piece, "[DONE]"}).error);
}

TEST_CASE("openai_chat: status 200 is no success") {
    CHECK(hear({"[DONE]"}).error->error_class == ProviderErrorClass::server);
    CHECK(hear({}).error->error_class == ProviderErrorClass::server);
    CHECK(hear({delta(R"({"content":"של"})")}).error->error_class == ProviderErrorClass::server);
    const Heard broken = hear({delta(R"({"content":"של"})"),
                               R"({"error":{"message":"overload","type":"server_error","code":null}})", "[DONE]"});
    CHECK(broken.text == "של");
    CHECK(broken.error->error_class == ProviderErrorClass::server);
    CHECK(broken.terminals == 1);
    CHECK(hear({R"({"error":{"message":"m","code":"insufficient_quota"}})"}).error->error_class ==
          ProviderErrorClass::quota);
    CHECK(hear({"{garbage"}).error->error_class == ProviderErrorClass::protocol);
    CHECK(hear({delta("{}", R"("content_filter")"), "[DONE]"}).error->error_class ==
          ProviderErrorClass::content_filter);
}

TEST_CASE("openai_chat: a missing [DONE] after a finish is no error; a cut tool call is not made") {
    CHECK(hear({delta(R"({"content":"x"})"), delta("{}", R"("length")")}).finish == LlmFinish::length);
    const Heard cut =
        hear({delta(R"({"content":"x"})"),
              delta(R"({"tool_calls":[{"index":0,"id":"1","function":{"name":"a","arguments":"{\"x"}}]})"),
              delta("{}", R"("length")"), "[DONE]"});
    CHECK(cut.tools.empty());
    CHECK(cut.finish == LlmFinish::length);
}

TEST_CASE("openai_chat: nulls and unknown members are taken as absent") {
    const Heard heard = hear({R"({"choices":null})", R"({"choices":[{"delta":null}]})", R"({"x":1})",
                              R"({"choices":[{"delta":{"content":null,"tool_calls":null},"finish_reason":null}]})",
                              delta(R"({"content":"a","new":{"y":[1]}})", R"("stop")"), "[DONE]"});
    CHECK(heard.text == "a");
    CHECK(heard.finish == LlmFinish::stop);
}
