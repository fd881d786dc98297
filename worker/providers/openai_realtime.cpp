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
constexpr std::size_t named_turns_max = 16;  // Written down late, but not so late.
constexpr double unix_seconds_max = 1e11;    // Some three thousand years.
constexpr char say_prefix[] = "Say exactly this, word for word, and nothing else: ";
constexpr char mulaw_silence = '\xff';

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
    if (type == "session.created" || type == "session.updated") {
        const double told = number_at(object_at(event, "session"), "expires_at", 0);
        expires_at_ = told > 0 && told < unix_seconds_max ? static_cast<std::int64_t>(told) : expires_at_;
    }
    if (type == "session.updated" && !ready_) {
        on_ready(events, messages);
    } else if (type == "response.created") {
        responding_ = true;
        items_ = 0;
    } else if (type == "response.done") {
        on_response_done(event, events, messages);
    } else if (type == "error") {
        on_error(text, event, events);
    } else if (type == "input_audio_buffer.committed") {
        if (!committed_.empty()) {
            turn_of_.insert_or_assign(item, committed_.front());
            committed_.pop_front();
        }
    } else if (type == "conversation.item.input_audio_transcription.completed") {
        on_user_text(event, events);
    } else if (type == "input_audio_buffer.speech_started") {
        add(Kind::user_started, item, "", false);
    } else if (cancelled_) {
        return;  // What is left of a response that nobody wants.
    } else if (type == "response.output_audio.delta") {
        on_audio(event, events);
    } else if (type == "response.output_audio.done") {
        add(Kind::audio_done, item, "", true);
    } else if (type == "response.output_audio_transcript.delta") {
        add(Kind::agent_text, item, text_at(event, "delta"), false);
    } else if (type == "response.output_audio_transcript.done") {
        add(Kind::agent_text, item, text_at(event, "transcript"), true);
    } else if (type == "response.function_call_arguments.done") {
        RealtimeEvent out;
        out.kind = Kind::tool_call;
        const json arguments = parse_json(text_at(event, "arguments"));
        out.tool = {text_at(event, "call_id"), text_at(event, "name"),
                    arguments.is_object() ? text_at(event, "arguments") : "{}"};
        events.push_back(std::move(out));
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
    ready.expires_at = expires_at_;
    events.push_back(std::move(ready));
    messages.insert(messages.end(), when_ready_.begin(), when_ready_.end());
    when_ready_.clear();
    push({}, messages);
    if (early_turn_) {  // The caller spoke while we were still connecting.
        end_of_turn(*std::exchange(early_turn_, std::nullopt), messages);
    } else if (wanted_) {
        respond(*std::exchange(wanted_, std::nullopt), messages);
    }
}

void RealtimeProtocol::on_user_text(const json& event, std::vector<RealtimeEvent>& events) {
    RealtimeEvent out;
    out.kind = Kind::user_text;
    out.item = text_at(event, "item_id");
    out.text = text_at(event, "transcript");
    out.final = true;
    const auto turn = turn_of_.find(out.item);
    out.turn = turn == turn_of_.end() ? last_turn_ : turn->second;
    if (turn_of_.size() > named_turns_max) {
        turn_of_.clear();
    }
    events.push_back(std::move(out));
}

void RealtimeProtocol::on_audio(const json& event, std::vector<RealtimeEvent>& events) {
    const std::string item = text_at(event, "item_id");
    const auto sound = from_base64(text_at(event, "delta"));
    const bool known = !received_.empty() && received_.back().first == item;
    if (!known) {
        received_.emplace_back(item, 0);
        ++items_;
        if (received_.size() > items_max) {
            received_.pop_front();
        }
    }
    if (!sound || items_ > items_max) {
        RealtimeEvent out;
        out.kind = Kind::error;
        out.error = make_error(place(), ProviderErrorClass::protocol, "sound that cannot be read");
        events.push_back(std::move(out));
        return;
    }
    received_.back().second += sound->size();
    RealtimeEvent out;
    out.kind = Kind::audio;
    out.item = item;
    out.text = *sound;
    events.push_back(std::move(out));
}

void RealtimeProtocol::on_response_done(const json& event, std::vector<RealtimeEvent>& events,
                                        std::vector<std::string>& messages) {
    responding_ = false;
    const bool unwanted = std::exchange(cancelled_, false);
    const json& response = object_at(event, "response");
    RealtimeEvent out;
    if (!unwanted && text_at(response, "status") == "failed") {
        // Not as an `error` event: the details say why.
        out.kind = Kind::error;
        const json& details = object_at(response, "status_details");
        out.error = stream_error(place(), read_error_body(dump_json(details)));
        events.push_back(std::move(out));
    } else if (!unwanted) {
        out.kind = Kind::turn_done;
        events.push_back(std::move(out));
    }
    if (wanted_) {
        respond(*std::exchange(wanted_, std::nullopt), messages);
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

void RealtimeProtocol::end_of_turn(std::uint32_t turn, std::vector<std::string>& messages) {
    if (!ready_) {
        early_turn_ = turn;
        return;
    }
    if (turn_bytes_ < turn_bytes_min) {
        pending_.append(turn_bytes_min - turn_bytes_, mulaw_silence);
    }
    flush(messages);
    turn_bytes_ = 0;
    committed_.push_back(turn);
    last_turn_ = turn;
    messages.emplace_back(R"({"type":"input_audio_buffer.commit"})");
    respond({}, messages);
}

void RealtimeProtocol::drop_turn(std::vector<std::string>& messages) {
    pending_.clear();
    if (ready_ && turn_bytes_ > 0) {
        messages.emplace_back(R"({"type":"input_audio_buffer.clear"})");
    }
    turn_bytes_ = 0;
}

void RealtimeProtocol::send(std::string message, std::vector<std::string>& messages) {
    (ready_ ? messages : when_ready_).push_back(std::move(message));
}

// Now, or when the session is ready and the response that runs is over.
void RealtimeProtocol::respond(std::string instructions, std::vector<std::string>& messages) {
    if (!ready_ || responding_) {
        if (!instructions.starts_with(say_prefix)) {
            words_.clear();  // Overtaken.
        }
        wanted_ = std::move(instructions);
        return;
    }
    responding_ = true;
    words_.clear();
    json create = {{"type", "response.create"}};
    if (!instructions.empty()) {
        create["response"]["instructions"] = std::move(instructions);
    }
    messages.push_back(dump_json(create));
}

void RealtimeProtocol::note(std::string_view text, std::vector<std::string>& messages) {
    send(dump_json({{"type", "conversation.item.create"},
                    {"item",
                     {{"type", "message"},
                      {"role", "system"},
                      {"content", json::array({{{"type", "input_text"}, {"text", std::string(text)}}})}}}}),
         messages);
}

void RealtimeProtocol::hear(std::string_view text, std::vector<std::string>& messages) {
    send(dump_json({{"type", "conversation.item.create"},
                    {"item",
                     {{"type", "message"},
                      {"role", "user"},
                      {"content", json::array({{{"type", "input_text"}, {"text", std::string(text)}}})}}}}),
         messages);
    respond({}, messages);
}

void RealtimeProtocol::say(std::string_view text, std::vector<std::string>& messages) {
    words_ += (words_.empty() ? "" : " ") + std::string(text);
    respond(say_prefix + words_, messages);
}

void RealtimeProtocol::tool_result(std::string_view id, std::string_view result, std::vector<std::string>& messages) {
    send(dump_json(
             {{"type", "conversation.item.create"},
              {"item",
               {{"type", "function_call_output"}, {"call_id", std::string(id)}, {"output", std::string(result)}}}}),
         messages);
}

void RealtimeProtocol::go_on(std::string_view instructions, std::vector<std::string>& messages) {
    respond(std::string(instructions), messages);
}

void RealtimeProtocol::cancel(std::vector<std::string>& messages) {
    wanted_.reset();
    words_.clear();
    early_turn_.reset();
    if (responding_ && !cancelled_) {
        cancelled_ = true;
        messages.emplace_back(R"({"type":"response.cancel"})");
    }
}

void RealtimeProtocol::interrupted(std::string_view item, Duration heard, std::vector<std::string>& messages) {
    const auto received =
        std::find_if(received_.begin(), received_.end(), [&](const auto& entry) { return entry.first == item; });
    if (received == received_.end()) {
        return;
    }
    const auto have = static_cast<std::int64_t>(received->second / bytes_of_millisecond);
    const auto wanted = std::chrono::duration_cast<std::chrono::milliseconds>(heard).count();
    // Past the end of what was received is an error over there, and to its very end nothing is cut.
    if (wanted < have) {
        messages.push_back(dump_json({{"type", "conversation.item.truncate"},
                                      {"item_id", std::string(item)},
                                      {"content_index", 0},
                                      {"audio_end_ms", std::max<std::int64_t>(wanted, 0)}}));
    }
}

}  // namespace agentlocator
