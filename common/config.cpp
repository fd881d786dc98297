#include "common/config.hpp"

#include <algorithm>
#include <functional>

#include "common/call_slab.hpp"
#include "common/log_line.hpp"
#include "common/setting_value.hpp"
#include "common/text.hpp"

namespace agentlocator {
namespace {

using std::chrono::milliseconds;

constexpr std::string_view masked = "********";

// One row of the table. `valid` and `help` end in `agentlocator config` and in docs/operations.md.
struct Row {
    std::string_view name;
    std::string_view help;
    std::string valid;
    std::function<std::string(const SettingFacts&)> fallback;
    std::function<SettingProblem(std::string_view, const SettingFacts&, Settings&)> read;
    std::function<std::string(const Settings&)> write;
    bool secret = false;
};

std::function<std::string(const SettingFacts&)> constant(std::string text) {
    return [text = std::move(text)](const SettingFacts&) { return text; };
}

template <class T>
Row integer(std::string_view name, T Settings::*member, T fallback, IntegerRange range, std::string_view help) {
    return {name,
            help,
            std::to_string(range.min) + "-" + std::to_string(range.max),
            constant(std::to_string(fallback)),
            [=](std::string_view text, const SettingFacts&, Settings& settings) {
                std::uint64_t value = 0;
                auto problem = read_integer(text, range, value);
                if (!problem) {
                    settings.*member = static_cast<T>(value);
                }
                return problem;
            },
            [=](const Settings& settings) { return std::to_string(settings.*member); }};
}

template <class T>
Row duration(std::string_view name, T Settings::*member, T fallback, IntegerRange range, std::string_view help) {
    return {name,
            help,
            std::to_string(range.min) + "-" + std::to_string(range.max),
            constant(std::to_string(fallback.count())),
            [=](std::string_view text, const SettingFacts&, Settings& settings) {
                std::uint64_t value = 0;
                auto problem = read_integer(text, range, value);
                if (!problem) {
                    settings.*member = T(static_cast<typename T::rep>(value));
                }
                return problem;
            },
            [=](const Settings& settings) { return std::to_string((settings.*member).count()); }};
}

Row boolean(std::string_view name, bool Settings::*member, bool fallback, std::string_view help) {
    return {name,
            help,
            "true, false",
            constant(fallback ? "true" : "false"),
            [=](std::string_view text, const SettingFacts&, Settings& settings) {
                return read_boolean(text, settings.*member);
            },
            [=](const Settings& settings) { return settings.*member ? "true" : "false"; }};
}

Row path(std::string_view name, std::string Settings::*member, std::function<std::string(const SettingFacts&)> fallback,
         std::size_t bytes_max, std::string_view help) {
    return {name,
            help,
            "a path of at most " + std::to_string(bytes_max) + " bytes",
            std::move(fallback),
            [=](std::string_view text, const SettingFacts& facts, Settings& settings) -> SettingProblem {
                std::string value;
                if (auto problem = text.empty() ? SettingProblem{} : read_path(text, facts.installation_root, value)) {
                    return problem;
                }
                if (value.size() > bytes_max) {
                    return "longer than " + std::to_string(bytes_max) + " bytes";
                }
                settings.*member = std::move(value);
                return std::nullopt;
            },
            [=](const Settings& settings) { return settings.*member; }};
}

Row token(std::string_view name, std::string Settings::*member, std::string_view prefix, bool secret,
          std::string_view help) {
    return {name,
            help,
            prefix.empty() ? "letters, digits and signs without blanks" : "begins with " + std::string(prefix),
            constant(""),
            [=](std::string_view text, const SettingFacts&, Settings& settings) -> SettingProblem {
                if (!text.starts_with(prefix) && !text.empty()) {
                    return "does not begin with " + std::string(prefix);
                }
                return read_token(text, settings.*member);
            },
            [=](const Settings& settings) { return settings.*member; },
            secret};
}

// The control socket's name must fit into an address (unix(7)), and its folder is all we can choose.
constexpr std::size_t runtime_dir_bytes_max = control_path_bytes_max - std::string_view("/control.sock").size();

std::string default_runtime_dir(const SettingFacts& facts) {
    // XDG base directory specification: a relative value is to be ignored.
    return facts.xdg_runtime_dir.starts_with('/') ? facts.xdg_runtime_dir + "/agentlocator"
                                                  : "/tmp/agentlocator-" + std::to_string(facts.user_id);
}

std::string default_data_dir(const SettingFacts& facts) {
    if (facts.xdg_state_home.starts_with('/')) {
        return facts.xdg_state_home + "/agentlocator";
    }
    if (facts.home.starts_with('/') && facts.home != "/") {
        return facts.home + "/.local/state/agentlocator";
    }
    return facts.installation_root.empty() ? "/var/tmp/agentlocator-" + std::to_string(facts.user_id)
                                           : facts.installation_root + "/data";
}

void add_server_rows(std::vector<Row>& rows) {
    rows.push_back({"PUBLIC_BASE_URL",
                    "Where Twilio reaches us. Empty: taken from each request (forwarded headers, then Host).",
                    "https://host[:port][/path], no query", constant(""),
                    [](std::string_view text, const SettingFacts&, Settings& settings) {
                        return text.empty() ? SettingProblem{} : read_base_url(text, settings.public_base_url);
                    },
                    [](const Settings& settings) { return settings.public_base_url; }});
    rows.push_back({"BIND_ADDRESS", "Address to listen on. 0.0.0.0: every IPv4 network; ::: every network.",
                    "a numeric IPv4 or IPv6 address", constant("127.0.0.1"),
                    [](std::string_view text, const SettingFacts&, Settings& settings) {
                        return read_address(text, settings.bind_address);
                    },
                    [](const Settings& settings) { return settings.bind_address; }});
    rows.push_back(integer<std::uint16_t>("PORT", &Settings::port, 5000, {1, 65535}, "TCP port of the call server."));
    // Old and new generation live side by side during a rolling restart, plus some that drain: 2 x 120 <= 256.
    Row workers = integer<std::uint32_t>("WORKERS", &Settings::workers, 2, {1, 120},
                                         "Worker processes. Default: one for each core, at least 2.");
    static_assert(2 * 120 <= worker_entries_max);
    workers.fallback = [](const SettingFacts& facts) { return std::to_string(std::clamp(facts.cores, 2U, 120U)); };
    rows.push_back(std::move(workers));
    rows.push_back({"WS_MODE", "What a stream does with the caller's audio. ECHO and SINK are for tests only.",
                    std::string(ws_mode_values) + " (any case)", constant("AI"),
                    [](std::string_view text, const SettingFacts&, Settings& settings) -> SettingProblem {
                        const auto mode = parse_ws_mode(text);
                        if (!mode) {
                            return "not a mode";
                        }
                        settings.ws_mode = *mode;
                        return std::nullopt;
                    },
                    [](const Settings& settings) { return std::string(to_string(settings.ws_mode)); }});
    rows.push_back(boolean("HEBREW_REALTIME_ENABLED", &Settings::hebrew_realtime_enabled, true,
                           "Hebrew conversation in AI mode."));
    Row calls = integer<std::uint32_t>("MAX_CONCURRENT_CALLS", &Settings::max_concurrent_calls, 0, {0, call_slots_max},
                                       "Live calls at once; more hear an apology. 0: as many as fit.");
    calls.valid += ", none, unlimited";
    calls.read = [read = calls.read](std::string_view text, const SettingFacts& facts, Settings& settings) {
        const bool unlimited = equal_no_case(text, "none") || equal_no_case(text, "unlimited");
        return read(unlimited ? "0" : text, facts, settings);
    };
    rows.push_back(std::move(calls));
    rows.push_back(duration("MEDIA_TICK_US", &Settings::media_tick, std::chrono::microseconds(2000), {0, 20'000},
                            "Pause between looks at the sockets, microseconds. 0: look at once, costs more CPU."));
    rows.push_back(integer<std::uint32_t>("HTTP_CONNECTIONS_MAX", &Settings::connections_max, 4096, {16, 65'536},
                                          "HTTP connections of one worker; calls are counted apart."));
    rows.push_back(duration("HTTP_HEADER_TIMEOUT_MS", &Settings::header_timeout, milliseconds(10'000), {100, 120'000},
                            "A request's header must be complete by then."));
    rows.push_back(duration("HTTP_IDLE_TIMEOUT_MS", &Settings::idle_timeout, milliseconds(60'000), {100, 3'600'000},
                            "An idle keep-alive connection is closed after this."));
    rows.push_back(duration("STREAM_TIMEOUT_MS", &Settings::stream_timeout, milliseconds(30'000), {1000, 600'000},
                            "A media stream without any message for this long is dead."));
}

void add_twilio_rows(std::vector<Row>& rows) {
    rows.push_back(token("TWILIO_ACCOUNT_SID", &Settings::twilio_account_sid, "AC", false, "Twilio account."));
    rows.push_back(token("TWILIO_AUTH_TOKEN", &Settings::twilio_auth_token, "", true,
                         "Twilio auth token. Set: signatures of webhooks are checked."));
    rows.push_back(token("TWILIO_AUTH_TOKEN_SECONDARY", &Settings::twilio_auth_token_old, "", true,
                         "Accepted too, while the token is being rotated."));
    rows.push_back(boolean("VALIDATE_TWILIO_SIGNATURE", &Settings::validate_twilio_signature, true,
                           "Check signatures when a token is set. false is for development only."));
    rows.push_back({"TRUSTED_PROXIES", "Proxies whose X-Forwarded-* headers count.",
                    "up to " + std::to_string(trusted_proxies_max) +
                        " numeric addresses or the word private (private ranges), commas between; or none",
                    constant(std::string(private_networks)),
                    [](std::string_view text, const SettingFacts&, Settings& settings) {
                        return read_address_list(text, settings.trusted_proxies);
                    },
                    [](const Settings& settings) {
                        std::string list;
                        for (const auto& address : settings.trusted_proxies) {
                            list += (list.empty() ? "" : ",") + address;
                        }
                        return list.empty() ? "none" : list;
                    }});
    rows.push_back(path("AI_GREETING_FILE", &Settings::greeting_file, constant(""), setting_bytes_max,
                        "WAV or raw mu-law greeting. Empty: the shipped one."));
}

void add_supervisor_rows(std::vector<Row>& rows) {
    rows.push_back(duration("DRAIN_TIMEOUT_MS", &Settings::drain_timeout, milliseconds(30'000), {0, 7'200'000},
                            "At stop, live calls may finish for this long."));
    rows.push_back(duration("TERM_TIMEOUT_MS", &Settings::term_timeout, milliseconds(5000), {100, 600'000},
                            "From SIGTERM to SIGKILL for a process that should end."));
    rows.push_back(duration("HANG_TIMEOUT_MS", &Settings::hang_timeout, milliseconds(2000), {500, 600'000},
                            "A heartbeat older than this is a hang; the worker is replaced."));
    rows.push_back(duration("ORPHAN_GRACE_MS", &Settings::orphan_grace, milliseconds(60'000), {0, 3'600'000},
                            "Workers wait this long for a new supervisor."));
    rows.push_back(integer<std::uint32_t>("CRASH_LIMIT", &Settings::crash_limit, 5, {1, 1000},
                                          "So many crashes within CRASH_WINDOW_MS hold a slot open."));
    rows.push_back(duration("CRASH_WINDOW_MS", &Settings::crash_window, milliseconds(60'000), {1000, 86'400'000},
                            "Period in which crashes are counted."));
    rows.push_back(path(
        "BRIDGE_DIR", &Settings::bridge_dir,
        [](const SettingFacts& facts) {
            return facts.installation_root.empty() ? std::string() : facts.installation_root + "/baileys-bridge";
        },
        setting_bytes_max, "Folder of the WhatsApp bridge."));
    rows.push_back(integer<std::uint16_t>("BAILEYS_PORT", &Settings::bridge_port, 4001, {1, 65535},
                                          "Port of the WhatsApp bridge."));
    rows.push_back(boolean("ENABLE_WA_BAILEYS", &Settings::bridge_enabled, true, "Run the WhatsApp bridge."));
    rows.push_back(path("AGENTLOCATOR_LOCK", &Settings::lock_path, constant("/tmp/agentlocator.lock"),
                        setting_bytes_max, "Lock file: one supervisor for each."));
    rows.push_back(path("AGENTLOCATOR_RUNTIME_DIR", &Settings::runtime_dir, default_runtime_dir, runtime_dir_bytes_max,
                        "Control socket and records of children. Default: $XDG_RUNTIME_DIR/agentlocator or "
                        "/tmp/agentlocator-<uid>."));
    rows.push_back(path("AGENTLOCATOR_DATA_DIR", &Settings::data_dir, default_data_dir, setting_bytes_max,
                        "Logs and stored data. Default: $XDG_STATE_HOME/agentlocator, "
                        "~/.local/state/agentlocator or data/ of the installation."));
    rows.push_back(integer<std::uint64_t>("LOG_BYTES_MAX", &Settings::log_bytes_max, 10'485'760,
                                          {65'536, 10'737'418'240}, "A log file is rotated at this size."));
    rows.push_back(integer<std::uint32_t>("LOG_FILES", &Settings::log_files, 5, {1, 100},
                                          "Log files kept for each process, the current one included."));
}

const std::vector<Row>& table() {
    static const std::vector<Row> rows = [] {
        std::vector<Row> all;
        add_server_rows(all);
        add_twilio_rows(all);
        add_supervisor_rows(all);
        return all;
    }();
    return rows;
}

// A name of the original system that still works. The value is translated into the present one.
struct OldName {
    std::string_view name;
    std::string_view present;
    std::string (*translate)(std::string_view value);
};

const OldName old_names[] = {
    {"PUBLIC_HOST", "PUBLIC_BASE_URL",
     [](std::string_view value) {  // Was a URL or a bare host, which made URLs without a scheme.
         return (value.find("://") == std::string_view::npos ? "https://" : "") + std::string(value);
     }},
    {"MAX_ACTIVE_CALLS", "MAX_CONCURRENT_CALLS", [](std::string_view value) { return std::string(value); }},
    {"WA_BAILEYS_PORT", "BAILEYS_PORT", [](std::string_view value) { return std::string(value); }},
    {"SKIP_BAILEYS", "ENABLE_WA_BAILEYS",
     [](std::string_view value) {
         bool skip = false;
         return read_boolean(value, skip) ? std::string(value) : std::string(skip ? "false" : "true");
     }},
};

// Switches of the original system that do nothing here, and what to use instead.
struct Ignored {
    std::string_view name;
    std::string_view value;  // Only this value meant something.
    std::string_view remedy;
};

constexpr Ignored ignored_names[] = {
    {"FLASK_ENV", "development", "signatures stay checked; for development set VALIDATE_TWILIO_SIGNATURE=false"},
    {"ECHO_TEST", "1", "set WS_MODE=ECHO, or run `agentlocator mode ECHO --for 10m`"},
};

std::string shown(const Row& row, std::string_view value) {
    constexpr std::size_t shown_bytes_max = 120;  // Enough to recognise the value; a fault stays one line.
    if (value.empty()) {
        return {};
    }
    if (row.secret) {
        return std::string(masked);
    }
    const bool cut = value.size() > shown_bytes_max;
    return log_value(value.substr(0, shown_bytes_max)) + (cut ? "..." : "");
}

// The value that counts for a row, and the name it came by.
struct Candidate {
    std::string value;
    SettingSource source = SettingSource::fallback;
    std::string_view old_name;  // Empty: by its present name.
};

const SettingInput* find_set(const SettingInputs& inputs, std::string_view name) {
    const auto found = inputs.find(name);
    // A variable that is present and empty means "not set": platforms and compose files cannot leave one out.
    return found == inputs.end() || trim(found->second.value).empty() ? nullptr : &found->second;
}

Candidate choose(const Row& row, const SettingInputs& inputs, const SettingFacts& facts,
                 std::vector<std::string>& warnings) {
    Candidate chosen{row.fallback(facts), SettingSource::fallback, {}};
    const SettingInput* present = find_set(inputs, row.name);
    if (present != nullptr) {
        chosen = {std::string(trim(present->value)), present->source, {}};
    }
    for (const OldName& old : old_names) {
        const SettingInput* input = old.present == row.name ? find_set(inputs, old.name) : nullptr;
        if (input == nullptr) {
            continue;
        }
        const std::string where = std::string(old.name) + " (" + std::string(to_string(input->source)) + ")";
        if (present != nullptr) {
            warnings.push_back(where + " is ignored because " + std::string(row.name) + " is set; delete it");
        } else {
            chosen = {old.translate(trim(input->value)), input->source, old.name};
            warnings.push_back(where + " is an old name; set " + std::string(row.name) + "=" +
                               shown(row, chosen.value) + " instead");
        }
    }
    return chosen;
}

std::string fault_text(const Row& row, const Candidate& candidate, std::string_view problem) {
    std::string text = std::string(row.name) + "=" + shown(row, candidate.value) + " (";
    text += to_string(candidate.source);
    if (!candidate.old_name.empty()) {
        text += ", from " + std::string(candidate.old_name);
    }
    return text + "): " + std::string(problem) + "; valid: " + row.valid;
}

bool is_known(std::string_view name) {
    const auto& names = setting_names();
    return std::find(names.begin(), names.end(), name) != names.end();
}

// A settings file is ours, so a name in it that almost is one of ours was mistyped. The environment is everybody's.
void warn_of_typing_errors(const SettingInputs& inputs, std::vector<std::string>& warnings) {
    for (const auto& [name, input] : inputs) {
        if (input.source == SettingSource::environment || is_known(name)) {
            continue;
        }
        for (const Row& row : table()) {
            const std::size_t distance_max = row.name.size() < 6 ? 1 : 2;
            if (edit_distance(name, row.name) <= distance_max) {
                warnings.push_back(name + " (" + std::string(to_string(input.source)) +
                                   ") is not a setting; did you mean " + std::string(row.name) + "?");
                break;
            }
        }
    }
}

void check_together(const Settings& settings, const SettingInputs& inputs, ParsedSettings& out) {
    if (settings.bridge_enabled && settings.port == settings.bridge_port) {
        out.faults.push_back({"BAILEYS_PORT", "BAILEYS_PORT=" + std::to_string(settings.bridge_port) +
                                                  ": the call server's PORT is the same; valid: any other port"});
    }
    for (const Ignored& ignored : ignored_names) {
        const SettingInput* input = find_set(inputs, ignored.name);
        if (input != nullptr && equal_no_case(trim(input->value), ignored.value)) {
            out.warnings.push_back(std::string(ignored.name) + "=" + std::string(ignored.value) + " (" +
                                   std::string(to_string(input->source)) +
                                   ") does nothing: " + std::string(ignored.remedy));
        }
    }
    const std::string_view base_url = settings.public_base_url;
    const bool local = base_url.starts_with("http://127.") || base_url.starts_with("http://localhost") ||
                       base_url.starts_with("http://[::1]");
    if (base_url.starts_with("http://") && !local) {
        out.warnings.push_back(
            "PUBLIC_BASE_URL begins with http://: Twilio connects streams by wss only; use https://");
    }
    if (!settings.twilio_auth_token_old.empty() && settings.twilio_auth_token.empty()) {
        out.warnings.push_back(
            "TWILIO_AUTH_TOKEN_SECONDARY is set without TWILIO_AUTH_TOKEN: signatures are not checked; set both");
    }
    if (!settings.twilio_auth_token.empty() && !settings.validate_twilio_signature) {
        out.warnings.push_back(
            "VALIDATE_TWILIO_SIGNATURE=false: anybody can send webhooks; use it in development only");
    }
}

}  // namespace

std::string_view to_string(SettingSource source) {
    switch (source) {
        case SettingSource::fallback:
            return "default";
        case SettingSource::file:
            return "file";
        case SettingSource::environment:
            return "environment";
        case SettingSource::flag:
            return "flag";
    }
    return "unknown";
}

ParsedSettings parse_settings(const SettingInputs& inputs, const SettingFacts& facts) {
    ParsedSettings out;
    for (const Row& row : table()) {
        const Candidate candidate = choose(row, inputs, facts, out.warnings);
        SettingProblem problem;
        if (candidate.value.size() > setting_bytes_max) {
            problem = "longer than " + std::to_string(setting_bytes_max) + " bytes";
        } else {
            problem = row.read(candidate.value, facts, out.settings);
        }
        if (problem) {
            out.faults.push_back({std::string(row.name), fault_text(row, candidate, *problem)});
        }
        const std::string value = problem ? candidate.value : row.write(out.settings);
        out.view.push_back({row.name, row.secret && !value.empty() ? std::string(masked) : value, candidate.source,
                            row.help, row.valid});
    }
    check_together(out.settings, inputs, out);
    warn_of_typing_errors(inputs, out.warnings);
    return out;
}

std::vector<std::string> to_environment(const Settings& settings) {
    std::vector<std::string> environment;
    for (const Row& row : table()) {
        environment.push_back(std::string(row.name) + "=" + row.write(settings));
    }
    return environment;
}

const std::vector<std::string_view>& setting_names() {
    static const std::vector<std::string_view> names = [] {
        std::vector<std::string_view> all;
        for (const Row& row : table()) {
            all.push_back(row.name);
        }
        for (const OldName& old : old_names) {
            all.push_back(old.name);
        }
        for (const Ignored& ignored : ignored_names) {
            all.push_back(ignored.name);
        }
        return all;
    }();
    return names;
}

}  // namespace agentlocator
