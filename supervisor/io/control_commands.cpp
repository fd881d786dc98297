// Commands that ask the running supervisor.
#include <poll.h>

#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <thread>
#include <utility>

#include "common/text.hpp"
#include "common/time.hpp"
#include "supervisor/io/command_context.hpp"
#include "supervisor/io/log_tail.hpp"
#include "supervisor/io/process_table.hpp"
#include "supervisor/io/terminal.hpp"
#include "supervisor/status_text.hpp"

namespace agentlocator::cli {
namespace {

using Json = nlohmann::json;

// Asks; prints `done` or why not.
int command(const Context& context, const std::string& target, const Json& body, const std::string& done) {
    const auto answer = context.client.ask("POST", target, body.dump());
    if (!answer) {
        return fail(answer.error());
    }
    return answer->status == 200 ? show(done + "\n") : fail(refusal_text(answer->body), ExitCode::failed);
}

struct StatusAnswer {
    std::string body;
    Json document;
};

Result<StatusAnswer> ask_status(const Context& context) {
    const auto answer = context.client.ask("GET", "/status");
    if (!answer) {
        return answer.error();
    }
    if (answer->status != 200) {
        return error(Errc::bad_message, refusal_text(answer->body));
    }
    Json document = Json::parse(answer->body, nullptr, false);
    if (!document.is_object()) {
        return error(Errc::bad_message,
                     "the supervisor sent a status that is not JSON; compare `agentlocator version`");
    }
    return StatusAnswer{answer->body, std::move(document)};
}

// A supervisor that is gone is shown in place: it may come back, and whoever watches wants to see that.
std::string watched_text(const Context& context) {
    const auto status = ask_status(context);
    return status ? render_status(status->document, output_style())
                  : wrap_text(harmless(status.error().detail), "", output_style().width) + "\n";
}

int watch_status(const Context& context, bool json) {
    const UniqueFd end = watch_for_end();
    const bool on_screen = output_is_terminal() && !json;
    std::optional<Screen> screen;
    if (on_screen) {
        screen.emplace();
    }
    for (;;) {
        bool read = true;
        if (on_screen) {
            read = screen->draw(watched_text(context));
        } else if (json) {
            const auto status = ask_status(context);
            read = write_output((status ? status->body : Json{{"error", status.error().detail}}.dump()) + "\n");
        } else {
            read = write_output(watched_text(context) + "\n");
        }
        pollfd ready{end.get(), POLLIN, 0};
        constexpr int pause_ms = 1000;
        if (!read || ::poll(&ready, 1, pause_ms) > 0) {
            return to_int(ExitCode::ok);
        }
    }
}

int wait_for_stop(const PinnedProcess& supervisor, const Settings& settings, std::int64_t live_calls) {
    // The supervisor's own deadlines, and some for a machine that is busy with everything ending at once.
    const auto limit = settings.drain_timeout + settings.term_timeout + std::chrono::seconds(15);
    const TimePoint deadline = Clock::now() + limit;
    bool told = false;
    for (;;) {
        pollfd ready{supervisor.fd(), POLLIN, 0};
        constexpr int step_ms = 1000;
        (void)::poll(&ready, 1, step_ms);
        if (supervisor.has_ended()) {
            return show("stopped\n");
        }
        if (Clock::now() > deadline) {
            return fail("still running after " +
                            human_duration(std::chrono::ceil<std::chrono::seconds>(limit).count()) +
                            "; look with `agentlocator status`, or end pid " + std::to_string(supervisor.view().pid) +
                            " with SIGKILL",
                        ExitCode::failed);
        }
        if (!told) {
            told = true;
            warn("waiting for " + std::to_string(live_calls) + " calls to finish, at most " +
                 human_duration(std::chrono::ceil<std::chrono::seconds>(settings.drain_timeout).count()) +
                 "; Ctrl-C leaves it to end alone");
        }
    }
}

}  // namespace

int perform_command(const StatusCommand& status, const Options& options) {
    const Context context = load_context(options);
    if (status.watch) {
        return watch_status(context, status.json);
    }
    const auto answer = ask_status(context);
    if (!answer) {
        return fail(answer.error());
    }
    return show(status.json ? answer->body + (answer->body.ends_with('\n') ? "" : "\n")
                            : render_status(answer->document, output_style()));
}

int perform_command(const StopCommand& stop, const Options& options) {
    const Context context = load_context(options);
    const auto status = ask_status(context);
    if (!status) {
        return fail(status.error());
    }
    const auto pid = status->document.value("pid", Json());
    const auto view = pid.is_number_integer() ? read_process(pid.get<std::int64_t>()) : std::nullopt;
    const auto pinned = view ? PinnedProcess::pin(*view) : error(Errc::not_found, "");
    const auto calls = status->document.value("calls", Json::object());
    const auto live = calls.is_object() ? calls.value("live", Json(0)) : Json(0);
    const bool wait = stop.wait && pinned;
    const int code = command(context, "/stop", Json::object(), wait ? "stopping" : "stopping; it ends by itself");
    return code != 0 || !wait
               ? code
               : wait_for_stop(*pinned, context.settings(), live.is_number_integer() ? live.get<std::int64_t>() : 0);
}

int perform_command(const RestartCommand& restart, const Options& options) {
    return command(load_context(options), "/restart", {{"target", restart.target}, {"rolling", restart.rolling}},
                   "restarting " + restart.target + (restart.rolling ? ", one after the other" : ""));
}

namespace {

// Follows upgrade `number` to its end; the supervisor is away for a moment in between.
int follow_upgrade(const Context& context, std::int64_t number, bool as_json) {
    constexpr auto look = std::chrono::milliseconds(100);
    constexpr auto away_max = std::chrono::seconds(20);  // It waits for silent workers at most 3 s, then for the disk.
    TimePoint heard = Clock::now();
    std::string shown;
    for (;;) {
        const auto status = ask_status(context);
        if (!status && Clock::now() - heard > away_max) {
            return fail(
                "the supervisor did not come back: " + status.error().detail + "; its workers serve on, start it",
                ExitCode::failed);
        }
        if (status) {
            heard = Clock::now();
            const Json upgrade = status->document.value("upgrade", Json::object());
            const auto text = [&](const char* key) {
                const auto found = upgrade.find(key);
                return found != upgrade.end() && found->is_string() ? harmless(found->get<std::string>()) : "";
            };
            const std::string state = text("state");
            const bool ours = upgrade.value("number", Json(0)) == number;
            if (!ours || state == "idle") {
                return fail("the supervisor was started anew meanwhile; look with `agentlocator status`",
                            ExitCode::failed);
            }
            const bool ended = state == "done" || state == "failed" || state == "returned";
            if (std::exchange(shown, state) != state && !as_json && !ended) {
                warn(state +
                     (text("to_build").empty() ? "" : ": build " + text("from_build") + " -> " + text("to_build")));
            }
            if (ended && as_json) {
                const int wrote = show(upgrade.dump(2) + "\n");
                return state == "done" ? wrote : to_int(ExitCode::failed);
            }
            if (ended) {
                return state == "done" ? show("upgraded to build " + text("to_build") + "\n")
                                       : fail((state == "returned" ? "rolled back to build " + text("from_build") + ": "
                                                                   : "nothing was changed: ") +
                                                  text("failure"),
                                              ExitCode::failed);
            }
        }
        std::this_thread::sleep_for(look);
    }
}

}  // namespace

int perform_command(const UpgradeCommand& upgrade, const Options& options) {
    const Context context = load_context(options);
    std::error_code unknown;  // A folder that does not exist is refused by the supervisor, by name.
    const std::string folder =
        upgrade.folder.empty() ? "" : std::filesystem::weakly_canonical(upgrade.folder, unknown).string();
    const auto answer = context.client.ask("POST", "/upgrade", Json{{"folder", folder}}.dump());
    if (!answer) {
        return fail(answer.error());
    }
    if (answer->status != 200) {
        return fail(refusal_text(answer->body), ExitCode::failed);
    }
    if (!upgrade.wait) {
        return show("upgrade begun\n");
    }
    const Json begun = Json::parse(answer->body, nullptr, false);
    const Json number = begun.is_object() ? begun.value("number", Json(0)) : Json(0);
    return follow_upgrade(context, number.is_number_integer() ? number.get<std::int64_t>() : 0, upgrade.json);
}

int perform_command(const ScaleCommand& scale, const Options& options) {
    return command(load_context(options), "/scale", {{"workers", scale.workers}},
                   "scaling to " + std::to_string(scale.workers) + " workers");
}

int perform_command(const ReloadCommand&, const Options& options) {
    const Context context = load_context(options);
    for (const SettingFault& fault : context.loaded.parsed.faults) {
        warn(fault.detail);
    }
    return command(context, "/reload", Json::object(), "settings read again");
}

int perform_command(const ModeCommand& mode, const Options& options) {
    Json body{{"mode", to_string(mode.mode)}};
    std::string done = "mode " + std::string(to_string(mode.mode));
    if (mode.period) {
        body["for_seconds"] = mode.period->count();
        done += " for " + human_duration(mode.period->count()) + ", then back to the configured mode";
    }
    return command(load_context(options), "/mode", body, done);
}

int perform_command(const LogsCommand& logs, const Options& options) {
    const Context context = load_context(options);
    std::string target = "/logs?lines=" + std::to_string(logs.lines);
    if (!logs.target.empty()) {
        for (const char c : logs.target) {  // It goes into a URL; slots are plain words.
            if (!(to_lower(c) >= 'a' && to_lower(c) <= 'z') && !(c >= '0' && c <= '9') && c != '-') {
                return fail("\"" + logs.target + "\" is no slot; valid: a worker's number, bridge, speech, supervisor",
                            ExitCode::usage);
            }
        }
        target += "&target=" + logs.target;
    }
    const bool raw = !output_is_terminal();  // A pipe gets the bytes as they are.
    const auto take = [&](std::string_view text) { return write_output(raw ? text : harmless(text, true)); };
    if (logs.follow) {
        const UniqueFd end = watch_for_end();
        const auto done = context.client.follow(target + "&follow=1", end.get(), take);
        if (!done && done.error().code == Errc::bad_message) {
            return fail(refusal_text(done.error().detail), ExitCode::failed);
        }
        return done || done.error().code == Errc::stopped ? to_int(ExitCode::ok) : fail(done.error());
    }
    const auto answer = context.client.ask("GET", target);
    if (answer) {
        return answer->status == 200 ? (take(answer->body) ? 0 : 1)
                                     : fail(refusal_text(answer->body), ExitCode::failed);
    }
    // What it said last is what matters once it is gone.
    const std::string name = logs.target.empty() ? "supervisor" : logs.target;
    const bool is_worker = parse_integer(name).has_value();
    const std::string path = context.settings().data_dir + "/logs/" + (is_worker ? "worker-" + name : name) + ".log";
    const auto tail = answer.error().code == Errc::not_found ? read_log_tail(path, logs.lines) : std::nullopt;
    if (!tail) {
        return fail(answer.error());
    }
    warn("no supervisor is running; the end of " + path + ":");
    return take(*tail) ? 0 : 1;
}

}  // namespace agentlocator::cli
