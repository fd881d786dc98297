#include "worker/api/delivery.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "store/table.hpp"
#include "worker/providers/http_call.hpp"

namespace agentlocator {
namespace {

using Json = nlohmann::json;
using Kind = DeliveryOutcome::Kind;

constexpr std::int64_t pause_first_ms = 1000;
constexpr std::int64_t pause_longest_ms = 600'000;
constexpr std::size_t error_bytes_max = 300;

std::string member(const Json& document, const char* name) {
    const auto found = document.is_object() ? document.find(name) : document.end();
    return found != document.end() && found->is_string() ? found->get<std::string>() : std::string();
}

std::string short_error(std::string_view who, long status, const std::string& detail) {
    std::string text = std::string(who) + " answered " + std::to_string(status);
    text += detail.empty() ? "" : ": " + detail;
    return text.substr(0, error_bytes_max);
}

}  // namespace

std::string_view to_string(WhatsAppProvider provider) {
    return provider == WhatsAppProvider::baileys ? "baileys" : "twilio";
}

std::optional<WhatsAppProvider> choose_provider(const OutboxJob& job, ProvidersNow now, std::int64_t now_ms) {
    const std::string& wanted = job.used.empty() ? job.provider : job.used;
    if (wanted == "baileys") {
        return now.baileys ? std::optional(WhatsAppProvider::baileys) : std::nullopt;
    }
    if (wanted == "twilio") {
        return now.twilio ? std::optional(WhatsAppProvider::twilio) : std::nullopt;
    }
    const bool conversation = job.last_inbound_at != 0 && now_ms - job.last_inbound_at < free_text_ms;
    if (now.baileys && (conversation || !now.twilio)) {
        return WhatsAppProvider::baileys;
    }
    return now.twilio ? std::optional(WhatsAppProvider::twilio) : std::nullopt;
}

DeliveryOutcome read_bridge_answer(long status, std::string_view body) {
    const Json document = Json::parse(body, nullptr, false);
    if (status == 200 || status == 202) {
        const std::string wa_id = member(document, "wa_id");
        return {Kind::accepted, wa_id.empty() ? member(document, "id") : wa_id, {}};
    }
    const bool has_error = document.is_object() && document.contains("error");
    const std::string code = has_error ? member(document["error"], "code") : std::string();
    const bool permanent = status >= 400 && status < 500 && status != 401 && status != 408 && status != 429;
    return {permanent ? Kind::refused : Kind::again,
            {},
            status == 0 ? "the bridge does not answer" : short_error("bridge", status, code)};
}

DeliveryOutcome read_twilio_answer(long status, std::string_view body, bool sent) {
    const Json document = Json::parse(body, nullptr, false);
    if (status == 200 || status == 201) {
        const std::string sid = member(document, "sid");
        return sid.empty() ? DeliveryOutcome{Kind::unknown, {}, "Twilio named no sid"}
                           : DeliveryOutcome{Kind::accepted, sid, {}};
    }
    if (status == 0) {
        return {sent ? Kind::unknown : Kind::again, {}, "Twilio does not answer"};
    }
    const bool coded = document.is_object() && document.contains("code") && document["code"].is_number_integer();
    const std::string code = coded ? std::to_string(document["code"].get<std::int64_t>()) : std::string();
    if (status == 429) {  // Not processed, always safe to repeat (Twilio docs: 20429).
        return {Kind::again, {}, short_error("Twilio", status, code)};
    }
    return {status >= 500 ? Kind::unknown : Kind::refused, {}, short_error("Twilio", status, code)};
}

std::vector<std::string> candidates_in_twilio_list(std::string_view body, const OutboxJob& job) {
    std::vector<std::string> sids;
    const Json document = Json::parse(body, nullptr, false);
    if (!document.is_object() || !document.contains("messages") || !document["messages"].is_array()) {
        return sids;
    }
    for (const Json& message : document["messages"]) {
        const std::string sid = member(message, "sid");
        if (!sid.empty() && member(message, "body") == job.text &&
            member(message, "direction").starts_with("outbound")) {
            sids.push_back(sid);
        }
    }
    return sids;
}

std::string bridge_body(const OutboxJob& job) {
    Json document = {{"to", job.to.starts_with('+') ? job.to.substr(1) : job.to}, {"type", "text"}, {"text", job.text}};
    if (!job.media_url.empty()) {
        document["text"] = job.text.empty() ? job.media_url : job.text + "\n" + job.media_url;
    }
    return document.dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::string twilio_form(const OutboxJob& job, const std::string& from, const std::string& callback) {
    const auto address = [](const std::string& number) {
        return number.starts_with("whatsapp:") ? number : "whatsapp:" + number;
    };
    std::string form = "To=" + url_encode(address(job.to)) + "&From=" + url_encode(address(from));
    form += job.text.empty() ? "" : "&Body=" + url_encode(job.text);
    form += job.media_url.empty() ? "" : "&MediaUrl=" + url_encode(job.media_url);
    form += callback.empty() ? "" : "&StatusCallback=" + url_encode(callback);
    return form;
}

std::string twilio_list_query(const OutboxJob& job, const std::string& from) {
    const std::string day = iso_time(job.asked_at).substr(0, 10);  // Twilio filters by whole days, UTC.
    return "To=" + url_encode("whatsapp:" + job.to) + "&From=" + url_encode("whatsapp:" + from) + "&DateSent%3E=" + day;
}

std::int64_t delivery_pause_ms(std::int64_t attempts) {
    return std::min(pause_first_ms << std::clamp<std::int64_t>(attempts - 1, 0, 20), pause_longest_ms);
}

std::int64_t nobody_pause_ms(std::int64_t waited_ms) {
    constexpr std::int64_t soonest_ms = 500;
    constexpr std::int64_t latest_ms = 30'000;
    return std::clamp(waited_ms / 10, soonest_ms, latest_ms);
}

}  // namespace agentlocator
