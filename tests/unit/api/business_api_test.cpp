#include "worker/api/business_api.hpp"

#include <nlohmann/json.hpp>

#include "store/queries.hpp"
#include "tests/unit/store/store_fixture.hpp"

using namespace agentlocator;
using nlohmann::json;

namespace {

struct BusinessApi : StoreFixture {
    Settings settings;
    BusinessApi() { REQUIRE(add_business(database(), {.name = "Flats", .voice_numbers = {"03-6123456"}}, 1)); }
    std::pair<unsigned, json> ask(const std::string& method, const std::string& target, const std::string& body = {},
                                  bool with_database = true) {
        const HttpRequest request{.method = method, .target = target, .body = body};
        const RouteResult result = api_answer(
            request, request.path(),
            {.settings = settings, .now_ms = 1, .random_id = "m", .database = with_database ? &database() : nullptr});
        const auto& answer = std::get<HttpResponse>(result.answer);
        return {answer.status, json::parse(answer.body)};
    }
};

}  // namespace

TEST_CASE("business api: a value is set, listed, kept in versions and taken away") {
    BusinessApi api;
    const std::string path = "/api/businesses/1/settings";
    CHECK(api.ask("POST", path, R"({"name":"prompt","value":"one","channel":"voice"})").second["version"] == 1);
    CHECK(api.ask("POST", path, R"({"name":"prompt","value":"two","channel":"voice"})").second["version"] == 2);
    const json listed = api.ask("GET", path).second["settings"];
    REQUIRE(listed.size() == 1);
    CHECK(listed[0]["value"] == "two");
    CHECK(listed[0]["changed_by"] == "api");
    CHECK(api.ask("GET", path + "?history=1").second["settings"].size() == 2);
    CHECK(api.ask("POST", path, R"({"name":"prompt","value":"","channel":"voice"})").first == 200);
    CHECK(api.ask("GET", path).second["settings"].empty());
    CHECK(api.ask("GET", "/api/businesses").second["businesses"][0]["number"] == "+97236123456");
}

TEST_CASE("business api: secrets are not shown") {
    BusinessApi api;
    const std::string path = "/api/businesses/1/settings";
    REQUIRE(api.ask("POST", path, R"({"name":"tranzila_secret","value":"hush","channel":"payments"})").first == 200);
    CHECK(api.ask("GET", path).second["settings"][0]["value"] == "********");
    CHECK(api.ask("GET", path + "?history=1").second.dump().find("hush") == std::string::npos);
}

TEST_CASE("business api: what is wrong is said") {
    BusinessApi api;
    const std::string path = "/api/businesses/1/settings";
    for (const char* body : {"", "[]", "{}", R"({"name":"prompt"})", R"({"name":5,"value":"x"})",
                             R"({"name":"prompt","value":5})", R"({"name":"prompt","value":"x","channel":5})",
                             R"({"name":"prompt","value":"x","channel":"telegram"})", R"({"name":"no","value":"x"})"}) {
        CAPTURE(body);
        CHECK(api.ask("POST", path, body).first == 400);
    }
    CHECK(api.ask("POST", "/api/businesses/9/settings", R"({"name":"prompt","value":"x"})").first == 404);
    CHECK(api.ask("POST", "/api/businesses").first == 405);
    CHECK(api.ask("DELETE", path).first == 405);
    CHECK(api.ask("GET", path, {}, false).first == 503);
    CHECK_FALSE(is_business_path("/api/businesses/x/settings"));
    CHECK_FALSE(is_business_path("/api/businesses//settings"));
    CHECK_FALSE(is_business_path("/api/businesses/1"));
}
