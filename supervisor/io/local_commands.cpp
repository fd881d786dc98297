// Commands that look at this machine and this installation.
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <nlohmann/json.hpp>

#include "supervisor/config_text.hpp"
#include "supervisor/io/build_id.hpp"
#include "supervisor/io/command_context.hpp"
#include "supervisor/io/instance_lock.hpp"
#include "supervisor/io/process_table.hpp"
#include "supervisor/io/stale_cleanup.hpp"
#include "supervisor/io/terminal.hpp"

namespace agentlocator::cli {
namespace {

using Json = nlohmann::json;

Json to_json(const StaleVerdict& verdict) {
    const ProcessView& process = verdict.process;
    return {{"pid", process.pid},
            {"start_ticks", process.start_ticks},
            {"started_at", process.pid == 0 ? "" : started_at(process.start_ticks)},
            {"user", user_name(process.uid)},
            {"command", process.pid == 0 ? "" : command_text(process)},
            {"cwd", process.cwd},
            {"action", verdict.stop ? "stop" : "leave"},
            {"reason", to_string(verdict.reason)},
            {"detail", verdict.detail},
            {"remedy", verdict.remedy}};
}

int list_stale(const StaleScope& scope, bool json) {
    const auto verdicts = classify_stale(take_snapshot(scope), scope);
    if (json) {
        Json list = Json::array();
        for (const StaleVerdict& verdict : verdicts) {
            list.push_back(to_json(verdict));
        }
        return show(list.dump(2, ' ', false, Json::error_handler_t::replace) + "\n");
    }
    std::string text;
    for (const StaleVerdict& verdict : verdicts) {
        // A start asks workers and bridge to go on with it, and ends those that do not.
        const char* const what = !verdict.stop                                   ? "leaves     "
                                 : verdict.reason == StaleReason::recorded_child ? "adopts     "
                                                                                 : "would end  ";
        text += what + harmless(describe(verdict)) + "\n";
    }
    return show(text.empty() ? "nothing stale\n" : text);
}

int show_running_config(const Context& context, bool json) {
    const auto answer = context.client.ask("GET", "/config");
    if (!answer) {
        return fail(answer.error());
    }
    const Json document = Json::parse(answer->body, nullptr, false);
    const Json& rows = document.is_object() && document.contains("settings") ? document["settings"] : document;
    if (answer->status != 200 || !rows.is_array()) {
        return fail(refusal_text(answer->body), ExitCode::failed);
    }
    if (json) {
        return show(answer->body + "\n");
    }
    std::vector<std::vector<std::string>> cells;
    for (const Json& row : rows) {
        const auto cell = [&](const char* key) {
            const auto found = row.is_object() ? row.find(key) : row.end();
            const bool text = found != row.end() && found->is_string();
            return text && !found->get_ref<const std::string&>().empty() ? harmless(found->get<std::string>()) : "-";
        };
        cells.push_back({cell("name"), cell("value"), cell("source")});
    }
    std::string text;
    for (const std::string& line : render_table({{"SETTING"}, {"VALUE"}, {"SOURCE", 1}}, cells, output_style().width)) {
        text += line + "\n";
    }
    return show(text);
}

}  // namespace

int perform_command(const StaleCommand& stale, const Options& options) {
    const Context context = load_context(options);
    const Settings& settings = context.settings();
    if (settings.port == 0 || settings.runtime_dir.empty()) {
        return fail(context.loaded.parsed.faults.front().detail, ExitCode::bad_config);
    }
    const StaleScope scope = make_stale_scope(settings, context.facts.installation_root,
                                              read_lock_record(settings.lock_path), stale.takeover);
    if (!stale.kill) {
        return list_stale(scope, stale.json);
    }
    const auto report = [](const std::string& line) { warn(line); };
    const auto cleanup = clear_stale(scope, settings.term_timeout, report);
    if (!cleanup) {
        return fail(cleanup.error().detail, ExitCode::failed);
    }
    if (stale.json) {
        Json document{{"stopped", Json::array()}, {"remaining", Json::array()}};
        for (const StaleVerdict& verdict : cleanup->stopped) {
            document["stopped"].push_back(to_json(verdict));
        }
        for (const StaleVerdict& verdict : cleanup->remaining) {
            document["remaining"].push_back(to_json(verdict));
        }
        (void)show(document.dump(2, ' ', false, Json::error_handler_t::replace) + "\n");
    } else {
        (void)show("ended " + std::to_string(cleanup->stopped.size()) + " processes\n");
    }
    for (const StaleVerdict& verdict : cleanup->remaining) {
        warn(describe(verdict));
    }
    return to_int(cleanup->remaining.empty() ? ExitCode::ok : ExitCode::temporary);
}

int perform_command(const ConfigCommand& config, const Options& options) {
    if (config.markdown) {
        return show(settings_markdown());
    }
    const Context context = load_context(options);
    if (config.running) {
        return show_running_config(context, config.json);
    }
    const ParsedSettings& parsed = context.loaded.parsed;
    (void)show(config.json ? settings_json(parsed) : settings_text(parsed, output_style()));
    for (const std::string& warning : parsed.warnings) {
        warn(warning);
    }
    for (const SettingFault& fault : parsed.faults) {
        warn(fault.detail);
    }
    return to_int(parsed.faults.empty() ? ExitCode::ok : ExitCode::bad_config);
}

int perform_command(const VersionCommand& version, const Options& options) {
    const Context context = load_context(options);
    const auto answer = context.client.ask("GET", "/version");
    const Json running = answer && answer->status == 200 ? Json::parse(answer->body, nullptr, false) : Json();
    if (version.json) {
        const BuildLayout layout = own_layout();
        const Json document{{"version", AGENTLOCATOR_VERSION},
                            {"build", build_id()},
                            {"slab_layout", layout.slab},
                            {"memory_layout", layout.memory},
                            {"snapshot_version", layout.snapshot_version},
                            {"running", running.is_object() ? running : Json()}};
        return show(document.dump(2, ' ', false, Json::error_handler_t::replace) + "\n");
    }
    std::string text = std::string("agentlocator ") + AGENTLOCATOR_VERSION + "\n";
    if (running.is_object()) {
        const auto field = [&](const char* key) {
            const auto found = running.find(key);
            return found != running.end() && found->is_string() ? harmless(found->get<std::string>()) : "-";
        };
        text += "running: " + field("version") + " (" + field("build") + "), instance " + field("instance") + "\n";
        if (field("version") != AGENTLOCATOR_VERSION) {
            text += "what runs is another version; `agentlocator upgrade` changes that without ending a call\n";
        }
    } else {
        text += "running: nothing\n";
    }
    return show(text);
}

namespace {

// Never returns when it succeeds.
int become(std::vector<std::string> words, const std::vector<std::string>& arguments,
           std::vector<std::string> environment) {
    const std::string path = words.front();
    words.insert(words.end(), arguments.begin(), arguments.end());
    std::vector<char*> argv;
    for (std::string& word : words) {
        argv.push_back(word.data());
    }
    argv.push_back(nullptr);
    std::vector<char*> envp;
    for (std::string& entry : environment) {
        envp.push_back(entry.data());
    }
    envp.push_back(nullptr);
    ::execve(path.c_str(), argv.data(), envp.data());
    return fail(path + ": " + std::strerror(errno) +
                    "; it is built and installed beside `agentlocator`: build again, or install the whole folder",
                ExitCode::exec_failed);
}

std::vector<std::string> own_environment() {
    std::vector<std::string> entries;
    for (char** entry = environ; *entry != nullptr; ++entry) {
        entries.emplace_back(*entry);
    }
    return entries;
}

}  // namespace

int perform_command(const CallCommand& call, const Options&) {
    return become({executable_folder() + "/" + call.program}, call.arguments, own_environment());
}

// The launcher knows where Node and the bridge's folder are; the settings say where the bridge listens.
int perform_command(const WhatsAppCommand& whatsapp, const Options& options) {
    const Context context = load_context(options);
    if (!context.loaded.parsed.faults.empty()) {
        return fail(context.loaded.parsed.faults.front().detail, ExitCode::bad_config);
    }
    const auto& known = setting_names();
    std::vector<std::string> environment = own_environment();
    std::erase_if(environment, [&](const std::string& entry) {
        return std::find(known.begin(), known.end(), std::string_view(entry).substr(0, entry.find('='))) != known.end();
    });
    for (std::string& entry : to_environment(context.loaded.parsed.settings)) {
        environment.push_back(std::move(entry));
    }
    return become({executable_folder() + "/agentlocator-bridge-launcher", "--operate"}, whatsapp.arguments,
                  std::move(environment));
}

int perform_command(const RecordsCommand& records, const Options&) {
    return become({executable_folder() + "/agentlocator-records"}, records.arguments, own_environment());
}

int perform_command(const SpeechCommand& speech, const Options&) {
    return become({executable_folder() + "/agentlocator-speech"}, speech.arguments, own_environment());
}

}  // namespace agentlocator::cli
