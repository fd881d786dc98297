#include "worker/api/whatsapp_webhook.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "common/log_line.hpp"
#include "common/text.hpp"
#include "worker/api/api_reply.hpp"
#include "worker/http_reply.hpp"

namespace agentlocator {
namespace {

constexpr std::int64_t media_max = 10;  // Twilio docs: at most ten attachments.

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
    const std::string kind = text("MessageType");
    MessageInFact message{.provider = "twilio",
                          .message_id = id,
                          .to = text("To"),
                          .from = text("From"),
                          .address = text("From"),
                          .name = text("ProfileName"),
                          .kind = kind.empty() ? "text" : kind,
                          .text = text("Body"),
                          .media = media_of(fields),
                          .sent_at = request.context.now_ms,
                          .stored_at = request.context.now_ms,
                          .answer = 1};
    return acknowledge(std::move(message),
                       log_line("whatsapp_received", {{"provider", "twilio"}, {"id", log_cut(id)}}));
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

RouteResult stripe_gone(const WebRequest&) {
    return {.answer = api_reply(410, {{"error", "Stripe deprecated. Use /api/crm/payments/create"}})};
}

}  // namespace agentlocator
