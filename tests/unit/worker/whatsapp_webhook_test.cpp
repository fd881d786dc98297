// WhatsApp's webhooks through the router: who gets in, what is stored, what waits for an answer.
#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "common/text.hpp"
#include "tests/unit/worker/web_fixture.hpp"
#include "worker/api/api_gate.hpp"
#include "worker/api/whatsapp_webhook.hpp"
#include "worker/digest.hpp"
#include "worker/twiml.hpp"

using namespace agentlocator;
using Json = nlohmann::json;

namespace {

constexpr std::string_view one_message = R"({"from":"972501234567@s.whatsapp.net","text":"שלום","message_id":"3A1"})";

struct HookFixture : WebFixture {
    HookFixture() {
        settings.bridge_secret = "bridge-secret";
        context.now_ms = 1'790'000'000'123;
    }
    [[nodiscard]] RouteResult hook(const std::string& path, std::string_view body, HttpHeader proof) const {
        HttpRequest request = get(path, {{"Content-Type", "application/json"}, std::move(proof)});
        request.method = "POST";
        request.body = body;
        return route(request, context);
    }
    [[nodiscard]] RouteResult batch(const Json& body) const {
        return hook("/webhook/whatsapp/incoming", body.dump(), {"X-Internal-Secret", "bridge-secret"});
    }
};

Json baileys_message(std::int64_t timestamp) {
    return {{"key", {{"remoteJid", "972501234567@s.whatsapp.net"}, {"fromMe", false}, {"id", "3A1"}}},
            {"pushName", "Dana"},
            {"messageTimestamp", timestamp},
            {"message", {{"extendedTextMessage", {{"text", "שלום"}}}}}};
}

}  // namespace

TEST_CASE("whatsapp webhook: an old bridge gets in with any of its proofs, nobody without one") {
    HookFixture web;
    const std::string path = "/webhook/whatsapp/baileys";
    const std::string digest = hmac_sha256("bridge-secret", one_message);
    for (const HttpHeader& proof :
         {HttpHeader{"X-BAILEYS-SECRET", "bridge-secret"}, HttpHeader{"X-Internal-Secret", "bridge-secret"},
          HttpHeader{"X-BAILEYS-SIGNATURE", hex(digest.data(), digest.size())}}) {
        const RouteResult result = web.hook(path, one_message, proof);
        CHECK(status_of(result) == 204);
        CHECK(result.unless_stored->status == 503);
        REQUIRE(result.facts.size() == 1);
        const auto& fact = std::get<MessageInFact>(result.facts[0]);
        CHECK(fact.message_id == "in:972501234567@s.whatsapp.net:3A1");
        CHECK(fact.text == "שלום");
        CHECK(fact.answer == 1);
    }
    for (const HttpHeader& proof : {HttpHeader{"X-BAILEYS-SECRET", "wrong"}, HttpHeader{"X-BAILEYS-SECRET", ""},
                                    HttpHeader{"X-BAILEYS-SIGNATURE", "00"}, HttpHeader{"X-Other", "bridge-secret"}}) {
        const RouteResult result = web.hook(path, one_message, proof);
        CHECK(status_of(result) == 403);
        CHECK(result.refused);
        CHECK(result.facts.empty());
    }
    web.settings.bridge_secret.clear();  // Without a secret an empty proof must not fit.
    CHECK(status_of(web.hook(path, one_message, {"X-BAILEYS-SECRET", ""})) == 403);
}

TEST_CASE("whatsapp webhook: malformed and oversized bodies of a bridge are refused") {
    const HookFixture web;
    const HttpHeader proof{"X-BAILEYS-SECRET", "bridge-secret"};
    for (const char* body : {"", "[]", "{", R"({"text":"x"})", R"({"from":"972501234567"})"}) {
        CHECK(status_of(web.hook("/webhook/whatsapp/baileys", body, proof)) == 400);
        CHECK(status_of(web.hook("/webhook/whatsapp/incoming", body, proof)) == 400);
    }
    const std::string large(api_body_bytes_max, ' ');
    CHECK(status_of(web.hook("/webhook/whatsapp/baileys", large, proof)) == 400);
    CHECK(status_of(web.hook("/webhook/whatsapp/baileys", large + " ", proof)) == 413);
}

TEST_CASE("whatsapp webhook: a batch of Baileys' messages; own, group and old ones are not answered") {
    const HookFixture web;
    const std::int64_t now = web.context.now_ms / 1000;
    Json own = baileys_message(now);
    own["key"]["fromMe"] = true;
    Json group = baileys_message(now);
    group["key"]["remoteJid"] = "1203@g.us";
    const Json old = baileys_message(now - 86'401);
    const RouteResult result =
        web.batch({{"tenantId", "business_3"},
                   {"payload", {{"messages", {baileys_message(now), own, group, old, {{"key", 7}}}}}}});
    CHECK(status_of(result) == 204);
    REQUIRE(result.facts.size() == 4);
    const auto& first = std::get<MessageInFact>(result.facts[0]);
    CHECK(first.business == 3);
    CHECK(first.name == "Dana");
    CHECK(first.text == "שלום");
    std::vector<std::int64_t> answers;
    for (const Fact& fact : result.facts) {
        answers.push_back(std::get<MessageInFact>(fact).answer);
    }
    CHECK(answers == std::vector<std::int64_t>{1, 0, 0, 0});
    Json many = Json::array();
    for (std::size_t i = 0; i < webhook_messages_max; ++i) {
        many.push_back(baileys_message(now));
    }
    CHECK(status_of(web.batch({{"payload", {{"messages", many}}}})) == 204);
    many.push_back(baileys_message(now));
    CHECK(status_of(web.batch({{"payload", {{"messages", many}}}})) == 400);
}

TEST_CASE("whatsapp webhook: inbound is Twilio's, signed, and answers with TwiML that says nothing") {
    HookFixture web;
    web.sign_with("token");
    const std::string form = "MessageSid=SM1&From=whatsapp%3A%2B972501234567&To=whatsapp%3A%2B14155550123&Body=hi";
    const RouteResult result = route(web.signed_post("/webhook/whatsapp/inbound", form), web.context);
    CHECK(status_of(result) == 200);
    CHECK(response_of(result).body == empty_document());
    REQUIRE(result.facts.size() == 1);
    CHECK(std::get<MessageInFact>(result.facts[0]).answer == 1);
    CHECK(status_of(route(WebFixture::post("/webhook/whatsapp/inbound", form), web.context)) == 403);
}
