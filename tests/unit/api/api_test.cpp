// The handlers of /api over a real database (SQLite in memory of a private folder).
#include "worker/api/api.hpp"

#include <nlohmann/json.hpp>

#include "store/apply.hpp"
#include "tests/unit/store/store_fixture.hpp"
#include "worker/router.hpp"

using namespace agentlocator;
using Json = nlohmann::ordered_json;

namespace {

struct ApiFixture : StoreFixture {
    Settings settings;
    ApiFixture() { settings.whatsapp_provider = "auto"; }

    RouteResult ask(const std::string& method, const std::string& target, const std::string& body = {},
                    std::vector<HttpHeader> headers = {}, bool with_database = true) {
        const HttpRequest request{.method = method, .target = target, .headers = std::move(headers), .body = body};
        return api_answer(request, normal_path(target, {}),
                          {.settings = settings,
                           .now_ms = 1'790'000'000'000,
                           .random_id = "mrandom",
                           .database = with_database ? &database() : nullptr});
    }
    static const HttpResponse& answer(const RouteResult& result) { return std::get<HttpResponse>(result.answer); }
    Json get(const std::string& target, unsigned status = 200) {
        const RouteResult result = ask("GET", target);
        CHECK(answer(result).status == status);
        return Json::parse(answer(result).body);
    }
    // Sends, and stores what the answer acknowledges.
    Json send(const std::string& body, unsigned status = 202, std::vector<HttpHeader> headers = {}) {
        const RouteResult result = ask("POST", "/api/whatsapp/send", body, std::move(headers));
        CHECK(answer(result).status == status);
        CHECK((status != 202 || result.facts.empty() || result.unless_stored));
        REQUIRE(apply_facts(database(), result.facts));
        return Json::parse(answer(result).body);
    }
};

}  // namespace

TEST_CASE("api: calls and leads in pages, one call with its turns") {
    ApiFixture api;
    for (int i = 1; i <= 3; ++i) {
        REQUIRE(apply_fact(api.database(), CallFact{.call_sid = "CA" + std::to_string(i), .started_at = i}));
    }
    REQUIRE(apply_fact(api.database(),
                       TurnFact{.call_sid = "CA1", .turn = 1, .speaker = "caller", .text = "שלום", .said_at = 5}));
    REQUIRE(apply_fact(api.database(), LeadFact{.phone = "0501234567", .seen_at = 5}));
    const Json page = api.get("/api/calls?per_page=2&page=2");
    CHECK(page["success"] == true);
    CHECK(page["ok"] == true);
    REQUIRE(page["calls"].size() == 1);
    CHECK(page["calls"][0]["call_sid"] == "CA1");
    CHECK(api.get("/api/calls/CA1")["turns"][0]["text"] == "שלום");
    CHECK(api.get("/api/leads")["leads"][0]["phone"] == "+972501234567");
    CHECK(api.get("/api/calls/CA9", 404)["success"] == false);
    CHECK(api.get("/api/nothing", 404)["ok"] == false);
    CHECK(api.get("/api/calls?per_page=-1&page=0&days=x&business_id=y")["calls"].size() == 1);
}

TEST_CASE("api: a message is stored before it is acknowledged, and listed in both shapes") {
    ApiFixture api;
    const Json sent = api.send(R"({"to":"050-1234567","message":"שלום"})");
    CHECK(sent["success"] == true);
    CHECK(sent["ok"] == true);
    CHECK(sent["result"]["status"] == "queued");
    CHECK(sent["message_id"] == "mrandom");
    REQUIRE(apply_fact(api.database(), MessageInFact{.provider = "twilio",
                                                     .message_id = "SM1",
                                                     .from = "whatsapp:+972501234567",
                                                     .kind = "text",
                                                     .text = "תודה",
                                                     .sent_at = 1'790'000'001'000,
                                                     .answer = 1}));
    const Json messages = api.get("/api/whatsapp/messages");
    REQUIRE(messages["messages"].size() == 2);
    CHECK(messages["messages"][0]["direction"] == "in");
    CHECK(messages["pagination"] == Json({{"page", 1}, {"per_page", 20}, {"total", 2}, {"pages", 1}}));
    CHECK(api.get("/api/whatsapp/messages?direction=out")["messages"][0]["body"] == "שלום");
    const Json conversations = api.get("/api/whatsapp/conversations");
    CHECK(conversations["total"] == 1);
    CHECK(conversations["conversations"][0]["body"] == "תודה");
    for (const char* phone : {"0501234567", "+972501234567", "%2B972501234567"}) {
        const Json talk = api.get(std::string("/api/whatsapp/conversation/") + phone);
        CHECK(talk["phone_number"] == "+972501234567");
        REQUIRE(talk["conversation"].size() == 2);
        CHECK(talk["conversation"][0]["direction"] == "out");  // Oldest first.
    }
    CHECK(api.get("/api/whatsapp/conversation/nobody", 400)["success"] == false);
}

TEST_CASE("api: a group is a conversation of its own, beside those of its members, and is not written to") {
    ApiFixture api;
    const std::string group = "120363000000000001@g.us";
    const auto receive = [&](const std::string& id, const std::string& from, const std::string& address) {
        REQUIRE(apply_fact(api.database(), MessageInFact{.provider = "baileys",
                                                         .message_id = id,
                                                         .from = from,
                                                         .address = address,
                                                         .kind = "text",
                                                         .text = id,
                                                         .sent_at = 1'790'000'001'000}));
    };
    receive("to us", "+972501234567", "972501234567@s.whatsapp.net");
    receive("to all", "+972501234567", group);
    receive("hidden", "", "111@lid");
    CHECK(api.get("/api/whatsapp/conversations")["total"] == 3);
    const auto one = [&](const std::string& chat) {
        const Json talk = api.get("/api/whatsapp/conversation/" + chat);
        REQUIRE(talk["conversation"].size() == 1);
        CHECK(talk["conversation"][0]["chat"] == talk["phone_number"]);
        return talk["conversation"][0];
    };
    CHECK(one("0501234567")["body"] == "to us");
    CHECK(one(group)["body"] == "to all");
    CHECK(one(group)["phone_number"] == "+972501234567");  // Who said it.
    CHECK(one("120363000000000001%40g.us")["body"] == "to all");
    CHECK(one("111@lid")["body"] == "hidden");
    CHECK(api.send(R"({"to":"120363000000000001@g.us","message":"x"})", 400)["error"] ==
          "\"to\" is a group: only people are written to");
}

TEST_CASE("api: one idempotency key is one message, whatever happens in between") {
    ApiFixture api;
    const std::vector<HttpHeader> key{{"Idempotency-Key", "order-7"}};
    const Json first = api.send(R"({"to":"0501234567","text":"x","business_id":7})", 202, key);
    const Json second = api.send(R"({"to":"+972501234567","text":"x","business_id":7})", 202, key);
    CHECK(first["message_id"] == second["message_id"]);
    CHECK(first["message_id"] == message_id(7, "order-7"));
    CHECK(api.rows("SELECT id FROM outbox").size() == 1);
    CHECK(api.send(R"({"to":"0501234567","text":"y","business_id":7})", 409, key)["success"] == false);
    CHECK(api.send(R"({"to":"0501234567","text":"x","business_id":8})", 202, key)["message_id"] != first["message_id"]);
    const Json in_body = api.send(R"({"to":"0501234567","text":"x","business_id":7,"idempotency_key":"order-7"})");
    CHECK(in_body["message_id"] == first["message_id"]);
}

TEST_CASE("api: a malformed message is refused with 400 and leaves nothing") {
    ApiFixture api;
    for (const char* body : {"", "[]", "{", "{}", R"({"to":"0501234567"})", R"({"to":"0501234567","message":""})",
                             R"({"message":"x"})", R"({"to":"hello","message":"x"})", R"({"to":5,"message":"x"})",
                             R"({"to":"0501234567","message":"x","provider":"pigeon"})"}) {
        CAPTURE(body);
        CHECK(api.send(body, 400)["success"] == false);
    }
    const std::string long_key(201, 'k');
    CHECK(api.send(R"({"to":"0501234567","message":"x"})", 400, {{"Idempotency-Key", long_key}})["ok"] == false);
    CHECK(api.rows("SELECT id FROM outbox").empty());
}

TEST_CASE("api: without a database sending still works and reading says so") {
    ApiFixture api;
    const std::string body = R"({"to":"0501234567","message":"x"})";
    const RouteResult sent = api.ask("POST", "/api/whatsapp/send", body, {}, false);
    CHECK(ApiFixture::answer(sent).status == 202);
    CHECK(sent.facts.size() == 1);
    CHECK(ApiFixture::answer(api.ask("GET", "/api/calls", {}, {}, false)).status == 503);
}

TEST_CASE("api: methods are told apart") {
    ApiFixture api;
    CHECK(ApiFixture::answer(api.ask("GET", "/api/whatsapp/send")).status == 405);
    CHECK(ApiFixture::answer(api.ask("POST", "/api/calls")).status == 405);
}
