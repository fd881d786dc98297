#include "supervisor/options.hpp"

#include <doctest/doctest.h>

using namespace agentlocator;
using namespace agentlocator::cli;
using namespace std::chrono_literals;

namespace {

template <class T>
T parse_as(const std::vector<std::string>& arguments) {
    const Options options = parse_options(arguments);
    const T* command = std::get_if<T>(&options.command);
    if (const auto* text = std::get_if<ShowText>(&options.command); command == nullptr && text != nullptr) {
        FAIL(text->text);
    }
    REQUIRE(command != nullptr);
    return *command;
}

std::string wrong(const std::vector<std::string>& arguments) {
    const Options options = parse_options(arguments);
    const auto* text = std::get_if<ShowText>(&options.command);
    REQUIRE(text != nullptr);
    CHECK(text->code == ExitCode::usage);
    return text->text;
}

std::string help(const std::vector<std::string>& arguments) {
    const Options options = parse_options(arguments);
    const auto* text = std::get_if<ShowText>(&options.command);
    REQUIRE(text != nullptr);
    CHECK(text->code == ExitCode::ok);
    return text->text;
}

bool contains(std::string_view text, std::string_view part) {
    return text.find(part) != std::string_view::npos;
}

constexpr const char* commands[] = {"run",    "status", "stop", "restart", "upgrade", "scale",
                                    "reload", "mode",   "logs", "stale",   "config",  "version"};

}  // namespace

TEST_CASE("options: alone it helps, and names every command") {
    const std::string text = help({});
    for (const char* command : commands) {
        CHECK_MESSAGE(contains(text, command), command);
    }
    CHECK(contains(text, "call"));
    CHECK(help({"--help"}) == text);
    CHECK(contains(help({"--version"}), "agentlocator " AGENTLOCATOR_VERSION));
}

TEST_CASE("options: every command's help has examples and exit codes") {
    for (const char* command : commands) {
        const std::string text = help({command, "--help"});
        CAPTURE(command);
        CHECK(contains(text, "Examples:\n  agentlocator " + std::string(command)));
        CHECK(contains(text, "Exit codes:"));
    }
}

TEST_CASE("options: the flags of run are settings, checked with the others") {
    const Options options =
        parse_options({"run", "--ws-mode", "ECHO", "--port", "abc", "--bind", "::1", "--workers", "3",
                       "--public-base-url", "https://x", "--enforce-ai", "--takeover", "--env-file", "/tmp/x.env"});
    const auto* run = std::get_if<RunCommand>(&options.command);
    REQUIRE(run != nullptr);
    CHECK(run->enforce_ai);
    CHECK(run->takeover);
    CHECK(options.env_file == "/tmp/x.env");
    CHECK(options.flags.size() == 5);
    CHECK(options.flags.at("WS_MODE").value == "ECHO");
    CHECK(options.flags.at("PORT").value == "abc");
    CHECK(options.flags.at("BIND_ADDRESS").value == "::1");
    CHECK(options.flags.at("WORKERS").value == "3");
    CHECK(options.flags.at("PUBLIC_BASE_URL").value == "https://x");
    CHECK(options.flags.at("PORT").source == SettingSource::flag);
    const RunCommand plain = parse_as<RunCommand>({"run"});
    CHECK_FALSE(plain.enforce_ai);
    CHECK_FALSE(plain.takeover);
    CHECK_FALSE(parse_options({"run"}).env_file);
}

TEST_CASE("options: each command takes what it documents") {
    CHECK(parse_as<StatusCommand>({"status", "--json"}).json);
    CHECK(parse_as<StatusCommand>({"status", "-w"}).watch);
    CHECK(parse_as<StopCommand>({"stop"}).wait);
    CHECK_FALSE(parse_as<StopCommand>({"stop", "--no-wait"}).wait);
    CHECK(parse_as<RestartCommand>({"restart", "all", "--rolling"}).rolling);
    CHECK(parse_as<UpgradeCommand>({"upgrade"}).wait);
    CHECK(parse_as<UpgradeCommand>({"upgrade"}).folder.empty());
    CHECK(parse_as<UpgradeCommand>({"upgrade", "--to", "/x", "--json"}).folder == "/x");
    CHECK(parse_as<UpgradeCommand>({"upgrade", "--to", "/x", "--json"}).json);
    CHECK_FALSE(parse_as<UpgradeCommand>({"upgrade", "--no-wait"}).wait);
    CHECK(parse_as<RestartCommand>({"restart", "bridge"}).target == "bridge");
    CHECK(parse_as<ScaleCommand>({"scale", "128"}).workers == 128);
    (void)parse_as<ReloadCommand>({"reload"});
    CHECK(parse_as<LogsCommand>({"logs"}).lines == log_lines_default);
    CHECK(parse_as<LogsCommand>({"logs"}).target.empty());
    const LogsCommand logs = parse_as<LogsCommand>({"logs", "-f", "-n", "7", "2"});
    CHECK(logs.follow);
    CHECK(logs.lines == 7);
    CHECK(logs.target == "2");
    const StaleCommand stale = parse_as<StaleCommand>({"stale", "--kill", "--json", "--takeover"});
    CHECK(stale.kill);
    CHECK(stale.json);
    CHECK(stale.takeover);
    CHECK(parse_as<ConfigCommand>({"config", "--running"}).running);
    CHECK(parse_as<ConfigCommand>({"config", "--markdown"}).markdown);
    CHECK(parse_as<VersionCommand>({"version", "--json"}).json);
}

TEST_CASE("options: mode has a period with a limit") {
    const ModeCommand mode = parse_as<ModeCommand>({"mode", "echo", "--for", "10m"});
    CHECK(mode.mode == WsMode::echo);
    CHECK(mode.period == 600s);
    CHECK_FALSE(parse_as<ModeCommand>({"mode", "AI"}).period);
    CHECK(contains(wrong({"mode", "FOO"}), "\"FOO\" is not a mode; valid: AI, ECHO, SINK"));
    CHECK(contains(wrong({"mode", "ECHO", "--for", "soon"}), "is not a time; valid: 90s"));
    CHECK(contains(wrong({"mode", "ECHO", "--for", ""}), "is not a time"));
}

TEST_CASE("options: periods") {
    CHECK(parse_period("90") == 90s);
    CHECK(parse_period("90s") == 90s);
    CHECK(parse_period("10m") == 600s);
    CHECK(parse_period("1h30m") == 5400s);
    CHECK(parse_period("24h") == 24h);
    CHECK(parse_period("23h59m60s") == 24h);
    for (const char* bad : {"24h1s", "86401", "0", "0s", "", "m", "10x", "-5m", "1.5h", "10 m", "h1",
                            "99999999999999999999s", "100001s"}) {
        CHECK_MESSAGE(!parse_period(bad), bad);
    }
}

TEST_CASE("options: call hands everything on untouched") {
    const CallCommand call = parse_as<CallCommand>({"call", "--help", "--url", "x", "-f"});
    CHECK(call.arguments == std::vector<std::string>{"--help", "--url", "x", "-f"});
}

TEST_CASE("options: what the store is asked is handed on, with the command's name") {
    const RecordsCommand records = parse_as<RecordsCommand>({"calls", "show", "CA1", "--json"});
    CHECK(records.arguments == std::vector<std::string>{"calls", "show", "CA1", "--json"});
    CHECK(parse_as<RecordsCommand>({"leads"}).arguments == std::vector<std::string>{"leads"});
}

TEST_CASE("options: a mistyped command gets the nearest one suggested") {
    CHECK(contains(wrong({"sattus"}), "unknown command \"sattus\"; did you mean \"status\"?"));
    CHECK(contains(wrong({"lgos"}), "did you mean \"logs\"?"));
    CHECK(contains(wrong({"cal"}), "did you mean \"call\"?"));
    const std::string far = wrong({"fly-to-the-moon"});
    CHECK_FALSE(contains(far, "did you mean"));
    CHECK(contains(far, "agentlocator --help"));
}

TEST_CASE("options: what is missing or too much is told with the way to help") {
    CHECK(contains(wrong({"restart"}), "agentlocator restart --help"));
    CHECK(contains(wrong({"scale", "0"}), "agentlocator scale"));
    CHECK(contains(wrong({"scale", "129"}), "agentlocator scale"));
    CHECK(contains(wrong({"scale", "many"}), "agentlocator scale"));
    CHECK(contains(wrong({"status", "--colour"}), "--colour"));
    CHECK(contains(wrong({"status", "extra"}), "extra"));
    CHECK(contains(wrong({"logs", "--lines", "100001"}), "agentlocator logs"));
    CHECK(contains(wrong({"run", "--port"}), "--port"));
    CHECK(contains(wrong({"--colour"}), "--colour"));
}
