#include "supervisor/control_request.hpp"

#include <array>
#include <nlohmann/json.hpp>

#include "common/text.hpp"
#include "supervisor/line_history.hpp"

namespace agentlocator {
namespace {

using Json = nlohmann::json;
using Parsed = std::variant<ControlCommand, ControlRefusal>;

constexpr std::string_view target_remedy = "name a worker by its number, or `bridge`, `speech` or `all`";

ControlRefusal refuse(std::string error, std::string_view remedy) {
    return {400, std::move(error), std::string(remedy)};
}

std::optional<std::uint32_t> small_number(std::string_view text) {
    const auto number = parse_integer(text);
    return number && *number >= 0 && *number <= 1'000'000 ? std::optional(static_cast<std::uint32_t>(*number))
                                                          : std::nullopt;
}

std::optional<RestartTarget> parse_target(std::string_view text) {
    using Kind = RestartTarget::Kind;
    if (text == "all") {
        return RestartTarget{Kind::all, 0};
    }
    if (text == "bridge") {
        return RestartTarget{Kind::bridge, 0};
    }
    if (text == "speech") {
        return RestartTarget{Kind::speech, 0};
    }
    const auto number = small_number(text);
    return number && *number > 0 ? std::optional(RestartTarget{Kind::worker, *number}) : std::nullopt;
}

Parsed parse_restart(const Json& body) {
    const auto target = body.find("target");
    if (target == body.end() || !(target->is_string() || target->is_number_unsigned())) {
        return refuse("`target` is missing", target_remedy);
    }
    const std::string text = target->is_string() ? target->get<std::string>() : target->dump();
    const auto parsed = parse_target(text);
    if (!parsed) {
        return refuse("there is no target `" + text.substr(0, 40) + "`", target_remedy);
    }
    const Json rolling = body.value("rolling", Json(false));
    if (!rolling.is_boolean()) {
        return refuse("`rolling` is not true or false", "leave it out or use true");
    }
    return RestartRequest{*parsed, rolling.get<bool>()};
}

Parsed parse_scale(const Json& body) {
    const auto workers = body.find("workers");
    if (workers == body.end() || !workers->is_number_unsigned() || workers->get<std::uint64_t>() < 1 ||
        workers->get<std::uint64_t>() > workers_max) {
        return refuse("`workers` is not a number of workers", "use 1 to " + std::to_string(workers_max));
    }
    return ScaleRequest{workers->get<std::uint32_t>()};
}

Parsed parse_upgrade(const Json& body) {
    const Json folder = body.value("folder", Json(""));
    constexpr std::size_t path_max = 4096;
    const std::string text = folder.is_string() ? folder.get<std::string>() : "?";
    if ((!text.empty() && text.front() != '/') || text.size() > path_max) {
        return refuse("`folder` is not an absolute path", "name the folder that holds the new `agentlocator`");
    }
    return UpgradeRequest{text};
}

Parsed parse_mode(const Json& body) {
    const auto mode = body.find("mode");
    const auto parsed =
        mode != body.end() && mode->is_string() ? parse_ws_mode(mode->get_ref<const std::string&>()) : std::nullopt;
    if (!parsed) {
        return refuse("`mode` is not a mode", "use one of " + std::string(ws_mode_values));
    }
    ModeRequest command{*parsed, std::nullopt};
    if (const auto period = body.find("for_seconds"); period != body.end() && !period->is_null()) {
        constexpr std::uint64_t day = 86'400;
        if (!period->is_number_unsigned() || period->get<std::uint64_t>() < 1 || period->get<std::uint64_t>() > day) {
            return refuse("`for_seconds` is not a period", "use 1 to 86400 seconds");
        }
        command.period = std::chrono::seconds(period->get<std::int64_t>());
    }
    return command;
}

Parsed parse_logs(std::string_view query) {
    LogsQuery logs;
    for (const std::string_view pair : split(query, '&')) {
        const auto equals = pair.find('=');
        const std::string_view name = pair.substr(0, equals);
        const std::string_view value = equals == std::string_view::npos ? "" : pair.substr(equals + 1);
        if (name == "target" && !value.empty() && value != "all") {
            const bool named = value == "bridge" || value == "speech" || value == "supervisor";
            const auto number = small_number(value.starts_with("worker-") ? value.substr(7) : value);
            if (!named && !number) {
                return refuse("there is no log of `" + std::string(value.substr(0, 40)) + "`",
                              "name a worker by its number, or `bridge`, `speech` or `supervisor`");
            }
            logs.target = named ? std::string(value) : "worker-" + std::to_string(*number);
        } else if (name == "lines") {
            const auto lines = small_number(value);
            if (!lines) {
                return refuse("`lines` is not a number", "use 0 to " + std::to_string(history_lines_max));
            }
            logs.lines = *lines;
        } else if (name == "follow") {
            logs.follow = value == "1" || value == "true";
        }
    }
    return logs;
}

struct Route {
    std::string_view method;
    std::string_view path;
    Parsed (*parse)(const HttpRequest& request, const Json& body);
};

constexpr std::array routes{
    Route{"GET", "/status", [](const HttpRequest&, const Json&) -> Parsed { return StatusQuery{}; }},
    Route{"GET", "/config", [](const HttpRequest&, const Json&) -> Parsed { return ConfigQuery{}; }},
    Route{"GET", "/version", [](const HttpRequest&, const Json&) -> Parsed { return VersionQuery{}; }},
    Route{"GET", "/logs", [](const HttpRequest& r, const Json&) { return parse_logs(r.query()); }},
    Route{"POST", "/stop", [](const HttpRequest&, const Json&) -> Parsed { return StopRequest{}; }},
    Route{"POST", "/reload", [](const HttpRequest&, const Json&) -> Parsed { return ReloadRequest{}; }},
    Route{"POST", "/restart", [](const HttpRequest&, const Json& body) { return parse_restart(body); }},
    Route{"POST", "/upgrade", [](const HttpRequest&, const Json& body) { return parse_upgrade(body); }},
    Route{"POST", "/scale", [](const HttpRequest&, const Json& body) { return parse_scale(body); }},
    Route{"POST", "/mode", [](const HttpRequest&, const Json& body) { return parse_mode(body); }},
};

HttpResponse json_response(unsigned status, const Json& document) {
    HttpResponse response;
    response.status = status;
    response.headers.push_back({"Content-Type", "application/json"});
    response.body = document.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
    return response;
}

}  // namespace

Parsed parse_control_request(const HttpRequest& request) {
    bool path_known = false;
    for (const Route& route : routes) {
        if (request.path() != route.path) {
            continue;
        }
        path_known = true;
        if (request.method != route.method) {
            continue;
        }
        const std::string_view text = trim(request.body);
        const Json body = text.empty() ? Json::object() : Json::parse(text, nullptr, false);
        if (body.is_discarded() || !body.is_object()) {
            return refuse("the body is not a JSON object", "send {} or the members of the command");
        }
        return route.parse(request, body);
    }
    if (path_known) {
        return ControlRefusal{405, "this command wants another method", "GET reads, POST changes"};
    }
    return ControlRefusal{404, "there is no such command",
                          "status, config, version, logs, restart, stop, scale, reload, mode, upgrade"};
}

HttpResponse refusal_response(const ControlRefusal& refusal) {
    return json_response(refusal.status, {{"ok", false}, {"error", refusal.error}, {"remedy", refusal.remedy}});
}

HttpResponse success_response(std::string_view message) {
    return json_response(200, {{"ok", true}, {"message", message}});
}

}  // namespace agentlocator
