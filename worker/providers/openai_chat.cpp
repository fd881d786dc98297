#include "worker/providers/openai_chat.hpp"

#include "worker/providers/json_text.hpp"

namespace agentlocator {
namespace {

using nlohmann::json;

json write_message(const ChatMessage& message) {
    using Role = ChatMessage::Role;
    switch (message.role) {
        case Role::system:
            return {{"role", "system"}, {"content", message.content}};
        case Role::user:
            return {{"role", "user"}, {"content", message.content}};
        case Role::tool:
            return {{"role", "tool"}, {"tool_call_id", message.tool_call_id}, {"content", message.content}};
        case Role::assistant:
            break;
    }
    json out = {{"role", "assistant"}, {"content", message.content}};
    if (!message.tool_calls.empty()) {
        if (message.content.empty()) {
            out["content"] = nullptr;  // Allowed only beside tool_calls.
        }
        for (const ToolCall& call : message.tool_calls) {
            out["tool_calls"].push_back({{"id", call.id},
                                         {"type", "function"},
                                         {"function", {{"name", call.name}, {"arguments", call.arguments}}}});
        }
    }
    return out;
}

LlmFinish read_finish(std::string_view reason) {
    if (reason == "length") {
        return LlmFinish::length;
    }
    if (reason == "content_filter") {
        return LlmFinish::content_filter;
    }
    return reason == "tool_calls" || reason == "function_call" ? LlmFinish::tool_calls : LlmFinish::stop;
}

}  // namespace

HttpCall OpenAiChat::request(const LlmRequest& request) const {
    json body = {{"model", server_.model}, {"stream", true}, {"messages", json::array()}};
    for (const ChatMessage& message : request.messages) {
        body["messages"].push_back(write_message(message));
    }
    for (const ToolSpec& tool : request.tools) {
        const json parameters = parse_json(tool.parameters);
        body["tools"].push_back({{"type", "function"},
                                 {"function",
                                  {{"name", tool.name},
                                   {"description", tool.description},
                                   {"parameters", parameters.is_object() ? parameters : json::object()}}}});
    }
    if (!request.tools.empty()) {
        body["tool_choice"] = "auto";
    }
    const std::uint32_t max_tokens = request.max_tokens != 0 ? request.max_tokens : server_.max_tokens;
    if (max_tokens != 0) {
        body[server_.max_tokens_field] = max_tokens;
    }
    if (!server_.reasoning_effort.empty()) {
        body["reasoning_effort"] = server_.reasoning_effort;
    }
    if (const json temperature = parse_json(server_.temperature); temperature.is_number()) {
        body["temperature"] = temperature;
    }
    if (server_.stream_options == "usage") {
        body["stream_options"] = {{"include_usage", true}};
    } else if (server_.stream_options == "obfuscation") {
        body["stream_options"] = {{"include_obfuscation", false}};
    }
    if (server_.cache_key && !request.cache_key.empty()) {
        body["prompt_cache_key"] = request.cache_key;
    }
    if (const json extra = parse_json(server_.extra_body); extra.is_object()) {
        body.update(extra);
    }
    HttpCall call = server_.call("/chat/completions", "application/json");
    call.headers.push_back({"Accept", "text/event-stream"});
    call.body = dump_json(body);
    return call;
}

std::unique_ptr<LlmDecoder> OpenAiChat::decoder() const {
    return std::make_unique<OpenAiChatDecoder>(server_.place);
}

HttpCall OpenAiChat::warm_up() const {
    HttpCall call = server_.call("/models", "");
    call.method = "GET";
    return call;
}

void OpenAiChatDecoder::on_event(const SseEvent& event, LlmOutput& out) {
    if (done_) {
        return;
    }
    if (event.data.starts_with("[DONE]")) {
        complete(out);
        return;
    }
    const json chunk = parse_json(event.data);
    if (!chunk.is_object()) {
        out.error = make_error(place_, ProviderErrorClass::protocol, "an event of the stream is not JSON");
        return;
    }
    // llama.cpp, vLLM and others send {"error":..}; speaches and FastAPI {"detail":..}.
    if (find_at(chunk, "error") != nullptr || event.name == "error") {
        out.error = stream_error(place_, read_error_body(event.data));
        return;
    }
    const json& choices = array_at(chunk, "choices");
    if (!choices.empty()) {
        read_choice(choices.front(), out);
    }
}

void OpenAiChatDecoder::read_choice(const json& choice, LlmOutput& out) {
    const json& delta = object_at(choice, "delta");
    out.text = text_at(delta, "content");
    // A refusal is meant for the user's ears.
    out.text += text_at(delta, "refusal");
    had_text_ = had_text_ || !out.text.empty();
    out.progress =
        !out.text.empty() || !text_at(delta, "reasoning_content").empty() || !text_at(delta, "reasoning").empty();
    for (const json& piece : array_at(delta, "tool_calls")) {
        const json& function = object_at(piece, "function");
        const json* arguments = find_at(function, "arguments");
        // Some servers send the arguments as the object itself.
        const std::string text =
            arguments != nullptr && arguments->is_object() ? arguments->dump() : text_at(function, "arguments");
        const auto index = static_cast<std::int64_t>(number_at(piece, "index", 0));
        if (!tools_.add(index, text_at(piece, "id"), text_at(function, "name"), text)) {
            out.error = make_error(place_, ProviderErrorClass::protocol, "too many or too long tool calls");
            return;
        }
        out.progress = true;
    }
    if (const std::string reason = text_at(choice, "finish_reason"); !reason.empty()) {
        finish_ = read_finish(reason);
    }
}

void OpenAiChatDecoder::complete(LlmOutput& out) {
    done_ = true;
    bool broken = false;
    const bool has_tools = !tools_.empty();
    if (has_tools && finish_ != LlmFinish::length) {
        out.tools = tools_.take(broken);
    }
    if (broken) {
        out.error = make_error(place_, ProviderErrorClass::protocol, "a tool call without a name or with broken JSON");
    } else if (!had_text_ && out.tools.empty() && finish_ == LlmFinish::content_filter) {
        out.error = make_error(place_, ProviderErrorClass::content_filter, "the answer was filtered");
    } else if (!had_text_ && out.tools.empty()) {
        out.error = make_error(place_, ProviderErrorClass::server, "the answer is empty");
    } else {
        out.finish = !out.tools.empty() ? LlmFinish::tool_calls : finish_.value_or(LlmFinish::stop);
    }
}

void OpenAiChatDecoder::on_end(LlmOutput& out) {
    if (done_) {
        return;
    }
    if (finish_) {  // Only the [DONE] is missing.
        complete(out);
        return;
    }
    out.error = make_error(place_, ProviderErrorClass::server,
                           had_text_ || !tools_.empty() ? "the stream ended in the middle" : "the answer is empty");
}

}  // namespace agentlocator
