#include "worker/providers/gemini.hpp"

#include <map>

#include "common/text.hpp"
#include "worker/providers/json_text.hpp"

namespace agentlocator {
namespace {

using nlohmann::json;

constexpr char signature_mark = '~';  // call_0~SIGNATURE

void append_content(json& contents, const char* role, json part) {
    if (!contents.empty() && contents.back()["role"] == role) {
        contents.back()["parts"].push_back(std::move(part));
    } else {
        contents.push_back({{"role", role}, {"parts", json::array({std::move(part)})}});
    }
}

json write_call(const ToolCall& call) {
    const json arguments = parse_json(call.arguments);
    json part = {{"functionCall", {{"name", call.name}, {"args", arguments.is_object() ? arguments : json::object()}}}};
    if (const auto mark = call.id.find(signature_mark); mark != std::string::npos) {
        part["thoughtSignature"] = call.id.substr(mark + 1);
    }
    return part;
}

json write_result(const ChatMessage& message, const std::map<std::string, std::string>& names) {
    const auto name = names.find(message.tool_call_id);
    const json result = parse_json(message.content);
    return {{"functionResponse",
             {{"name", name == names.end() ? message.tool_call_id : name->second},
              {"response", result.is_object() ? result : json{{"result", message.content}}}}}};
}

bool is_filtered(std::string_view reason) {
    return reason == "SAFETY" || reason == "RECITATION" || reason == "BLOCKLIST" || reason == "PROHIBITED_CONTENT" ||
           reason == "SPII";
}

}  // namespace

GeminiContent::GeminiContent(GeminiServer server)
    : server_(std::move(server)), place_{"gemini", "chat", "GEMINI_API_KEY", "GEMINI_MODEL", "GEMINI_BASE_URL"} {}

HttpCall GeminiContent::request(const LlmRequest& request) const {
    json contents = json::array();
    std::string system;
    std::map<std::string, std::string> names;
    for (const ChatMessage& message : request.messages) {
        using Role = ChatMessage::Role;
        if (message.role == Role::system) {
            system += (system.empty() ? "" : "\n\n") + message.content;
        } else if (message.role == Role::tool) {
            append_content(contents, "user", write_result(message, names));
        } else {
            const char* role = message.role == Role::user ? "user" : "model";
            if (!message.content.empty()) {
                append_content(contents, role, {{"text", message.content}});
            }
            for (const ToolCall& call : message.tool_calls) {
                names[call.id] = call.name;
                append_content(contents, role, write_call(call));
            }
        }
    }
    json generation = {{"maxOutputTokens", request.max_tokens != 0 ? request.max_tokens : server_.max_tokens}};
    if (const auto budget = parse_integer(server_.thinking)) {
        generation["thinkingConfig"] = {{"thinkingBudget", *budget}};
    }
    json body = {{"contents", contents}, {"generationConfig", generation}};
    if (!system.empty()) {
        body["systemInstruction"] = {{"parts", json::array({{{"text", system}}})}};
    }
    json declarations = json::array();
    for (const ToolSpec& tool : request.tools) {
        const json schema = parse_json(tool.parameters);
        declarations.push_back({{"name", tool.name},
                                {"description", tool.description},
                                {"parametersJsonSchema", schema.is_object() ? schema : json{{"type", "object"}}}});
    }
    if (!declarations.empty()) {
        body["tools"] = json::array({{{"functionDeclarations", declarations}}});
    }
    HttpCall call;
    call.url = server_.base_url + "/models/" + url_encode(server_.model) + ":streamGenerateContent?alt=sse";
    call.headers = {{"x-goog-api-key", server_.key}, {"Content-Type", "application/json"}};
    call.body = dump_json(body);
    return call;
}

std::unique_ptr<LlmDecoder> GeminiContent::decoder() const {
    return std::make_unique<GeminiDecoder>(place_);
}

HttpCall GeminiContent::warm_up() const {
    HttpCall call;
    call.method = "GET";
    call.url = server_.base_url + "/models/" + url_encode(server_.model);
    call.headers.push_back({"x-goog-api-key", server_.key});
    return call;
}

void GeminiDecoder::on_event(const SseEvent& event, LlmOutput& out) {
    const json document = parse_json(event.data);
    if (!document.is_object()) {
        out.error = make_error(place_, ProviderErrorClass::protocol, "an event of the stream is not JSON");
        return;
    }
    if (find_at(document, "error") != nullptr) {
        out.error = stream_error(place_, read_error_body(event.data));
        return;
    }
    if (const std::string reason = text_at(object_at(document, "promptFeedback"), "blockReason"); !reason.empty()) {
        out.error = make_error(place_, ProviderErrorClass::content_filter, "the question was filtered: " + reason);
        return;
    }
    const json& candidates = array_at(document, "candidates");
    if (candidates.empty()) {
        return;
    }
    const json& candidate = candidates.front();
    for (const json& part : array_at(object_at(candidate, "content"), "parts")) {
        read_part(part, out);
    }
    if (const std::string reason = text_at(candidate, "finishReason"); !reason.empty()) {
        finish_reason_ = reason;
    }
}

void GeminiDecoder::read_part(const json& part, LlmOutput& out) {
    out.progress = true;
    if (flag_at(part, "thought")) {
        return;  // Not for the caller's ears.
    }
    const std::string text = text_at(part, "text");
    had_text_ = had_text_ || !text.empty();
    out.text += text;
    const json* call = find_at(part, "functionCall");
    if (call == nullptr) {
        return;
    }
    if (calls_ == calls_max) {
        out.error = make_error(place_, ProviderErrorClass::protocol, "too many tool calls");
        return;
    }
    std::string id = "call_" + std::to_string(calls_++);
    if (const std::string signature = text_at(part, "thoughtSignature"); !signature.empty()) {
        id += signature_mark + signature;
    }
    const std::string name = text_at(*call, "name");
    if (name.empty()) {
        out.error = make_error(place_, ProviderErrorClass::protocol, "a tool call without a name");
        return;
    }
    out.tools.push_back({id, name, object_at(*call, "args").dump()});
}

// The stream has no end mark: it ends with its body.
void GeminiDecoder::on_end(LlmOutput& out) {
    if (calls_ > 0) {
        out.finish = LlmFinish::tool_calls;
    } else if (!had_text_) {
        out.error = is_filtered(finish_reason_) ? make_error(place_, ProviderErrorClass::content_filter,
                                                             "the answer was filtered: " + finish_reason_)
                                                : make_error(place_, ProviderErrorClass::server, "the answer is empty");
    } else if (finish_reason_.empty()) {
        out.error = make_error(place_, ProviderErrorClass::server, "the stream ended in the middle");
    } else if (finish_reason_ == "MAX_TOKENS") {
        out.finish = LlmFinish::length;
    } else {
        out.finish = is_filtered(finish_reason_) ? LlmFinish::content_filter : LlmFinish::stop;
    }
}

}  // namespace agentlocator
