#include "worker/media_message.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "common/text.hpp"

namespace agentlocator {
namespace {

using nlohmann::json;

// Walks one JSON text in place. Declines (false) where a full parser should look: escapes, odd shapes.
class Scanner {
public:
    explicit Scanner(std::string_view text) : at_(text.data()), end_(text.data() + text.size()) {}

    bool media(MediaFrame& frame) {
        bool is_media = false;
        bool has_payload = false;
        const bool whole = object([&](std::string_view key) {
            if (key == "event") {
                std::string_view event;
                is_media = string(event) && event == "media";
                return is_media;
            }
            if (key == "streamSid") {
                return string(frame.stream_sid);
            }
            if (key == "media") {
                return object([&](std::string_view inner) {
                    if (inner == "payload") {
                        has_payload = string(frame.payload);
                        return has_payload;
                    }
                    if (inner == "track") {
                        std::string_view track;
                        return string(track) && track == "inbound";
                    }
                    return scalar();
                });
            }
            return scalar();
        });
        blanks();
        return whole && at_ == end_ && is_media && has_payload;
    }

private:
    void blanks() {
        while (at_ < end_ && (*at_ == ' ' || *at_ == '\n' || *at_ == '\r' || *at_ == '\t')) {
            ++at_;
        }
    }
    bool take(char c) {
        blanks();
        if (at_ == end_ || *at_ != c) {
            return false;
        }
        ++at_;
        return true;
    }
    bool string(std::string_view& out) {
        if (!take('"')) {
            return false;
        }
        const auto* quote = static_cast<const char*>(std::memchr(at_, '"', static_cast<std::size_t>(end_ - at_)));
        if (quote == nullptr) {
            return false;
        }
        out = {at_, static_cast<std::size_t>(quote - at_)};
        at_ = quote + 1;
        // A backslash may hide the true end of the string; a control byte is not JSON.
        return std::memchr(out.data(), '\\', out.size()) == nullptr;
    }
    bool scalar() {
        blanks();
        std::string_view ignored;
        if (at_ < end_ && *at_ == '"') {
            return string(ignored);
        }
        const char* const from = at_;
        while (at_ < end_ && ((*at_ >= '0' && *at_ <= '9') || *at_ == '-' || *at_ == '.')) {
            ++at_;
        }
        return at_ != from;
    }
    template <class OnKey>
    bool object(OnKey on_key) {
        if (!take('{')) {
            return false;
        }
        do {
            std::string_view key;
            if (!string(key) || !take(':') || !on_key(key)) {
                return false;
            }
        } while (take(','));
        return take('}');
    }

    const char* at_;
    const char* end_;
};

StreamEvent event_of(std::string_view name) {
    constexpr std::pair<std::string_view, StreamEvent> names[] = {
        {"connected", StreamEvent::connected}, {"start", StreamEvent::start}, {"media", StreamEvent::media},
        {"mark", StreamEvent::mark},           {"dtmf", StreamEvent::dtmf},   {"stop", StreamEvent::stop},
    };
    for (const auto& [text, event] : names) {
        if (text == name) {
            return event;
        }
    }
    return StreamEvent::unknown;
}

const json* member(const json& object, const char* name) {
    if (!object.is_object()) {
        return nullptr;
    }
    const auto found = object.find(name);
    return found == object.end() ? nullptr : &*found;
}

std::string text_of(const json* value) {
    return value != nullptr && value->is_string() ? value->get<std::string>() : std::string();
}

// Twilio sends some numbers as strings; accept both.
std::int64_t number_of(const json* value) {
    if (value == nullptr) {
        return 0;
    }
    if (value->is_number_integer()) {
        return value->get<std::int64_t>();
    }
    return value->is_string() ? parse_integer(value->get_ref<const std::string&>()).value_or(0) : 0;
}

void read_parameters(const json* block, StreamMessage& message) {
    if (block == nullptr) {
        return;
    }
    json parsed;
    if (block->is_string()) {  // Some senders hand the block over as a JSON string.
        parsed = json::parse(block->get_ref<const std::string&>(), nullptr, false);
        block = &parsed;
    }
    if (!block->is_object()) {
        return;
    }
    for (const auto& [name, value] : block->items()) {
        if (value.is_string()) {
            message.parameters.emplace_back(name, value.get<std::string>());
        }
    }
}

void read_start(const json& start, StreamMessage& message) {
    if (std::string sid = text_of(member(start, "streamSid")); !sid.empty()) {
        message.stream_sid = std::move(sid);
    }
    message.call_sid = text_of(member(start, "callSid"));
    read_parameters(member(start, "customParameters"), message);
    for (const char* name : {"CallSid", "call_sid", "CALL_SID"}) {
        if (message.call_sid.empty()) {
            message.call_sid = message.parameter(name);
        }
    }
    if (const json* format = member(start, "mediaFormat")) {
        message.encoding = text_of(member(*format, "encoding"));
        message.sample_rate = number_of(member(*format, "sampleRate"));
        message.channels = number_of(member(*format, "channels"));
    }
}

char* put(char* out, std::string_view text) {
    return std::ranges::copy(text, out).out;
}

}  // namespace

bool scan_media(std::string_view text, MediaFrame& frame) {
    return Scanner(text).media(frame);
}

std::string_view StreamMessage::parameter(std::string_view name) const {
    const auto found =
        std::find_if(parameters.begin(), parameters.end(), [&](const auto& entry) { return entry.first == name; });
    return found == parameters.end() ? std::string_view() : std::string_view(found->second);
}

bool parse_message(std::string_view text, StreamMessage& message) {
    const json document = json::parse(text, nullptr, false);
    const json* event = member(document, "event");
    if (event == nullptr || !event->is_string()) {
        return false;
    }
    message = {};
    message.event = event_of(event->get_ref<const std::string&>());
    message.stream_sid = text_of(member(document, "streamSid"));
    if (const json* start = member(document, "start"); start != nullptr && message.event == StreamEvent::start) {
        read_start(*start, message);
    }
    if (const json* media = member(document, "media")) {
        message.payload = text_of(member(*media, "payload"));
        const std::string track = text_of(member(*media, "track"));
        message.outbound_track = !track.empty() && track != "inbound";
    }
    if (const json* mark = member(document, "mark")) {
        message.mark = text_of(member(*mark, "name"));
    }
    if (const json* dtmf = member(document, "dtmf")) {
        const std::string digit = text_of(member(*dtmf, "digit"));
        message.digit = digit.size() == 1 ? digit[0] : '\0';
    }
    return true;
}

std::size_t write_clear(std::string_view stream_sid, char* out) {
    char* at = put(out, R"({"event":"clear","streamSid":")");
    at = put(at, stream_sid);
    return static_cast<std::size_t>(put(at, R"("})") - out);
}

std::size_t write_mark(std::string_view stream_sid, std::string_view name, char* out) {
    char* at = put(out, R"({"event":"mark","streamSid":")");
    at = put(at, stream_sid);
    at = put(at, R"(","mark":{"name":")");
    at = put(at, name);
    return static_cast<std::size_t>(put(at, R"("}})") - out);
}

std::size_t write_media_text(std::string_view stream_sid, std::string_view base64, char* out) {
    char* at = put(out, R"({"event":"media","streamSid":")");
    at = put(at, stream_sid);
    at = put(at, R"(","media":{"payload":")");
    at = put(at, base64);
    return static_cast<std::size_t>(put(at, R"("}})") - out);
}

bool plain_id(std::string_view id) {
    return !id.empty() &&
           std::all_of(id.begin(), id.end(), [](char c) { return c > ' ' && c < '\x7f' && c != '"' && c != '\\'; });
}

}  // namespace agentlocator
