#include "worker/api/bridge_api.hpp"

#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

using namespace agentlocator;
using Json = nlohmann::json;

namespace {

struct Fixture {
    Settings settings;
    Fixture() {
        settings.bridge_secret = "s";
        settings.whatsapp_provider = "auto";
    }
    [[nodiscard]] std::variant<BridgeQuestion, HttpResponse> ask(const std::string& method, const std::string& path,
                                                                 const std::string& body = {}) const {
        return ask_bridge({.method = method, .target = path, .headers = {}, .body = body}, path, settings);
    }
    [[nodiscard]] BridgeQuestion question(const std::string& method, const std::string& path,
                                          const std::string& body = {}) const {
        return std::get<BridgeQuestion>(ask(method, path, body));
    }
    [[nodiscard]] unsigned refusal(const std::string& method, const std::string& path,
                                   const std::string& body = {}) const {
        return std::get<HttpResponse>(ask(method, path, body)).status;
    }
    [[nodiscard]] Json status(long code, const std::string& body) const {
        const HttpResponse answer = read_bridge_reply("/api/whatsapp/status", settings, code, body);
        CHECK(answer.status == 200);
        return Json::parse(answer.body);
    }
};

const std::string open_session = R"({"state":"open","connected":true,"paired":true,"can_send":true,"qr_seq":0,
    "me":{"phone":"972500000001","name":"Office"},"reconnect":null,"pairing":null})";

}  // namespace

TEST_CASE("bridge api: each route is one question to the bridge") {
    const Fixture api;
    CHECK(api.question("GET", "/api/whatsapp/status").target == "/v1/session");
    CHECK(api.question("GET", "/api/whatsapp/qr").target == "/v1/session/qr");
    CHECK(api.question("POST", "/api/whatsapp/logout").target == "/v1/session/logout");
    CHECK(api.question("POST", "/api/whatsapp/pair").body == R"({"method":"qr"})");
    CHECK(api.question("POST", "/api/whatsapp/pair", R"({"method":"code","phone":"050-1234567"})").body ==
          R"({"method":"code","phone":"972501234567"})");
    CHECK(api.question("DELETE", "/api/whatsapp/pair").method == "DELETE");
    CHECK_FALSE(is_bridge_path("/api/whatsapp/send"));
}

TEST_CASE("bridge api: what is wrong is said without asking the bridge") {
    Fixture api;
    CHECK(api.refusal("GET", "/api/whatsapp/pair") == 405);
    CHECK(api.refusal("GET", "/api/whatsapp/logout") == 405);
    CHECK(api.refusal("POST", "/api/whatsapp/qr") == 405);
    for (const char* body : {"[]", "{", R"({"method":"sms"})", R"({"method":"code"})", R"({"method":"code","phone":7})",
                             R"({"method":"code","phone":"911"})"}) {
        CHECK(api.refusal("POST", "/api/whatsapp/pair", body) == 400);
    }
    api.settings.bridge_enabled = false;
    CHECK(api.refusal("GET", "/api/whatsapp/qr") == 503);
    CHECK(api.refusal("GET", "/api/whatsapp/status") == 200);  // The truth is that there is none.
}

TEST_CASE("bridge api: status tells the truth of the provider that would send now, and the bridge's own three") {
    Fixture api;
    const Json open = api.status(200, open_session);
    CHECK(open["provider"] == "baileys");
    CHECK(open["ready"] == true);
    CHECK(open["baileys"]["phone"] == "972500000001");
    CHECK(open["baileys"]["hasQR"] == false);
    const Json away = api.status(0, "");
    CHECK(away["ready"] == false);
    CHECK(away["baileys"]["running"] == false);
    CHECK(away["baileys"]["state"] == "away");
    api.settings.twilio_account_sid = "AC1";
    api.settings.twilio_auth_token = "t";
    CHECK(api.status(0, "")["ready"] == false);  // No number to send from.
    api.settings.twilio_whatsapp_number = "+14155550123";
    CHECK(api.status(0, "")["provider"] == "twilio");
    CHECK(api.status(0, "")["ready"] == true);
    CHECK(api.status(200, open_session)["provider"] == "baileys");
    api.settings.whatsapp_provider = "baileys";
    CHECK(api.status(0, "")["ready"] == false);
}

TEST_CASE("bridge api: the bridge's answers and faults in the shapes of /api") {
    const Fixture api;
    const auto reply = [&](const char* path, long status, const char* body) {
        return read_bridge_reply(path, api.settings, status, body);
    };
    const Json qr = Json::parse(
        reply("/api/whatsapp/qr", 200, R"({"qr":"https://wa.me/x","seq":2,"expires_at":"t","svg":"<svg/>"})").body);
    CHECK(qr["qrText"] == "https://wa.me/x");
    CHECK(qr["dataUrl"] == "data:image/svg+xml;base64,PHN2Zy8+");
    const HttpResponse code = reply("/api/whatsapp/pair", 200, R"({"method":"code","code":"ABCD1234"})");
    CHECK(Json::parse(code.body)["code"] == "ABCD1234");
    CHECK(reply("/api/whatsapp/logout", 202, "").status == 202);
    const HttpResponse none =
        reply("/api/whatsapp/qr", 404, R"({"error":{"code":"not_found","message":"there is no QR code"}})");
    CHECK(none.status == 404);
    CHECK(Json::parse(none.body)["error"] == "there is no QR code");
    CHECK(Json::parse(none.body)["success"] == false);
    CHECK(reply("/api/whatsapp/qr", 0, "").status == 503);
    CHECK(reply("/api/whatsapp/qr", 401, "{}").status == 502);
    CHECK(reply("/api/whatsapp/qr", 200, "nonsense").status == 502);
}
