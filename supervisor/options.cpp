#include "supervisor/options.hpp"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>

#include "common/text.hpp"

namespace agentlocator::cli {
namespace {

constexpr char exit_codes_text[] =
    "\nExit codes: 0 done; 1 understood, but it did not succeed; 64 wrong command line; 69 no supervisor answers;\n"
    "            75 another holds the lock or the port; 78 settings are wrong.\n";

// What the parser fills; turned into an Options when the command is known.
struct Parsed {
    Options options;
    RunCommand run;
    StatusCommand status;
    StopCommand stop;
    RestartCommand restart;
    UpgradeCommand upgrade;
    ScaleCommand scale;
    LogsCommand logs;
    StaleCommand stale;
    ConfigCommand config;
    VersionCommand version;
    std::string mode;
    std::optional<std::string> period;
    std::string env_file;
    bool no_wait = false;
    bool upgrade_no_wait = false;
};

// A flag that is one setting: checked with all the others, so that every fault is reported together.
void add_setting(CLI::App& app, Parsed& parsed, const std::string& flag, const std::string& setting,
                 const std::string& help) {
    app.add_option_function<std::string>(
           flag,
           [&parsed, setting](const std::string& value) {
               parsed.options.flags[setting] = {value, SettingSource::flag};
           },
           help + " (" + setting + ")")
        ->type_name("VALUE");
}

CLI::App& add_command(CLI::App& app, Parsed& parsed, const std::string& name, const std::string& help,
                      const std::string& examples) {
    CLI::App* command = app.add_subcommand(name, help);
    command->add_option("--env-file", parsed.env_file, "Settings file instead of .env of the installation")
        ->type_name("FILE");
    command->footer("Examples:\n" + examples + exit_codes_text);
    return *command;
}

void add_run(CLI::App& app, Parsed& parsed) {
    CLI::App& run = add_command(app, parsed, "run", "Start the supervisor in the foreground",
                                "  agentlocator run\n"
                                "  agentlocator run --bind 0.0.0.0 --enforce-ai     as deployed\n"
                                "  agentlocator run --ws-mode ECHO --port 5001      callers hear themselves\n");
    add_setting(run, parsed, "--ws-mode", "WS_MODE", "AI, ECHO or SINK");
    add_setting(run, parsed, "--port", "PORT", "TCP port");
    add_setting(run, parsed, "--bind", "BIND_ADDRESS", "Address to listen on");
    add_setting(run, parsed, "--workers", "WORKERS", "Worker processes");
    add_setting(run, parsed, "--public-base-url", "PUBLIC_BASE_URL", "Where Twilio reaches us");
    run.add_flag("--enforce-ai", parsed.run.enforce_ai,
                 "Answer in AI mode even when WS_MODE says something else; for deployments");
    run.add_flag("--takeover", parsed.run.takeover, "End an unknown process of this user that owns the port");
}

void add_watching(CLI::App& app, Parsed& parsed) {
    CLI::App& status = add_command(app, parsed, "status", "Show what runs, and what is wrong",
                                   "  agentlocator status\n"
                                   "  agentlocator status --watch\n"
                                   "  agentlocator status --json | jq .workers\n");
    status.add_flag("--json", parsed.status.json, "The whole document");
    status.add_flag("-w,--watch", parsed.status.watch, "Redraw every second until Ctrl-C");
    CLI::App& logs = add_command(app, parsed, "logs", "Show what the processes wrote",
                                 "  agentlocator logs -f\n"
                                 "  agentlocator logs 1 --lines 200\n"
                                 "  agentlocator logs bridge\n");
    logs.add_option("slot", parsed.logs.target, "A worker's number, bridge, speech or supervisor; default: all")
        ->type_name("SLOT");
    parsed.logs.lines = log_lines_default;
    logs.add_option("-n,--lines", parsed.logs.lines, "Lines of the past")
        ->check(CLI::Range(std::uint32_t{0}, log_lines_max))
        ->capture_default_str();
    logs.add_flag("-f,--follow", parsed.logs.follow, "Go on until Ctrl-C");
}

void add_changing(CLI::App& app, Parsed& parsed) {
    CLI::App& stop = add_command(app, parsed, "stop", "Let calls finish, then end everything",
                                 "  agentlocator stop\n"
                                 "  agentlocator stop --no-wait\n");
    stop.add_flag("--no-wait", parsed.no_wait, "Return at once instead of when all has ended");
    CLI::App& restart = add_command(app, parsed, "restart",
                                    "Replace a worker, the bridge, the speech helper or all; releases a held slot",
                                    "  agentlocator restart 1\n"
                                    "  agentlocator restart bridge\n"
                                    "  agentlocator restart all --rolling     one after the other, calls go on\n");
    restart.add_option("target", parsed.restart.target, "A worker's number, bridge, speech or all")
        ->required()
        ->type_name("SLOT|bridge|speech|all");
    restart.add_flag("--rolling", parsed.restart.rolling, "Start each successor before its predecessor leaves");
    CLI::App& upgrade = add_command(
        app, parsed, "upgrade", "Change to the programs that are on the disk now; no call ends",
        "  agentlocator upgrade\n"
        "  agentlocator upgrade --to /opt/agentlocator-2/bin\n"
        "The new program is run once to see that it starts, then the supervisor becomes it and replaces the workers\n"
        "one by one. When a new worker does not become ready, the old build comes back by itself.\n");
    upgrade.add_option("--to", parsed.upgrade.folder, "Folder of the new programs; default: the running ones' own")
        ->type_name("FOLDER");
    upgrade.add_flag("--no-wait", parsed.upgrade_no_wait, "Return when it has begun instead of when it is done");
    upgrade.add_flag("--json", parsed.upgrade.json, "What became of it, as JSON");
    CLI::App& scale = add_command(app, parsed, "scale", "Change the number of workers", "  agentlocator scale 4\n");
    scale.add_option("workers", parsed.scale.workers, "How many")
        ->required()
        ->check(CLI::Range(1U, 128U))
        ->type_name("N");
    add_command(app, parsed, "reload", "Read the settings again",
                "  agentlocator reload\n"
                "Settings that need a restart of the workers apply to each at its next start.\n");
    CLI::App& mode = add_command(app, parsed, "mode", "Turn the running system to AI, ECHO or SINK",
                                 "  agentlocator mode ECHO --for 10m     returns to the configured mode by itself\n"
                                 "  agentlocator mode AI\n");
    mode.add_option("mode", parsed.mode, "AI, ECHO or SINK")->required()->type_name("MODE");
    mode.add_option_function<std::string>(
            "--for", [&parsed](const std::string& value) { parsed.period = value; },
            "How long: 90s, 10m, 2h; at most 24h")
        ->type_name("TIME");
}

void add_looking(CLI::App& app, Parsed& parsed) {
    CLI::App& stale =
        add_command(app, parsed, "stale", "List old processes that a start would end, with the reasons",
                    "  agentlocator stale              nothing is ended\n"
                    "  agentlocator stale --kill       end what is certainly ours\n"
                    "  agentlocator stale --kill --takeover     and whoever of this user owns the port\n");
    stale.add_flag("--json", parsed.stale.json, "As JSON");
    stale.add_flag("--kill", parsed.stale.kill, "End them: SIGTERM, wait, SIGKILL");
    stale.add_flag("--takeover", parsed.stale.takeover, "Also an unknown owner of the port");
    add_setting(stale, parsed, "--port", "PORT", "TCP port");
    add_setting(stale, parsed, "--bind", "BIND_ADDRESS", "Address to listen on");
    CLI::App& config = add_command(app, parsed, "config", "Show every setting, its value and where it comes from",
                                   "  agentlocator config\n"
                                   "  agentlocator config --running     of the supervisor that runs now\n"
                                   "  agentlocator config --json\n");
    config.add_flag("--json", parsed.config.json, "As JSON");
    config.add_flag("--running", parsed.config.running, "Ask the running supervisor");
    config.add_flag("--markdown", parsed.config.markdown)->group("");  // Makes the table of docs/operations.md.
    CLI::App& version = add_command(app, parsed, "version", "Show the version here and of what runs",
                                    "  agentlocator version\n"
                                    "  agentlocator version --json\n");
    version.add_flag("--json", parsed.version.json, "As JSON");
    add_command(app, parsed, "say", "Speak a text with the built-in voice", "  agentlocator say --help\n");
    add_command(app, parsed, "hear", "Recognise a recording with the built-in recogniser",
                "  agentlocator hear --help\n");
    add_command(app, parsed, "call", "Call a server as Twilio does, and judge what it answers",
                "  agentlocator call --help\n");
    add_command(app, parsed, "whatsapp", "Show the link to WhatsApp, link a phone, unlink it",
                "  agentlocator whatsapp status\n"
                "  agentlocator whatsapp pair                       shows a QR code to scan\n"
                "  agentlocator whatsapp pair --code 972541234567   by eight characters typed on the phone\n");
    add_command(app, parsed, "calls", "List calls, or show one: calls show SID", "  agentlocator calls --help\n");
    add_command(app, parsed, "leads", "List the people who called or wrote", "  agentlocator leads --help\n");
    add_command(app, parsed, "payments", "List payments, or show one: payments show ID",
                "  agentlocator payments --json\n");
    add_command(app, parsed, "business", "List businesses and their numbers, add one, set its prompts and accounts",
                "  agentlocator business add \"Leah's flats\" --voice +97236123456\n"
                "  agentlocator business set 1 prompt --file prompt.txt --channel voice\n"
                "  agentlocator business payments 1 on --provider paypal\n");
    add_command(app, parsed, "retention", "Delete transcripts and recordings that are too old, now",
                "  agentlocator retention\n");
    add_command(app, parsed, "chat", "Talk to the agent by keyboard; a line of digits, * and # is keys",
                "  agentlocator chat\n  AGENT_LANGUAGE=en-US agentlocator chat\n");
}

// Performed by agentlocator-records.
constexpr std::string_view records_commands[] = {"calls", "leads", "payments", "business", "retention"};

Options wrong(const std::string& text) {
    return {ShowText{text, ExitCode::usage}, {}, {}};
}

Options finish_mode(Parsed& parsed) {
    const auto mode = parse_ws_mode(parsed.mode);
    if (!mode) {
        return wrong("mode: \"" + parsed.mode + "\" is not a mode; valid: " + std::string(ws_mode_values) + "\n");
    }
    const auto period = parsed.period ? parse_period(*parsed.period) : std::nullopt;
    if (parsed.period && !period) {
        return wrong("mode: --for \"" + *parsed.period + "\" is not a time; valid: 90s, 10m, 2h, 1h30m; at most 24h\n");
    }
    parsed.options.command = ModeCommand{*mode, period};
    return std::move(parsed.options);
}

Options finish(const CLI::App& app, Parsed& parsed) {
    if (!parsed.env_file.empty()) {
        parsed.options.env_file = parsed.env_file;
    }
    parsed.stop.wait = !parsed.no_wait;
    const auto chosen = app.get_subcommands();
    const std::string name = chosen.empty() ? "" : chosen.front()->get_name();
    Command& command = parsed.options.command;
    if (name == "run") {
        command = parsed.run;
    } else if (name == "status") {
        command = parsed.status;
    } else if (name == "stop") {
        command = parsed.stop;
    } else if (name == "restart") {
        command = parsed.restart;
    } else if (name == "upgrade") {
        parsed.upgrade.wait = !parsed.upgrade_no_wait;
        command = parsed.upgrade;
    } else if (name == "scale") {
        command = parsed.scale;
    } else if (name == "reload") {
        command = ReloadCommand{};
    } else if (name == "mode") {
        return finish_mode(parsed);
    } else if (name == "logs") {
        command = parsed.logs;
    } else if (name == "stale") {
        command = parsed.stale;
    } else if (name == "config") {
        command = parsed.config;
    } else if (name == "version") {
        command = parsed.version;
    } else {
        return {ShowText{app.help(), ExitCode::ok}, {}, {}};
    }
    return std::move(parsed.options);
}

std::vector<const CLI::App*> all_commands(const CLI::App& app) {
    return app.get_subcommands([](const CLI::App*) { return true; });
}

bool is_command(const CLI::App& app, const std::string& word) {
    const auto commands = all_commands(app);
    return std::any_of(commands.begin(), commands.end(),
                       [&](const CLI::App* command) { return command->get_name() == word; });
}

std::string nearest_command(const CLI::App& app, const std::string& word) {
    std::string nearest;
    std::size_t best = 3;  // Two slips of the finger; more is another word.
    for (const CLI::App* command : all_commands(app)) {
        const std::size_t distance = edit_distance(word, command->get_name());
        if (distance < best) {
            best = distance;
            nearest = command->get_name();
        }
    }
    return nearest;
}

}  // namespace

Options parse_options(const std::vector<std::string>& arguments) {
    if (!arguments.empty() && arguments[0] == "call") {
        return {CallCommand{{arguments.begin() + 1, arguments.end()}}, {}, {}};
    }
    if (!arguments.empty() && arguments[0] == "whatsapp") {
        return {WhatsAppCommand{{arguments.begin() + 1, arguments.end()}}, {}, {}};
    }
    if (!arguments.empty() && std::find(std::begin(records_commands), std::end(records_commands), arguments[0]) !=
                                  std::end(records_commands)) {
        return {RecordsCommand{arguments}, {}, {}};
    }
    if (!arguments.empty() && (arguments[0] == "say" || arguments[0] == "hear")) {
        return {SpeechCommand{arguments}, {}, {}};
    }
    if (arguments.size() == 1 && arguments[0] == "chat") {
        return {CallCommand{{}, "agentlocator-chat"}, {}, {}};
    }
    CLI::App app("Answers a business's telephone and WhatsApp: starts, watches and repairs the processes that do.",
                 "agentlocator");
    Parsed parsed;
    app.require_subcommand(0, 1);
    app.set_version_flag("--version", std::string("agentlocator ") + AGENTLOCATOR_VERSION);
    app.footer(std::string("`agentlocator COMMAND --help` tells more. Settings: `agentlocator config`.\n") +
               exit_codes_text);
    add_run(app, parsed);
    add_watching(app, parsed);
    add_changing(app, parsed);
    add_looking(app, parsed);
    if (!arguments.empty() && !arguments[0].starts_with('-') && !is_command(app, arguments[0])) {
        const std::string nearest = nearest_command(app, arguments[0]);
        return wrong("unknown command \"" + arguments[0] + "\"" +
                     (nearest.empty() ? "" : "; did you mean \"" + nearest + "\"?") +
                     "\n`agentlocator --help` lists the commands\n");
    }
    std::vector<std::string> reversed(arguments.rbegin(), arguments.rend());  // CLI11 takes them from the back.
    try {
        app.parse(reversed);
    } catch (const CLI::CallForHelp&) {
        return {ShowText{app.help(), ExitCode::ok}, {}, {}};  // Of the command, when there is one.
    } catch (const CLI::CallForVersion& version) {
        return {ShowText{std::string(version.what()) + "\n", ExitCode::ok}, {}, {}};
    } catch (const CLI::ParseError& problem) {
        const auto chosen = app.get_subcommands();
        const std::string command = chosen.empty() ? "" : " " + chosen.front()->get_name();
        return wrong("agentlocator" + command + ": " + problem.what() + "\n`agentlocator" + command +
                     " --help` tells what is valid\n");
    }
    return finish(app, parsed);
}

std::optional<std::chrono::seconds> parse_period(std::string_view text) {
    std::int64_t total = 0;
    if (text.empty()) {
        return std::nullopt;
    }
    while (!text.empty()) {
        const auto end = text.find_first_not_of("0123456789");
        const std::string_view digits = text.substr(0, end);
        const auto count = parse_integer(digits);
        constexpr std::int64_t count_max = 100'000;  // A day has 86,400 seconds; larger ones could overflow below.
        if (!count || *count > count_max) {
            return std::nullopt;
        }
        const char unit = end == std::string_view::npos ? 's' : text[end];
        if (unit != 's' && unit != 'm' && unit != 'h') {
            return std::nullopt;
        }
        total += *count * (unit == 'h' ? 3600 : unit == 'm' ? 60 : 1);
        text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    }
    const std::chrono::seconds period(total);
    return total > 0 && period <= mode_period_longest ? std::optional(period) : std::nullopt;
}

}  // namespace agentlocator::cli
