#include "worker/providers/openai_realtime.hpp"

#include <algorithm>

#include "worker/digest.hpp"
#include "worker/providers/google_speech.hpp"
#include "worker/providers/json_text.hpp"

namespace agentlocator {
namespace {

using nlohmann::json;
using Kind = RealtimeEvent::Kind;

constexpr std::size_t chunk_bytes = 320;  // 40 ms: half the messages, and half a frame of delay.
constexpr std::size_t bytes_of_millisecond = 8;
constexpr std::size_t turn_bytes_min = 800;  // 100 ms: less is refused when it is committed.
constexpr std::size_t items_max = 64;        // Of one response; more is a server gone wild.

json write_tools(const std::vector<ToolSpec>& tools) {
    json out = json::array();
    for (const ToolSpec& tool : tools) {
        const json schema = parse_json(tool.parameters);
        out.push_back({{"type", "function"},
                       {"name", tool.name},
                       {"description", tool.description},
                       {"parameters", schema.is_object() ? schema : json{{"type", "object"}}}});
    }
    return out;
}

// Errors after which the conversation simply goes on.
bool is_harmless(std::string_view code, std::string_view message) {
    for (const std::string_view known :
         {"response_cancel_not_active", "conversation_already_has_active_response", "input_audio_buffer_commit_empty",
          "item_not_found", "item_truncate_invalid_item_id"}) {
        if (code == known) {
            return true;
        }
    }
    return message.find("is already shorter than") != std::string_view::npos ||
           message.find("truncat") != std::string_view::npos;
}

}  // namespace

const ProviderPlace& RealtimeProtocol::place() {
    static const ProviderPlace place{"openai-realtime", "converse", "OPENAI_API_KEY", "OPENAI_REALTIME_MODEL",
                                     "OPENAI_REALTIME_URL"};
    return place;
}

std::string RealtimeServer::socket_url() const {
    return url + "?model=" + url_encode(model);
}

std::vector<HttpHeader> RealtimeServer::headers() const {
    std::vector<HttpHeader> out;
    if (!key.empty()) {
        out.push_back({"Authorization", "Bearer " + key});
    }
    if (beta) {
        out.push_back({"OpenAI-Beta", "realtime=v1"});
    }
    return out;
}

RealtimeProtocol::RealtimeProtocol(RealtimeServer server, RealtimeConfig config)
    : server_(std::move(server)), config_(std::move(config)) {}

std::string RealtimeProtocol::configuration() const {
    const std::string& voice = config_.voice.empty() ? server_.voice : config_.voice;
    json session = {
        {"instructions", config_.instructions}, {"tools", write_tools(config_.tools)}, {"tool_choice", "auto"}};
    const bool lists = server_.stt_model.starts_with("gpt-transcribe") || server_.stt_model.starts_with("gpt-live");
    json transcription = {{"model", server_.stt_model}};
    if (lists) {
        transcription["languages"] = json::array({config_.language});
    } else {
        transcription["language"] = config_.language;
    }
    if (server_.beta) {
        session.update({{"modalities", {"text", "audio"}},
                        {"voice", voice},
                        {"input_audio_format", "g711_ulaw"},
                        {"output_audio_format", "g711_ulaw"},
                        {"turn_detection", nullptr}});
        if (!server_.stt_model.empty()) {
            session["input_audio_transcription"] = transcription;
        }
    } else {
        json input = {{"format", {{"type", "audio/pcmu"}}}, {"turn_detection", nullptr}};
        if (!server_.stt_model.empty()) {
            input["transcription"] = transcription;
        }
        session.update(
            {{"type", "realtime"},
             {"output_modalities", json::array({"audio"})},
             {"audio", {{"input", input}, {"output", {{"format", {{"type", "audio/pcmu"}}}, {"voice", voice}}}}}});
    }
    return dump_json({{"type", "session.update"}, {"session", session}});
}

void RealtimeProtocol::on_text(std::string_view text, std::vector<RealtimeEvent>& events,
                               std::vector<std::string>& messages) {
    const json event = parse_json(text);
    std::string type = text_at(event, "type");
    if (type.starts_with("response.audio")) {  // The beta's names.
        type.insert(sizeof("response.") - 1, "output_");
    }
    const auto add = [&](Kind kind, std::string item, std::string words, bool final) {
        RealtimeEvent out;
        out.kind = kind;
        out.item = std::move(item);
        out.text = std::move(words);
        out.final = final;
        events.push_back(std::move(out));
    };
    const std::string item = text_at(event, "item_id");
    if (type == "session.updated" && !ready_) {
        on_ready(events, messages);
    } else if (type == "response.created") {
        responding_ = true;
        received_.clear();
    } else if (type == "response.output_audio.delta") {
        on_audio(event, events);
    } else if (type == "response.output_audio.done" && !dropped_.contains(item)) {
        add(Kind::audio_done, item, "", true);
    } else if (type == "response.output_audio_transcript.delta") {
        add(Kind::agent_text, item, text_at(event, "delta"), false);
    } else if (type == "response.output_audio_transcript.done") {
        add(Kind::agent_text, item, text_at(event, "transcript"), true);
    } else if (type == "input_audio_buffer.speech_started") {
        add(Kind::user_started, item, "", false);
    } else if (type == "conversation.item.input_audio_transcription.completed") {
        add(Kind::user_text, item, text_at(event, "transcript"), true);
    } else if (type == "response.function_call_arguments.done") {
        RealtimeEvent out;
        out.kind = Kind::tool_call;
        const json arguments = parse_json(text_at(event, "arguments"));
        out.tool = {text_at(event, "call_id"), text_at(event, "name"),
                    arguments.is_object() ? text_at(event, "arguments") : "{}"};
        events.push_back(std::move(out));
    } else if (type == "response.done") {
        on_response_done(event, events, messages);
    } else if (type == "error") {
        on_error(text, event, events);
    }  // Everything else, and what is new.
}

void RealtimeProtocol::on_ready(std::vector<RealtimeEvent>& events, std::vector<std::string>& messages) {
    ready_ = true;
    for (const ChatMessage& message : config_.history) {
        const bool assistant = message.role == ChatMessage::Role::assistant;
        if (message.content.empty() || message.role == ChatMessage::Role::system ||
            message.role == ChatMessage::Role::tool) {
            continue;  // Instructions are the session's; results without their calls say nothing.
        }
        const char* kind = !assistant ? "input_text" : server_.beta ? "text" : "output_text";
        messages.push_back(dump_json({{"type", "conversation.item.create"},
                                      {"item",
                                       {{"type", "message"},
                                        {"role", assistant ? "assistant" : "user"},
                                        {"content", json::array({{{"type", kind}, {"text", message.content}}})}}}}));
    }
    RealtimeEvent ready;
    events.push_back(std::move(ready));
    if (words_wanted_) {
        const std::string words = *words_wanted_;
        words_wanted_.reset();
        say(words, messages);
    }
    push({}, messages);
    if (turn_over_) {  // The caller spoke while we were still connecting.
        end_of_turn(messages);
    }
}

void RealtimeProtocol::on_audio(const json& event, std::vector<RealtimeEvent>& events) {
    const std::string item = text_at(event, "item_id");
    if (dropped_.contains(item)) {
        return;
    }
    const auto sound = from_base64(text_at(event, "delta"));
    if (!sound || (received_.size() >= items_max && !received_.contains(item))) {
        RealtimeEvent out;
        out.kind = Kind::error;
        out.error = make_error(place(), ProviderErrorClass::protocol, "sound that cannot be read");
        events.push_back(std::move(out));
        return;
    }
    received_[item] += sound->size();
    RealtimeEvent out;
    out.kind = Kind::audio;
    out.item = item;
    out.text = *sound;
    events.push_back(std::move(out));
}

void RealtimeProtocol::on_response_done(const json& event, std::vector<RealtimeEvent>& events,
                                        std::vector<std::string>& messages) {
    responding_ = false;
    dropped_.clear();
    const json& response = object_at(event, "response");
    RealtimeEvent out;
    if (text_at(response, "status") == "failed") {
        // Not as an `error` event: the details say why.
        out.kind = Kind::error;
        const json& details = object_at(response, "status_details");
        out.error = stream_error(place(), read_error_body(dump_json(details)));
    } else {
        out.kind = Kind::turn_done;
    }
    events.push_back(std::move(out));
    if (words_wanted_) {
        const std::string words = *words_wanted_;
        words_wanted_.reset();
        say(words, messages);
    } else if (response_wanted_) {
        respond(messages);
    }
}

void RealtimeProtocol::on_error(std::string_view text, const json& event, std::vector<RealtimeEvent>& events) {
    const json& error = object_at(event, "error");
    if (is_harmless(text_at(error, "code"), text_at(error, "message"))) {
        return;
    }
    RealtimeEvent out;
    out.kind = Kind::error;
    out.error = stream_error(place(), read_error_body(text));
    events.push_back(std::move(out));
}

void RealtimeProtocol::push(std::span<const std::uint8_t> mulaw, std::vector<std::string>& messages) {
    pending_.append(mulaw.begin(), mulaw.end());
    turn_bytes_ += mulaw.size();
    if (!ready_) {
        if (pending_.size() > early_audio_max) {
            pending_.erase(0, pending_.size() - early_audio_max);
        }
        return;
    }
    if (pending_.size() >= chunk_bytes) {
        flush(messages);
    }
}

void RealtimeProtocol::flush(std::vector<std::string>& messages) {
    if (!pending_.empty()) {
        messages.push_back(dump_json({{"type", "input_audio_buffer.append"}, {"audio", to_base64(pending_)}}));
        pending_.clear();
    }
}

void RealtimeProtocol::end_of_turn(std::vector<std::string>& messages) {
    turn_over_ = !ready_;
    if (!ready_) {
        return;
    }
    flush(messages);
    if (turn_bytes_ < turn_bytes_min) {
        messages.emplace_back(R"({"type":"input_audio_buffer.clear"})");
    } else {
        messages.emplace_back(R"({"type":"input_audio_buffer.commit"})");
        respond(messages);
    }
    turn_bytes_ = 0;
}

void RealtimeProtocol::respond(std::vector<std::string>& messages) {
    response_wanted_ = responding_;
    if (!responding_) {
        responding_ = true;
        messages.emplace_back(R"({"type":"response.create"})");
    }
}

void RealtimeProtocol::say(std::string_view text, std::vector<std::string>& messages) {
    if (!ready_ || responding_) {
        words_wanted_ = std::string(text);
        return;
    }
    responding_ = true;
    messages.push_back(dump_json(
        {{"type", "response.create"},
         {"response", {{"instructions", "Say exactly this, word for word, and nothing else: " + std::string(text)}}}}));
}

void RealtimeProtocol::tool_result(std::string_view id, std::string_view result, std::vector<std::string>& messages) {
    messages.push_back(dump_json(
        {{"type", "conversation.item.create"},
         {"item", {{"type", "function_call_output"}, {"call_id", std::string(id)}, {"output", std::string(result)}}}}));
    respond(messages);  // Now, or when the response that asked has ended.
}

void RealtimeProtocol::interrupted(std::string_view item, Duration heard, std::vector<std::string>& messages) {
    const std::string name(item);
    if (responding_) {
        messages.emplace_back(R"({"type":"response.cancel"})");
    }
    dropped_.insert(name);
    const auto received = received_.find(name);
    const std::size_t have = received == received_.end() ? 0 : received->second / bytes_of_millisecond;
    const auto wanted = std::chrono::duration_cast<std::chrono::milliseconds>(heard).count();
    // Past the end of what was received is an error over there.
    const auto end = std::min<std::int64_t>(std::max<std::int64_t>(wanted, 0), static_cast<std::int64_t>(have));
    if (!name.empty() && end < static_cast<std::int64_t>(have)) {
        messages.push_back(dump_json(
            {{"type", "conversation.item.truncate"}, {"item_id", name}, {"content_index", 0}, {"audio_end_ms", end}}));
    }
}

}  // namespace agentlocator
