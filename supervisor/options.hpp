#pragma once
// The command line as a value: one struct for each command. Pure, apart from looking at argv; options.cpp is the only
// file that includes CLI11.
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "common/config.hpp"
#include "common/exit_code.hpp"

namespace agentlocator::cli {

struct RunCommand {
    bool enforce_ai = false;
    bool takeover = false;
};
struct StatusCommand {
    bool json = false;
    bool watch = false;
};
struct StopCommand {
    bool wait = true;
};
struct RestartCommand {
    std::string target;  // "1", "bridge", "all"
    bool rolling = false;
};
struct UpgradeCommand {
    std::string folder;  // Empty: where the running supervisor's programs are.
    bool wait = true;
    bool json = false;
};
struct ScaleCommand {
    std::uint32_t workers = 0;
};
struct ReloadCommand {};
struct ModeCommand {
    WsMode mode = WsMode::ai;
    std::optional<std::chrono::seconds> period;
};
struct LogsCommand {
    std::string target;  // Empty: everything.
    std::uint32_t lines = 0;
    bool follow = false;
};
struct StaleCommand {
    bool json = false;
    bool kill = false;
    bool takeover = false;
};
struct ConfigCommand {
    bool json = false;
    bool markdown = false;
    bool running = false;  // Of the running supervisor instead of what a start would use.
};
struct VersionCommand {
    bool json = false;
};
// A command that is a program of its own beside this one.
struct CallCommand {
    std::vector<std::string> arguments;  // Untouched.
    std::string program = "agentlocator-call";
};
struct WhatsAppCommand {
    std::vector<std::string> arguments;  // For baileys-bridge/whatsapp.js, untouched.
};
struct RecordsCommand {
    std::vector<std::string> arguments;  // For agentlocator-records: the command's name first.
};
struct SpeechCommand {
    std::vector<std::string> arguments;  // For agentlocator-speech, untouched: say or hear, and what belongs to it.
};
// Help, or what was wrong with the command line.
struct ShowText {
    std::string text;
    ExitCode code = ExitCode::ok;
};

using Command = std::variant<ShowText, RunCommand, StatusCommand, StopCommand, RestartCommand, UpgradeCommand,
                             ScaleCommand, ReloadCommand, ModeCommand, LogsCommand, StaleCommand, ConfigCommand,
                             VersionCommand, CallCommand, WhatsAppCommand, RecordsCommand, SpeechCommand>;

struct Options {
    Command command;
    SettingInputs flags;                  // --port and so on, by the name of the setting.
    std::optional<std::string> env_file;  // --env-file
};

inline constexpr std::uint32_t log_lines_default = 40;               // A screenful.
inline constexpr std::uint32_t log_lines_max = 100'000;              // More is a file to open, not an answer.
inline constexpr auto mode_period_longest = std::chrono::hours(24);  // A debug mode longer than a day was forgotten.

[[nodiscard]] Options parse_options(const std::vector<std::string>& arguments);  // Without the program's name.

// "90", "90s", "10m", "2h", "1h30m". Nothing for anything else, for zero and for more than mode_period_longest.
[[nodiscard]] std::optional<std::chrono::seconds> parse_period(std::string_view text);

}  // namespace agentlocator::cli
