#include "worker/api/bridge_events.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>

#include "store/clean_text.hpp"

namespace agentlocator {
namespace {

using Json = nlohmann::json;

constexpr std::size_t id_bytes_max = 300;  // WhatsApp's own have some 80.
constexpr std::size_t name_bytes_max = 200;

const Json& member(const Json& document, const char* name) {
    static const Json nothing;
    const auto found = document.is_object() ? document.find(name) : document.end();
    return document.is_object() && found != document.end() ? *found : nothing;
}
std::string text(const Json& document, const char* name, std::size_t bytes_max = id_bytes_max) {
    const Json& value = member(document, name);
    return value.is_string() ? clean_text(value.get_ref<const std::string&>(), bytes_max) : std::string();
}
std::int64_t number(const Json& document, const char* name) {
    const Json& value = member(document, name);
    return value.is_number_integer() ? value.get<std::int64_t>() : 0;
}
bool flag(const Json& document, const char* name) {
    return member(document, name) == true;
}

// Kinds in which a person says something that wants an answer: not a thumb, a sticker, a correction.
bool says_something(std::string_view kind) {
    constexpr std::string_view kinds[] = {"text",  "image",    "video",    "audio",
                                          "voice", "document", "location", "contact"};
    return std::find(std::begin(kinds), std::end(kinds), kind) != std::end(kinds);
}

std::string media_of(const Json& event, const std::string& event_id) {
    const Json& media = member(member(event, "message"), "media");
    if (!media.is_object()) {
        return {};
    }
    return Json::array({{{"url", "/v1/media/" + event_id}, {"mime", text(media, "mime")}}})
        .dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::optional<Unanswered> why_unanswered(const Json& event, const MessageInFact& fact, std::int64_t now_ms) {
    if (flag(event, "from_me")) {
        return Unanswered::own;
    }
    if (flag(member(event, "chat"), "group")) {
        return Unanswered::group;
    }
    if (!says_something(fact.kind)) {
        return Unanswered::wordless;
    }
    return now_ms - fact.sent_at < answer_age_ms_max ? std::nullopt : std::optional(Unanswered::old);
}

MessageInFact message_of(const Json& event, std::int64_t now_ms) {
    const Json& message = member(event, "message");
    const Json& from = member(event, "from");
    const std::string phone = text(from, "phone");
    MessageInFact fact{.provider = "baileys",
                       .message_id = text(event, "event_id"),
                       .to = text(member(event, "to"), "phone"),
                       .from = phone.empty() ? phone : "+" + phone,
                       .address = text(member(event, "chat"), "jid"),
                       .name = text(from, "name", name_bytes_max),
                       .kind = text(message, "kind"),
                       .text = text(message, "text", fact_text_bytes_max),
                       .media = media_of(event, text(event, "event_id")),
                       .sent_at = number(message, "ts") * 1000,
                       .stored_at = now_ms,
                       .arrival = number(event, "seq")};
    fact.to = fact.to.empty() ? fact.to : "+" + fact.to;
    fact.answer = why_unanswered(event, fact, now_ms) ? 0 : 1;
    return fact;
}

MessageStatusFact status_of(const Json& event, std::int64_t now_ms) {
    // What the store calls accepted, the bridge's having taken it, is known already: here WhatsApp has taken it.
    const std::string state = text(event, "state");
    std::string error = text(event, "error");
    if (const std::int64_t code = number(event, "code"); code != 0) {
        error += (error.empty() ? "" : " ") + std::to_string(code);
    }
    return {.id = text(event, "key"),
            .provider = "baileys",
            .provider_id = text(event, "wa_id"),
            .status = state == "accepted" ? "sent" : state,
            .error = std::move(error),
            .at = now_ms};
}

}  // namespace

Result<BridgeEvents> read_bridge_events(std::string_view body, std::int64_t now_ms) {
    const Json document = Json::parse(body, nullptr, false);
    const Json& events = member(document, "events");
    const Json& next = member(document, "next");
    if (!events.is_array() || !next.is_number_integer()) {
        return error(Errc::bad_message, "the bridge's answer is no list of events");
    }
    BridgeEvents read{.next = next.get<std::int64_t>(), .before = number(document, "acknowledged")};
    for (const Json& event : events) {
        const std::string type = text(event, "type");
        if (type == "message" && !text(event, "event_id").empty()) {
            MessageInFact fact = message_of(event, now_ms);
            read.messages = read.messages || fact.answer != 0;
            ++read.received;
            if (const auto why = why_unanswered(event, fact, now_ms)) {
                read.unanswered.push_back(*why);
            }
            read.facts.emplace_back(std::move(fact));
        } else if (type == "receipt" && !text(event, "key").empty()) {
            read.facts.emplace_back(status_of(event, now_ms));
        }
    }
    return read;
}

}  // namespace agentlocator
