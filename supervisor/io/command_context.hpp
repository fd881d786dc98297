#pragma once
// What the commands of the command line share: settings, the client, and how results and refusals are told.
#include <string>
#include <string_view>

#include "common/exit_code.hpp"
#include "common/io/settings_source.hpp"
#include "common/result.hpp"
#include "supervisor/io/control_client.hpp"
#include "supervisor/options.hpp"

namespace agentlocator::cli {

// A fault in a setting that the command does not need must not hide a running supervisor: faults stay in `loaded`.
struct Context {
    LoadedSettings loaded;
    SettingFacts facts;
    ControlClient client{ControlPlace{}};
    [[nodiscard]] const Settings& settings() const { return loaded.parsed.settings; }
};
[[nodiscard]] Context load_context(const Options& options);

// To stderr, with the program's name in front.
void warn(const std::string& text);
[[nodiscard]] int fail(const std::string& text, ExitCode code);
[[nodiscard]] int fail(const Error& problem);  // 69 when no supervisor answers, else 1.
// To stdout. 1 when nobody reads any more.
[[nodiscard]] int show(std::string_view text);
// The text of {"ok":false,"error":"...","remedy":"..."}.
[[nodiscard]] std::string refusal_text(std::string_view body);

[[nodiscard]] int perform_command(const ShowText& text, const Options& options);
[[nodiscard]] int perform_command(const RunCommand& run, const Options& options);
[[nodiscard]] int perform_command(const StatusCommand& status, const Options& options);
[[nodiscard]] int perform_command(const StopCommand& stop, const Options& options);
[[nodiscard]] int perform_command(const RestartCommand& restart, const Options& options);
[[nodiscard]] int perform_command(const UpgradeCommand& upgrade, const Options& options);
[[nodiscard]] int perform_command(const ScaleCommand& scale, const Options& options);
[[nodiscard]] int perform_command(const ReloadCommand& reload, const Options& options);
[[nodiscard]] int perform_command(const ModeCommand& mode, const Options& options);
[[nodiscard]] int perform_command(const LogsCommand& logs, const Options& options);
[[nodiscard]] int perform_command(const StaleCommand& stale, const Options& options);
[[nodiscard]] int perform_command(const ConfigCommand& config, const Options& options);
[[nodiscard]] int perform_command(const VersionCommand& version, const Options& options);
[[nodiscard]] int perform_command(const CallCommand& call, const Options& options);
[[nodiscard]] int perform_command(const WhatsAppCommand& whatsapp, const Options& options);
[[nodiscard]] int perform_command(const RecordsCommand& records, const Options& options);
[[nodiscard]] int perform_command(const SpeechCommand& speech, const Options& options);

}  // namespace agentlocator::cli
