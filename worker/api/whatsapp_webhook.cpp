#include "worker/api/whatsapp_webhook.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "common/log_line.hpp"
#include "common/text.hpp"
#include "worker/api/api_gate.hpp"
#include "worker/api/api_reply.hpp"
#include "worker/api/bridge_events.hpp"
#include "worker/digest.hpp"
#include "worker/http_reply.hpp"
#include "worker/twiml.hpp"

namespace agentlocator {
namespace {

constexpr std::int64_t media_max = 10;  // Twilio docs: at most ten attachments.

// For senders that name no type (Twilio docs: MessageType is newer than the webhook).
std::string kind_of_file(std::string_view mime) {
    for (const std::string_view kind : {"image", "audio", "video"}) {
        if (mime.starts_with(kind)) {
            return std::string(kind);
        }
    }
    return "document";
}

// Where the attachments are; fetching one needs our credentials.
std::string media_of(const FormFields& fields) {
    nlohmann::json list = nlohmann::json::array();
    const std::int64_t count =
        std::clamp<std::int64_t>(parse_integer(field(fields, "NumMedia")).value_or(0), 0, media_max);
    for (std::int64_t i = 0; i < count; ++i) {
        const std::string number = std::to_string(i);
        list.push_back(
            {{"url", field(fields, "MediaUrl" + number)}, {"mime", field(fields, "MediaContentType" + number)}});
    }
    return list.empty() ? std::string() : list.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

using Json = nlohmann::json;

Json member(const Json& document, const char* name) {
    return document.is_object() && document.contains(name) ? document[name] : Json();
}
std::string text_of(const Json& document, const char* name) {
    const Json value = member(document, name);
    return value.is_string() ? value.get<std::string>() : std::string();
}

// Nothing: it is a bridge that knows our secret.
std::optional<RouteResult> refuse_stranger(const WebRequest& request) {
    const HttpRequest& http = request.http;
    if (http.body.size() > api_body_bytes_max) {
        return refuse(text_reply(413, "body too large"),
                      log_line("webhook_refused", {{"path", log_path(http.target)}, {"status", 413}}));
    }
    const std::string& secret = request.context.settings.bridge_secret;
    const std::string digest = hmac_sha256(secret, http.body);
    const bool proved = !secret.empty() && (equal_constant_time(http.header("X-BAILEYS-SIGNATURE").value_or(""),
                                                                hex(digest.data(), digest.size())) ||
                                            equal_constant_time(http.header("X-BAILEYS-SECRET").value_or(""), secret) ||
                                            equal_constant_time(http.header("X-Internal-Secret").value_or(""), secret));
    if (proved) {
        return std::nullopt;
    }
    return refuse(text_reply(403, "forbidden"),
                  log_line("webhook_refused", {{"path", log_path(http.target)},
                                               {"status", 403},
                                               {"reason", "no_valid_proof"},
                                               {"remedy", "give the bridge that sends it our BAILEYS_SECRET"}}));
}

// Under the id our own bridge would give it, so that one message that comes on both roads is one.
MessageInFact old_bridge_message(const WebRequest& request, const std::string& from, const std::string& id) {
    const std::string address = from.find('@') == std::string::npos ? from + "@s.whatsapp.net" : from;
    return {.provider = "baileys",
            .message_id = "in:" + address + ":" + id,
            .from = from,
            .address = address,
            .sent_at = request.context.now_ms,
            .stored_at = request.context.now_ms};
}

// A number, or "business_<number>"; 0: told nothing, the message belongs to nobody.
std::int64_t business_of_tenant(const Json& tenant) {
    if (tenant.is_number_integer()) {
        return std::max<std::int64_t>(tenant.get<std::int64_t>(), 0);
    }
    std::string_view name = tenant.is_string() ? std::string_view(tenant.get_ref<const std::string&>()) : "";
    constexpr std::string_view prefix = "business_";
    name.remove_prefix(name.starts_with(prefix) ? prefix.size() : 0);
    return std::max<std::int64_t>(parse_integer(name).value_or(0), 0);
}

// Baileys' own form of a message: {key: {remoteJid, fromMe, id}, pushName, messageTimestamp, message: {...}}.
std::optional<MessageInFact> read_old_message(const WebRequest& request, const Json& one) {
    const Json key = member(one, "key");
    const std::string from = text_of(key, "remoteJid");
    const std::string id = text_of(key, "id");
    if (from.empty() || id.empty()) {
        return std::nullopt;
    }
    const Json content = member(one, "message");
    MessageInFact message = old_bridge_message(request, from, id);
    message.name = text_of(one, "pushName");
    message.text = text_of(content, "conversation");
    if (message.text.empty()) {
        message.text = text_of(member(content, "extendedTextMessage"), "text");
    }
    message.kind = message.text.empty() ? "other" : "text";
    if (const Json at = member(one, "messageTimestamp"); at.is_number_integer()) {
        message.sent_at = at.get<std::int64_t>() * 1000;
    }
    const bool lately = request.context.now_ms - message.sent_at < answer_age_ms_max;
    const bool alone = from.ends_with("@s.whatsapp.net") || from.ends_with("@c.us") || from.ends_with("@lid");
    message.answer = member(key, "fromMe") != true && alone && lately && !message.text.empty() ? 1 : 0;
    return message;
}

RouteResult acknowledge(Fact fact, std::string line) {
    RouteResult result{.answer = no_content(), .log = {std::move(line)}};
    result.facts.push_back(std::move(fact));
    result.unless_stored = text_reply(503, "the store takes nothing now");
    return result;
}

}  // namespace

RouteResult whatsapp_from_twilio(const WebRequest& request) {
    const FormFields& fields = request.fields;
    const auto text = [&](std::string_view name) { return std::string(field(fields, name)); };
    const std::string id = text("MessageSid").empty() ? text("SmsMessageSid") : text("MessageSid");
    if (id.empty()) {
        return {.answer = no_content()};  // Nothing to remember it under; nothing is promised.
    }
    const std::string media = media_of(fields);
    const std::string type = text("MessageType");
    const std::string kind = !type.empty()   ? type
                             : media.empty() ? std::string("text")
                                             : kind_of_file(text("MediaContentType0"));
    const std::string place = text("Label").empty() ? text("Address") : text("Label");
    MessageInFact message{.provider = "twilio",
                          .message_id = id,
                          .to = text("To"),
                          .from = text("From"),
                          .address = text("From"),
                          .name = text("ProfileName"),
                          .kind = kind,
                          .text = kind == "location" && text("Body").empty() ? place : text("Body"),
                          .media = media,
                          .sent_at = request.context.now_ms,
                          .stored_at = request.context.now_ms,
                          .answer = kind == "reaction" || kind == "sticker" ? 0 : 1};
    return acknowledge(std::move(message),
                       log_line("whatsapp_received", {{"provider", "twilio"}, {"id", log_cut(id)}}));
}

RouteResult whatsapp_inbound(const WebRequest& request) {
    RouteResult result = whatsapp_from_twilio(request);
    result.answer = xml_reply(empty_document());  // Twilio sends what TwiML says; our answer takes the outbox.
    return result;
}

RouteResult whatsapp_status(const WebRequest& request) {
    const FormFields& fields = request.fields;
    const std::string id(field(fields, "MessageSid").empty() ? field(fields, "SmsSid") : field(fields, "MessageSid"));
    const std::string status(field(fields, "MessageStatus").empty() ? field(fields, "SmsStatus")
                                                                    : field(fields, "MessageStatus"));
    if (id.empty() || status.empty()) {
        return {.answer = no_content()};
    }
    MessageStatusFact report{.provider = "twilio",
                             .provider_id = id,
                             .status = status,
                             .error = std::string(field(fields, "ErrorCode")),
                             .at = request.context.now_ms};
    return acknowledge(std::move(report),
                       log_line("whatsapp_status_received", {{"id", log_cut(id)}, {"status", log_cut(status)}}));
}

RouteResult whatsapp_from_bridge(const WebRequest& request) {
    if (auto refusal = refuse_stranger(request)) {
        return *std::move(refusal);
    }
    const Json body = Json::parse(request.http.body, nullptr, false);
    const std::string from = text_of(body, "from");
    const std::string id =
        text_of(body, "message_id").empty() ? text_of(body, "provider_msg_id") : text_of(body, "message_id");
    if (from.empty() || id.empty()) {
        return {.answer = text_reply(400, "a JSON object with from, text and message_id is wanted")};
    }
    const std::string url = text_of(body, "media_url");
    MessageInFact message = old_bridge_message(request, from, id);
    message.text = text_of(body, "text");
    message.kind = message.text.empty() ? "other" : "text";
    message.media = url.empty() ? url : Json::array({{{"url", url}}}).dump();
    message.answer = message.text.empty() && url.empty() ? 0 : 1;
    return acknowledge(std::move(message),
                       log_line("whatsapp_received", {{"provider", "baileys"}, {"id", log_cut(id)}}));
}

RouteResult whatsapp_batch_from_bridge(const WebRequest& request) {
    if (auto refusal = refuse_stranger(request)) {
        return *std::move(refusal);
    }
    const Json body = Json::parse(request.http.body, nullptr, false);
    const Json messages = member(member(body, "payload"), "messages");
    if (!messages.is_array() || messages.size() > webhook_messages_max) {
        return {.answer = text_reply(400, "payload.messages must be an array of at most 100 messages")};
    }
    const std::int64_t business = business_of_tenant(member(body, "tenantId"));
    RouteResult result{.answer = no_content()};
    for (const Json& one : messages) {
        if (auto message = read_old_message(request, one)) {
            message->business = business;
            result.log.push_back(
                log_line("whatsapp_received", {{"provider", "baileys"}, {"id", log_cut(message->message_id)}}));
            result.facts.emplace_back(std::move(*message));
        }
    }
    if (!result.facts.empty()) {
        result.unless_stored = text_reply(503, "the store takes nothing now");
    }
    return result;
}

RouteResult stripe_gone(const WebRequest&) {
    return {.answer = api_reply(410, {{"error", "Stripe deprecated. Use /api/crm/payments/create"}})};
}

}  // namespace agentlocator
