#include "supervisor/call/server_message.hpp"

#include <algorithm>
#include <initializer_list>
#include <nlohmann/json.hpp>

#include "supervisor/call/base64.hpp"

namespace agentlocator::call {
namespace {

using nlohmann::json;

// Empty when `object` has exactly these keys; else what is wrong.
std::string compare_keys(const json& object, std::initializer_list<const char*> wanted) {
    for (const char* key : wanted) {
        if (!object.contains(key)) {
            return std::string("field ") + key + " is missing";
        }
    }
    for (auto entry = object.begin(); entry != object.end(); ++entry) {
        const std::string& key = entry.key();
        if (std::none_of(wanted.begin(), wanted.end(), [&](const char* w) { return key == w; })) {
            return "field " + shorten(key) + " is not allowed";
        }
    }
    return {};
}

}  // namespace

ServerMessageReader::ServerMessageReader(std::string stream_sid)
    : stream_sid_(std::move(stream_sid)),
      usual_head_("{\"event\":\"media\",\"streamSid\":\"" + stream_sid_ + "\",\"media\":{\"payload\":\"") {}

ServerMessage ServerMessageReader::read(std::string_view text, Violations& violations) {
    // Media comes fifty times a second on each call; under load a JSON tree for each is most of the work. In the usual
    // spelling everything but the payload is known, and base64 has no byte that JSON escapes.
    constexpr std::string_view usual_tail = "\"}}";
    if (text.size() > usual_head_.size() + usual_tail.size() && text.starts_with(usual_head_) &&
        text.ends_with(usual_tail)) {
        const std::string_view payload =
            text.substr(usual_head_.size(), text.size() - usual_head_.size() - usual_tail.size());
        if (decode_base64(payload, audio_)) {
            return take_audio(payload, text, violations);
        }
    }
    return read_slowly(text, violations);
}

ServerMessage ServerMessageReader::read_slowly(std::string_view text, Violations& violations) {
    const auto invalid = [&](std::string_view why) -> ServerMessage {
        violations.add(Rule::invalid_message, why, text);
        return Dropped{};
    };
    const json message = json::parse(text, nullptr, false);
    if (message.is_discarded()) {
        return invalid("message is not JSON");
    }
    if (!message.is_object() || !message.contains("event") || !message["event"].is_string()) {
        return invalid("message has no event");
    }
    const std::string event = message["event"].get<std::string>();
    if (event != "media" && event != "mark" && event != "clear") {
        return invalid("unknown event " + shorten(event));
    }
    const char* const content = event == "media" ? "media" : "mark";
    const std::string fault = event == "clear" ? compare_keys(message, {"event", "streamSid"})
                                               : compare_keys(message, {"event", "streamSid", content});
    if (!fault.empty()) {
        return invalid(event + ": " + fault);
    }
    if (!message["streamSid"].is_string() || message["streamSid"].get_ref<const std::string&>() != stream_sid_) {
        return invalid(event + ": streamSid is not this stream's");
    }
    if (event == "clear") {
        return ServerClear{};
    }
    const char* const key = event == "media" ? "payload" : "name";
    const json& body = message[content];
    if (!body.is_object()) {
        return invalid(event + ": field " + content + " is not an object");
    }
    if (const std::string inner = compare_keys(body, {key}); !inner.empty()) {
        return invalid(event + ": " + inner);
    }
    if (!body[key].is_string() || body[key].get_ref<const std::string&>().empty()) {
        return invalid(event + ": field " + key + " is not a text, or empty");
    }
    const auto& value = body[key].get_ref<const std::string&>();
    if (event == "mark") {
        return ServerMark{value};
    }
    if (!decode_base64(value, audio_)) {
        return invalid("media: payload is not base64");
    }
    return take_audio(value, text, violations);
}

ServerMessage ServerMessageReader::take_audio(std::string_view payload, std::string_view text, Violations& violations) {
    if (payload.starts_with("UklGR")) {  // "RIFF": a WAV header plays as a pop (Twilio docs: Media Streams, payload).
        violations.add(Rule::ours, "media: payload holds a WAV header, not bare mu-law", text);
    }
    return ServerMedia{audio_};
}

}  // namespace agentlocator::call
