#include "supervisor/status_document.hpp"

#include <nlohmann/json.hpp>

namespace agentlocator {
namespace {

using Json = nlohmann::ordered_json;

std::int64_t seconds(Duration duration) {
    return std::chrono::duration_cast<std::chrono::seconds>(duration).count();
}

std::int64_t milliseconds(Duration duration) {
    return std::chrono::duration_cast<std::chrono::milliseconds>(duration).count();
}

template <class T>
Json or_null(const std::optional<T>& value) {
    return value ? Json(*value) : Json(nullptr);
}

Json exit_json(const std::optional<ExitRecord>& exit) {
    if (!exit) {
        return nullptr;
    }
    return {{"at", exit->at},
            {"cause", exit->cause},
            {"code", or_null(exit->code)},
            {"signal", or_null(exit->signal)},
            {"core", exit->core},
            {"lived_ms", milliseconds(exit->lived)},
            {"log", exit->log}};
}

Json child_json(const ChildView& child) {
    return {{"slot", child.slot},
            {"role", child.role},
            {"pid", child.pid},
            {"state", to_string(child.state)},
            {"uptime_seconds", seconds(child.uptime)},
            {"calls", child.calls},
            {"calls_served", child.calls_served},
            {"requests", child.requests},
            {"restarts", child.restarts},
            {"heartbeat_ms", child.heartbeat ? Json(milliseconds(*child.heartbeat)) : Json(nullptr)},
            {"rss_kb", child.rss_kb},
            {"log_dropped", child.log_dropped},
            {"last_exit", exit_json(child.last_exit)}};
}

// A child's log line may hold any bytes; a document must stay valid UTF-8.
std::string text(const Json& document) {
    return document.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace

std::string encode_status(const StatusView& view) {
    Json document = {
        {"instance", view.instance},
        {"version", AGENTLOCATOR_VERSION},
        {"build", view.build},
        {"pid", view.pid},
        {"started_at", view.started_at},
        {"uptime_seconds", seconds(view.uptime)},
        {"state", to_string(view.state)},
        {"mode",
         {{"mode", to_string(view.mode.mode)},
          {"source", to_string(view.mode.source)},
          {"until", or_null(view.mode_until)}}},
        {"port",
         {{"address", view.address}, {"port", view.port}, {"ours", view.port_ours}, {"detail", view.port_detail}}},
        {"calls",
         {{"live", view.calls_live},
          {"capacity", view.calls_capacity},
          {"served", view.calls_served},
          {"moved", view.calls_moved},
          {"resumed", view.calls_resumed},
          {"poisoned", view.calls_poisoned},
          {"lost", view.calls_lost}}},
    };
    Json workers = Json::array();
    for (const ChildView& worker : view.workers) {
        workers.push_back(child_json(worker));
    }
    document["workers"] = std::move(workers);
    document["bridge"] =
        view.bridge ? child_json(*view.bridge) : Json{{"state", "absent"}, {"detail", view.bridge_detail}};
    if (view.bridge && view.whatsapp) {
        const BridgeBeat& beat = *view.whatsapp;
        document["bridge"]["whatsapp"] = {{"connected", beat.connected},
                                          {"paired", beat.paired},
                                          {"can_send", beat.can_send},
                                          {"state", beat.state},
                                          {"reason", beat.reason}};
        document["bridge"]["detail"] = describe(beat);
    }
    const UpgradeRecord& upgrade = view.upgrade;
    document["upgrade"] = {{"state", to_string(upgrade.state)}, {"number", upgrade.number},
                           {"folder", upgrade.folder},          {"from_build", upgrade.from_build},
                           {"to_build", upgrade.to_build},      {"failure", upgrade.failure}};
    document["speech"] =
        view.speech ? child_json(*view.speech) : Json{{"state", "absent"}, {"detail", view.speech_detail}};
    Json problems = Json::array();
    for (const Problem& problem : view.problems) {
        problems.push_back({{"code", problem.code}, {"cause", problem.cause}, {"remedy", problem.remedy}});
    }
    document["problems"] = std::move(problems);
    return text(document);
}

std::string encode_config(const std::vector<SettingView>& view) {
    Json rows = Json::array();
    for (const SettingView& row : view) {
        rows.push_back({{"name", row.name},
                        {"value", row.value},
                        {"source", to_string(row.source)},
                        {"help", row.help},
                        {"valid", row.valid}});
    }
    return text({{"ok", true}, {"settings", rows}});
}

std::string encode_version(std::string_view instance, std::string_view build) {
    return text({{"ok", true}, {"version", AGENTLOCATOR_VERSION}, {"build", build}, {"instance", instance}});
}

}  // namespace agentlocator
