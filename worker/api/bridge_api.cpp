#include "worker/api/bridge_api.hpp"

#include <nlohmann/json.hpp>

#include "store/phone.hpp"
#include "worker/api/api_reply.hpp"
#include "worker/digest.hpp"

namespace agentlocator {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::string_view status_path = "/api/whatsapp/status";
constexpr std::string_view qr_path = "/api/whatsapp/qr";
constexpr std::string_view pair_path = "/api/whatsapp/pair";
constexpr std::string_view logout_path = "/api/whatsapp/logout";

bool has_bridge(const Settings& settings) {
    return settings.bridge_enabled && !settings.bridge_secret.empty();
}

HttpResponse wrong_method(std::string_view methods) {
    HttpResponse answer = api_error(405, "use " + std::string(methods));
    answer.headers.push_back({"Allow", std::string(methods)});
    return answer;
}

Json member(const Json& document, const char* name) {
    return document.is_object() && document.contains(name) ? document[name] : Json();
}
bool flag(const Json& document, const char* name) {
    return member(document, name) == true;
}

// Names of the original beside those of the bridge, which keeps its three truths apart.
HttpResponse status_reply(const Settings& settings, const Json& session) {
    const bool answers = session.is_object();
    const bool twilio = twilio_whatsapp_ready(settings);
    const bool can_send = flag(session, "can_send");
    const std::string& wanted = settings.whatsapp_provider;
    const std::string provider = wanted != "auto" ? wanted : can_send || !twilio ? "baileys" : "twilio";
    const Json me = member(session, "me");
    const Json reconnect = member(session, "reconnect");
    return api_reply(200, {{"success", true},
                           {"ok", true},
                           {"provider", provider},
                           {"ready", provider == "twilio" ? twilio : can_send},
                           {"connected", provider == "twilio" ? twilio : flag(session, "connected")},
                           {"configured", provider == "twilio" ? twilio : flag(session, "paired")},
                           {"baileys",
                            {{"enabled", has_bridge(settings)},
                             {"running", answers},
                             {"connected", flag(session, "connected")},
                             {"paired", flag(session, "paired")},
                             {"canSend", can_send},
                             {"state", answers ? member(session, "state") : Json("away")},
                             {"reason", member(session, "reason")},
                             {"phone", member(me, "phone")},
                             {"pushName", member(me, "name")},
                             {"hasQR", member(session, "pairing").is_object() && member(session, "qr_seq") != 0},
                             {"reconnectAttempts", reconnect.is_object() ? member(reconnect, "attempt") : Json(0)},
                             {"restricted_until", member(session, "restricted_until")},
                             {"outbox", member(session, "outbox")}}},
                           {"twilio", {{"configured", twilio}}}});
}

// The bridge's own words, under its own status; they are meant for people, and name no secret.
HttpResponse fault_reply(long status, const Json& body) {
    if (status == 0) {
        return api_error(503, "the WhatsApp bridge does not answer now");
    }
    if (status == 401 || status == 403) {
        return api_error(502, "the WhatsApp bridge does not know our secret");
    }
    const Json fault = member(body, "error");
    const Json message = member(fault, "message");
    Json document = {{"success", false},
                     {"ok", false},
                     {"error", message.is_string() ? message : Json("the WhatsApp bridge refused")},
                     {"code", member(fault, "code")}};
    return api_reply(status >= 400 && status < 600 ? static_cast<unsigned>(status) : 502, document);
}

std::variant<BridgeQuestion, HttpResponse> pair_question(const HttpRequest& request) {
    if (request.method == "DELETE") {
        return BridgeQuestion{"DELETE", "/v1/session/pair", {}};
    }
    if (request.method != "POST") {
        return wrong_method("POST, DELETE");
    }
    const Json body = request.body.empty() ? Json::object() : Json::parse(request.body, nullptr, false);
    const Json method = member(body, "method");
    if (!body.is_object() || !(method.is_null() || method == "qr" || method == "code")) {
        return api_error(400, "\"method\" must be qr or code");
    }
    if (method != "code") {
        return BridgeQuestion{"POST", "/v1/session/pair", R"({"method":"qr"})"};
    }
    const Json phone = member(body, "phone");
    const auto number = phone.is_string() ? normal_phone(phone.get<std::string>()) : std::nullopt;
    if (!number) {
        return api_error(400, "\"phone\" must be the telephone number of the account to be linked");
    }
    return BridgeQuestion{"POST", "/v1/session/pair", Json{{"method", "code"}, {"phone", number->substr(1)}}.dump()};
}

}  // namespace

bool is_bridge_path(std::string_view path) {
    return path == status_path || path == qr_path || path == pair_path || path == logout_path;
}

bool twilio_whatsapp_ready(const Settings& settings) {
    return !settings.twilio_account_sid.empty() && !settings.twilio_auth_token.empty() &&
           !settings.twilio_whatsapp_number.empty();
}

std::variant<BridgeQuestion, HttpResponse> ask_bridge(const HttpRequest& request, std::string_view path,
                                                      const Settings& settings) {
    const bool get = request.method == "GET" || request.method == "HEAD";
    if ((path == status_path || path == qr_path) && !get) {
        return wrong_method("GET");
    }
    if (path == logout_path && request.method != "POST") {
        return wrong_method("POST");
    }
    auto question = path == pair_path ? pair_question(request)
                                      : BridgeQuestion{path == logout_path ? "POST" : "GET",
                                                       path == qr_path       ? "/v1/session/qr"
                                                       : path == logout_path ? "/v1/session/logout"
                                                                             : "/v1/session",
                                                       {}};
    if (std::holds_alternative<BridgeQuestion>(question) && !has_bridge(settings)) {
        return path == status_path ? status_reply(settings, {}) : api_error(503, "there is no WhatsApp bridge here");
    }
    return question;
}

HttpResponse read_bridge_reply(std::string_view path, const Settings& settings, long status, std::string_view body) {
    const Json document = Json::parse(body, nullptr, false);
    const bool good = (status == 200 || status == 202) && document.is_object();
    if (path == status_path) {
        return status_reply(settings, good ? document : Json());
    }
    if (!good && (status != 202 || path == qr_path)) {
        return fault_reply(status, document);
    }
    Json answer = {{"success", true}, {"ok", true}};
    if (path == qr_path) {
        answer["qr"] = answer["qrText"] = member(document, "qr");
        if (const Json svg = member(document, "svg"); svg.is_string()) {
            answer["dataUrl"] = "data:image/svg+xml;base64," + to_base64(svg.get<std::string>());
        }
        answer["expires_at"] = member(document, "expires_at");
        answer["seq"] = member(document, "seq");
    } else if (path == pair_path) {
        for (const char* name : {"method", "code", "expires_at"}) {
            if (const Json value = member(document, name); !value.is_null()) {
                answer[name] = value;
            }
        }
    }
    return api_reply(static_cast<unsigned>(status), answer);
}

}  // namespace agentlocator
