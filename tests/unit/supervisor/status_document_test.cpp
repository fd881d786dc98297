#include "supervisor/status_document.hpp"

#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

using namespace agentlocator;

namespace {

StatusView sample() {
    StatusView view;
    view.instance = "0123";
    view.build = "abc";
    view.pid = 7;
    view.started_at = "2026-01-02T03:04:05Z";
    view.uptime = 61s;
    view.state = SupervisorState::degraded;
    view.mode = {WsMode::echo, ModeSource::command, TimePoint{}};
    view.mode_until = "2026-01-02T03:14:05Z";
    view.address = "127.0.0.1";
    view.port = 5000;
    view.port_ours = true;
    view.calls_live = 3;
    view.calls_capacity = 4096;
    ChildView worker;
    worker.slot = "1";
    worker.role = "current";
    worker.pid = 42;
    worker.state = SlotState::waiting;
    worker.heartbeat = 12ms;
    worker.last_exit = ExitRecord{.at = "t", .cause = "signal 9 (SIGKILL)", .signal = 9, .lived = 5ms, .log = {"bye"}};
    view.workers.push_back(worker);
    view.bridge_detail = "switched off";
    view.problems.push_back({"slot_held", "cause", "remedy"});
    return view;
}

}  // namespace

TEST_CASE("status_document: every member of the contract is there, with its type") {
    const auto document = nlohmann::json::parse(encode_status(sample()));
    CHECK(document["instance"] == "0123");
    CHECK(document["version"] == AGENTLOCATOR_VERSION);
    CHECK(document["uptime_seconds"] == 61);
    CHECK(document["state"] == "degraded");
    CHECK(document["mode"] ==
          nlohmann::json{{"mode", "ECHO"}, {"source", "command"}, {"until", "2026-01-02T03:14:05Z"}});
    CHECK(document["port"]["port"] == 5000);
    CHECK(document["port"]["ours"] == true);
    CHECK(document["calls"]["live"] == 3);
    const auto& worker = document["workers"][0];
    for (const char* key : {"slot", "pid", "state", "uptime_seconds", "calls", "calls_served", "requests", "restarts",
                            "heartbeat_ms", "rss_kb", "log_dropped", "last_exit"}) {
        CHECK_MESSAGE(worker.contains(key), key);
    }
    CHECK(worker["state"] == "waiting");
    CHECK(worker["heartbeat_ms"] == 12);
    CHECK(worker["last_exit"]["signal"] == 9);
    CHECK(worker["last_exit"]["code"].is_null());
    CHECK(worker["last_exit"]["lived_ms"] == 5);
    CHECK(worker["last_exit"]["log"][0] == "bye");
    CHECK(document["bridge"] == nlohmann::json{{"state", "absent"}, {"detail", "switched off"}});
    CHECK(document["problems"][0]["remedy"] == "remedy");
}

TEST_CASE("status_document: what is not known is null, never zero") {
    StatusView view = sample();
    view.mode_until.reset();
    view.workers[0].heartbeat.reset();
    view.workers[0].last_exit.reset();
    view.bridge = ChildView{.slot = "bridge", .role = "current", .state = SlotState::serving};
    const auto document = nlohmann::json::parse(encode_status(view));
    CHECK(document["mode"]["until"].is_null());
    CHECK(document["workers"][0]["heartbeat_ms"].is_null());
    CHECK(document["workers"][0]["last_exit"].is_null());
    CHECK(document["bridge"]["state"] == "serving");
}

TEST_CASE("status_document: bytes a child wrote cannot make the document invalid") {
    StatusView view = sample();
    view.workers[0].last_exit->log = {"\xff\xfe broken utf-8", "\"quotes\"\n"};
    CHECK_FALSE(nlohmann::json::parse(encode_status(view), nullptr, false).is_discarded());
}

TEST_CASE("status_document: settings and version") {
    const std::vector<SettingView> rows{{"PORT", "5000", SettingSource::file, "help", "1-65535"}};
    const auto config = nlohmann::json::parse(encode_config(rows));
    CHECK(config["settings"][0]["source"] == "file");
    CHECK(nlohmann::json::parse(encode_version("i", "b"))["instance"] == "i");
}
