#include "supervisor/control_request.hpp"

#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

using namespace agentlocator;

namespace {

std::variant<ControlCommand, ControlRefusal> parse(const std::string& method, const std::string& target,
                                                   const std::string& body = "") {
    HttpRequest request;
    request.method = method;
    request.target = target;
    request.body = body;
    return parse_control_request(request);
}

template <class T>
T command(const std::string& method, const std::string& target, const std::string& body = "") {
    const auto parsed = parse(method, target, body);
    REQUIRE(std::holds_alternative<ControlCommand>(parsed));
    REQUIRE(std::holds_alternative<T>(std::get<ControlCommand>(parsed)));
    return std::get<T>(std::get<ControlCommand>(parsed));
}

unsigned refused(const std::string& method, const std::string& target, const std::string& body = "") {
    const auto parsed = parse(method, target, body);
    const auto* refusal = std::get_if<ControlRefusal>(&parsed);
    REQUIRE(refusal != nullptr);
    CHECK_FALSE(refusal->error.empty());
    CHECK_FALSE(refusal->remedy.empty());
    return refusal->status;
}

}  // namespace

TEST_CASE("control_request: each command has its method, and another is told apart from an unknown command") {
    (void)command<StatusQuery>("GET", "/status");
    (void)command<StatusQuery>("GET", "/status?x=1");
    (void)command<ConfigQuery>("GET", "/config");
    (void)command<VersionQuery>("GET", "/version");
    (void)command<StopRequest>("POST", "/stop");
    (void)command<StopRequest>("POST", "/stop", "{}");
    (void)command<ReloadRequest>("POST", "/reload", " {} ");
    CHECK(refused("POST", "/status") == 405);
    CHECK(refused("GET", "/stop") == 405);
    CHECK(refused("GET", "/") == 404);
    CHECK(refused("GET", "/status/") == 404);
    CHECK(refused("POST", "/stop", "[]") == 400);
    CHECK(refused("POST", "/stop", "{") == 400);
}

TEST_CASE("control_request: restart names a worker, the bridge or all") {
    using Kind = RestartTarget::Kind;
    const auto one = command<RestartRequest>("POST", "/restart", R"({"target":"7"})");
    CHECK(one.target.kind == Kind::worker);
    CHECK(one.target.number == 7);
    CHECK_FALSE(one.rolling);
    CHECK(command<RestartRequest>("POST", "/restart", R"({"target":7})").target.number == 7);
    CHECK(command<RestartRequest>("POST", "/restart", R"({"target":"bridge"})").target.kind == Kind::bridge);
    CHECK(command<RestartRequest>("POST", "/restart", R"({"target":"all","rolling":true})").rolling);
    for (const char* body :
         {"{}", R"({"target":""})", R"({"target":"0"})", R"({"target":"-1"})", R"({"target":"1x"})",
          R"({"target":null})", R"({"target":"all","rolling":1})", R"({"target":99999999999999999999})"}) {
        CAPTURE(body);
        CHECK(refused("POST", "/restart", body) == 400);
    }
}

TEST_CASE("control_request: scale takes 1 to the maximum, not one more") {
    CHECK(command<ScaleRequest>("POST", "/scale", R"({"workers":1})").workers == 1);
    const std::string most = std::to_string(workers_max);
    CHECK(command<ScaleRequest>("POST", "/scale", "{\"workers\":" + most + "}").workers == workers_max);
    CHECK(refused("POST", "/scale", "{\"workers\":" + std::to_string(workers_max + 1) + "}") == 400);
    CHECK(refused("POST", "/scale", R"({"workers":0})") == 400);
    CHECK(refused("POST", "/scale", R"({"workers":-1})") == 400);
    CHECK(refused("POST", "/scale", R"({"workers":"2"})") == 400);
    CHECK(refused("POST", "/scale", R"({"workers":2.5})") == 400);
    CHECK(refused("POST", "/scale", R"({"workers":4294967298})") == 400);
}

TEST_CASE("control_request: a mode in any case, for 1 s to a day") {
    const auto plain = command<ModeRequest>("POST", "/mode", R"({"mode":"echo"})");
    CHECK(plain.mode == WsMode::echo);
    CHECK_FALSE(plain.period.has_value());
    CHECK(command<ModeRequest>("POST", "/mode", R"({"mode":"SINK","for_seconds":86400})").period ==
          std::chrono::seconds(86'400));
    CHECK_FALSE(command<ModeRequest>("POST", "/mode", R"({"mode":"AI","for_seconds":null})").period.has_value());
    for (const char* body : {"{}", R"({"mode":"FOO"})", R"({"mode":3})", R"({"mode":"AI","for_seconds":0})",
                             R"({"mode":"AI","for_seconds":86401})", R"({"mode":"AI","for_seconds":-1})",
                             R"({"mode":"AI","for_seconds":"10m"})"}) {
        CAPTURE(body);
        CHECK(refused("POST", "/mode", body) == 400);
    }
}

TEST_CASE("control_request: logs of a worker by number or name, of the bridge, of ourselves, of all") {
    const auto one = command<LogsQuery>("GET", "/logs?target=1&lines=5&follow=1");
    CHECK(one.target == "worker-1");
    CHECK(one.lines == 5);
    CHECK(one.follow);
    CHECK(command<LogsQuery>("GET", "/logs?target=worker-12").target == "worker-12");
    CHECK(command<LogsQuery>("GET", "/logs?target=bridge").target == "bridge");
    CHECK(command<LogsQuery>("GET", "/logs?target=supervisor").target == "supervisor");
    const auto all = command<LogsQuery>("GET", "/logs");
    CHECK(all.target.empty());
    CHECK(all.lines == log_lines_asked);
    CHECK_FALSE(all.follow);
    CHECK(command<LogsQuery>("GET", "/logs?target=all&follow=0").target.empty());
    CHECK(refused("GET", "/logs?target=../../etc/passwd") == 400);
    CHECK(refused("GET", "/logs?lines=-1") == 400);
    CHECK(refused("GET", "/logs?lines=many") == 400);
}

TEST_CASE("control_request: a refusal is a document with what was wrong and what to do") {
    const auto response = refusal_response({409, "a \"thing\"", "do that"});
    CHECK(response.status == 409);
    const auto document = nlohmann::json::parse(response.body);
    CHECK(document["ok"] == false);
    CHECK(document["error"] == "a \"thing\"");
    CHECK(document["remedy"] == "do that");
    CHECK(nlohmann::json::parse(success_response("done").body)["ok"] == true);
}

TEST_CASE("control_request: upgrade takes an absolute folder or none") {
    CHECK(command<UpgradeRequest>("POST", "/upgrade", "{}").folder.empty());
    CHECK(command<UpgradeRequest>("POST", "/upgrade", R"({"folder":"/opt/b"})").folder == "/opt/b");
    CHECK(
        command<UpgradeRequest>("POST", "/upgrade", R"({"folder":"/)" + std::string(4095, 'x') + "\"}").folder.size() ==
        4096);
    CHECK(refused("POST", "/upgrade", R"({"folder":"/)" + std::string(4096, 'x') + "\"}") == 400);
    CHECK(refused("POST", "/upgrade", R"({"folder":"bin"})") == 400);
    CHECK(refused("POST", "/upgrade", R"({"folder":7})") == 400);
}
