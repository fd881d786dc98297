// SupervisorRunner: what operators ask for.
#include <algorithm>
#include <string>

#include "common/log_line.hpp"
#include "supervisor/io/supervisor_runner.hpp"

namespace agentlocator {
namespace {

HttpResponse json(std::string body) {
    HttpResponse response;
    response.headers.push_back({"Content-Type", "application/json"});
    response.body = std::move(body);
    return response;
}

HttpResponse refused(const Error& error, std::string_view remedy) {
    const unsigned status = error.code == Errc::not_found ? 404 : error.code == Errc::refused ? 409 : 400;
    return refusal_response({status, error.detail, std::string(remedy)});
}

}  // namespace

ControlReply SupervisorRunner::answer(const HttpRequest& request) {
    const auto parsed = parse_control_request(request);
    if (const auto* refusal = std::get_if<ControlRefusal>(&parsed)) {
        return refusal_response(*refusal);
    }
    return std::visit(
        [this](const auto& command) -> ControlReply {
            using Command = std::decay_t<decltype(command)>;
            if constexpr (std::is_same_v<Command, StatusQuery>) {
                return json(encode_status(status_view()));
            } else if constexpr (std::is_same_v<Command, ConfigQuery>) {
                return json(encode_config(context_.loaded.parsed.view));
            } else if constexpr (std::is_same_v<Command, VersionQuery>) {
                return json(encode_version(context_.instance, context_.build));
            } else if constexpr (std::is_same_v<Command, StopRequest>) {
                say(log_line("command_received", {{"command", "stop"}}));
                loop_.defer([this] { begin_stop(); });  // After the answer.
                return success_response("stopping");
            } else if constexpr (std::is_same_v<Command, ReloadRequest>) {
                const auto reloaded = reload();
                if (!reloaded) {
                    return refused(reloaded.error(), "correct the settings and reload again; the old ones stay");
                }
                return success_response(*reloaded);
            } else {
                return answer(command);
            }
        },
        std::get<ControlCommand>(parsed));
}

ControlReply SupervisorRunner::answer(const RestartRequest& command) {
    const auto done = machine_.restart(Clock::now(), command.target, command.rolling, actions_);
    if (!done) {
        return refused(done.error(), "`agentlocator status` lists what runs");
    }
    say(log_line("command_received", {{"command", "restart"}, {"rolling", command.rolling}}));
    perform();
    return success_response(command.rolling ? "rolling restart begun" : "restart begun");
}

ControlReply SupervisorRunner::answer(const UpgradeRequest& command) {
    const auto begun = request_upgrade(command.folder);
    if (!begun) {
        return refused(begun.error(), "`agentlocator status` tells how far it is");
    }
    return json(R"({"ok":true,"number":)" + std::to_string(*begun) + "}\n");
}

ControlReply SupervisorRunner::answer(const ScaleRequest& command) {
    const auto done = machine_.scale(Clock::now(), command.workers, actions_);
    if (!done) {
        return refused(done.error(), "use 1 to " + std::to_string(workers_max));
    }
    say(log_line("command_received", {{"command", "scale"}, {"workers", command.workers}}));
    perform();
    return success_response("scaling to " + std::to_string(command.workers) + " workers");
}

ControlReply SupervisorRunner::answer(const ModeRequest& command) {
    const auto period = command.period ? std::optional<Duration>(*command.period) : std::nullopt;
    const auto done = mode_.set(Clock::now(), command.mode, period);
    if (!done) {
        return refused(done.error(), "agentlocator mode " + std::string(to_string(command.mode)) + " --for 10m");
    }
    const std::string mode(to_string(mode_.view().mode));
    say(log_line(
        "mode_changed",
        {{"mode", mode}, {"reason", "command"}, {"for_seconds", command.period ? command.period->count() : 0}}));
    perform();
    return success_response("new calls are served in mode " + mode);
}

ControlReply SupervisorRunner::answer(const LogsQuery& query) {
    std::string text;
    bool found = false;
    for (const auto& [name, record] : names_) {
        if (!query.target.empty() && query.target != name) {
            continue;
        }
        found = true;
        for (const std::string& line : record.history.last(std::min(query.lines, history_lines_max))) {
            text += query.target.empty() && name != "supervisor" ? "[" + name + "] " : "";
            text += line + "\n";
        }
    }
    if (!found) {
        return refusal_response({404, "there is no log of " + query.target, "`agentlocator status` lists what runs"});
    }
    if (query.follow) {
        return FollowReply{query.target, std::move(text)};
    }
    HttpResponse response;
    response.headers.push_back({"Content-Type", "text/plain; charset=utf-8"});
    response.body = std::move(text);
    return response;
}

// New settings for what can change while running; what cannot is named.
Result<std::string> SupervisorRunner::reload() {
    context_.notify->reloading();
    const auto done = [&](Result<std::string> outcome) {
        if (said_ready_) {
            context_.notify->ready(notified_status_);
        }
        reload_fault_ = outcome ? "" : outcome.error().detail;
        return outcome;
    };
    LoadedSettings loaded = context_.options->load();
    if (!loaded.parsed.faults.empty()) {
        std::string detail;
        for (const SettingFault& fault : loaded.parsed.faults) {
            detail += (detail.empty() ? "" : "; ") + fault.detail;
        }
        return done(error(Errc::bad_config, detail));
    }
    Settings& next = loaded.parsed.settings;
    if (context_.options->enforce_ai) {
        next.ws_mode = WsMode::ai;
    }
    if (next.bridge_secret.empty()) {
        next.bridge_secret = settings_.bridge_secret;  // Made at the start.
    }
    std::string fixed;
    const auto keep = [&](auto member, const char* name) {
        if (next.*member != settings_.*member) {
            next.*member = settings_.*member;
            fixed += (fixed.empty() ? "" : ", ") + std::string(name);
        }
    };
    keep(&Settings::port, "PORT");
    keep(&Settings::bind_address, "BIND_ADDRESS");
    keep(&Settings::lock_path, "AGENTLOCATOR_LOCK");
    keep(&Settings::runtime_dir, "AGENTLOCATOR_RUNTIME_DIR");
    keep(&Settings::data_dir, "AGENTLOCATOR_DATA_DIR");
    keep(&Settings::log_bytes_max, "LOG_BYTES_MAX");
    keep(&Settings::log_files, "LOG_FILES");
    const bool children_change = next != settings_ || loaded.others != context_.loaded.others;
    const std::uint32_t workers = next.workers;
    settings_ = next;
    context_.loaded = std::move(loaded);
    heartbeat_limits_.hang_timeout = settings_.hang_timeout;
    machine_.set_limits(
        make_plan(settings_, *context_.options, context_.bridge_detail.empty(), context_.speech != nullptr));
    mode_.configure(settings_.ws_mode, context_.mode_source);
    std::string text = children_change ? "settings changed" : "nothing changed";
    const TimePoint now = Clock::now();
    if (workers != machine_.workers() && machine_.scale(now, workers, actions_)) {
        text += ", scaling to " + std::to_string(workers) + " workers";
    }
    // A setting reaches a worker with its environment, so the workers are replaced, one by one.
    if (children_change && machine_.restart(now, {RestartTarget::Kind::all, 0}, true, actions_)) {
        text += ", rolling restart begun";
    }
    perform();
    if (!fixed.empty()) {
        text += "; only a new start changes " + fixed;
    }
    return done(text);
}

}  // namespace agentlocator
