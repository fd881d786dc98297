#include "worker/providers/anthropic.hpp"

#include "worker/providers/json_text.hpp"

namespace agentlocator {
namespace {

using nlohmann::json;

// Messages alternate between user and assistant here, results of tools are the user's, and no text may be empty.
void append_message(json& messages, const char* role, json block) {
    if (!messages.empty() && messages.back()["role"] == role) {
        messages.back()["content"].push_back(std::move(block));
    } else {
        messages.push_back({{"role", role}, {"content", json::array({std::move(block)})}});
    }
}

json write_messages(const std::vector<ChatMessage>& history, std::string& system) {
    json messages = json::array();
    for (const ChatMessage& message : history) {
        using Role = ChatMessage::Role;
        const json text = {{"type", "text"}, {"text", message.content}};
        if (message.role == Role::system) {
            system += (system.empty() ? "" : "\n\n") + message.content;
        } else if (message.role == Role::tool) {
            append_message(
                messages, "user",
                {{"type", "tool_result"}, {"tool_use_id", message.tool_call_id}, {"content", message.content}});
        } else if (message.role == Role::user) {
            if (!message.content.empty()) {
                append_message(messages, "user", text);
            }
        } else {
            if (!message.content.empty()) {
                append_message(messages, "assistant", text);
            }
            for (const ToolCall& call : message.tool_calls) {
                const json input = parse_json(call.arguments);
                append_message(messages, "assistant",
                               {{"type", "tool_use"},
                                {"id", call.id},
                                {"name", call.name},
                                {"input", input.is_object() ? input : json::object()}});
            }
        }
    }
    // Our greeting comes first in a call; here the user must.
    if (!messages.empty() && messages.front()["role"] == "assistant") {
        const json opening = {{"role", "user"}, {"content", "..."}};  // Spelled out: insert() takes lists, too.
        messages.insert(messages.begin(), opening);
    }
    return messages;
}

}  // namespace

AnthropicMessages::AnthropicMessages(AnthropicServer server)
    : server_(std::move(server)),
      place_{"anthropic", "chat", "ANTHROPIC_API_KEY", "ANTHROPIC_MODEL", "ANTHROPIC_BASE_URL"} {}

HttpCall AnthropicMessages::call(std::string_view path) const {
    HttpCall out;
    out.url = server_.base_url + std::string(path);
    out.headers = {{"x-api-key", server_.key}, {"anthropic-version", server_.version}};
    return out;
}

HttpCall AnthropicMessages::request(const LlmRequest& request) const {
    std::string system;
    json body = {{"model", server_.model},
                 {"max_tokens", request.max_tokens != 0 ? request.max_tokens : server_.max_tokens},
                 {"stream", true},
                 {"thinking", {{"type", "disabled"}}},
                 {"messages", write_messages(request.messages, system)}};
    if (!system.empty()) {
        // The instructions are the same on every turn: marked, so that they are read from a cache.
        body["system"] =
            json::array({{{"type", "text"}, {"text", system}, {"cache_control", {{"type", "ephemeral"}}}}});
    }
    for (const ToolSpec& tool : request.tools) {
        const json schema = parse_json(tool.parameters);
        body["tools"].push_back({{"name", tool.name},
                                 {"description", tool.description},
                                 {"input_schema", schema.is_object() ? schema : json{{"type", "object"}}}});
    }
    HttpCall out = call("/v1/messages");
    out.headers.push_back({"Content-Type", "application/json"});
    out.headers.push_back({"Accept", "text/event-stream"});
    out.body = dump_json(body);
    return out;
}

std::unique_ptr<LlmDecoder> AnthropicMessages::decoder() const {
    return std::make_unique<AnthropicDecoder>(place_);
}

HttpCall AnthropicMessages::warm_up() const {
    HttpCall out = call("/v1/models");
    out.method = "GET";
    return out;
}

void AnthropicDecoder::on_event(const SseEvent& event, LlmOutput& out) {
    if (done_) {
        return;
    }
    const json document = parse_json(event.data);
    if (!document.is_object()) {
        out.error = make_error(place_, ProviderErrorClass::protocol, "an event of the stream is not JSON");
        return;
    }
    const std::string type = text_at(document, "type");
    if (type == "error" || event.name == "error") {
        out.error = stream_error(place_, read_error_body(event.data));
    } else if (type == "content_block_start") {
        read_start(document, out);
    } else if (type == "content_block_delta") {
        read_delta(document, out);
    } else if (type == "message_delta") {
        stop_reason_ = text_at(object_at(document, "delta"), "stop_reason");
    } else if (type == "message_stop") {
        complete(out);
    }  // message_start, content_block_stop, ping and what is new.
}

void AnthropicDecoder::read_start(const json& event, LlmOutput& out) {
    const json& block = object_at(event, "content_block");
    const std::string type = text_at(block, "type");
    if (type == "text") {
        out.text = text_at(block, "text");
        had_text_ = had_text_ || !out.text.empty();
    } else if (type == "tool_use") {
        const json* input = find_at(block, "input");
        const bool whole = input != nullptr && input->is_object() && !input->empty();
        if (!tools_.add(static_cast<std::int64_t>(number_at(event, "index", 0)), text_at(block, "id"),
                        text_at(block, "name"), whole ? input->dump() : "")) {
            out.error = make_error(place_, ProviderErrorClass::protocol, "too many or too long tool calls");
        }
    }
    out.progress = true;
}

void AnthropicDecoder::read_delta(const json& event, LlmOutput& out) {
    const json& delta = object_at(event, "delta");
    const std::string type = text_at(delta, "type");
    out.progress = true;
    if (type == "text_delta") {
        out.text = text_at(delta, "text");
        had_text_ = had_text_ || !out.text.empty();
    } else if (type == "input_json_delta" && !tools_.add(static_cast<std::int64_t>(number_at(event, "index", 0)), "",
                                                         "", text_at(delta, "partial_json"))) {
        out.error = make_error(place_, ProviderErrorClass::protocol, "too many or too long tool calls");
    }  // thinking_delta, signature_delta: not for the caller's ears.
}

void AnthropicDecoder::complete(LlmOutput& out) {
    done_ = true;
    const bool cut = stop_reason_ == "max_tokens" || stop_reason_ == "model_context_window_exceeded";
    bool broken = false;
    if (!tools_.empty() && !cut) {
        out.tools = tools_.take(broken);
    }
    if (broken) {
        out.error = make_error(place_, ProviderErrorClass::protocol, "a tool call without a name or with broken JSON");
    } else if (!had_text_ && out.tools.empty()) {
        out.error = stop_reason_ == "refusal"
                        ? make_error(place_, ProviderErrorClass::content_filter, "the model refused to answer")
                        : make_error(place_, ProviderErrorClass::server, "the answer is empty");
    } else if (!out.tools.empty()) {
        out.finish = LlmFinish::tool_calls;
    } else {
        out.finish = cut ? LlmFinish::length : stop_reason_ == "refusal" ? LlmFinish::content_filter : LlmFinish::stop;
    }
}

void AnthropicDecoder::on_end(LlmOutput& out) {
    if (done_) {
        return;
    }
    if (!stop_reason_.empty()) {  // Only message_stop is missing.
        complete(out);
        return;
    }
    out.error = make_error(place_, ProviderErrorClass::server,
                           had_text_ || !tools_.empty() ? "the stream ended in the middle" : "the answer is empty");
}

}  // namespace agentlocator
