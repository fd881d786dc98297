#include "common/config_table.hpp"

#include <algorithm>

#include "common/call_slab.hpp"
#include "common/text.hpp"

namespace agentlocator {
namespace {

using std::chrono::milliseconds;

std::function<std::string(const SettingFacts&)> constant(std::string text) {
    return [text = std::move(text)](const SettingFacts&) { return text; };
}

template <class T>
SettingRow integer(std::string_view name, T Settings::*member, T fallback, IntegerRange range, std::string_view help) {
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
SettingRow duration(std::string_view name, T Settings::*member, T fallback, IntegerRange range, std::string_view help) {
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

// A duration that is written in seconds, with a fraction: "0.12".
SettingRow seconds(std::string_view name, milliseconds Settings::*member, milliseconds fallback, milliseconds min,
                   milliseconds max, std::string_view help) {
    return {name,
            help,
            seconds_text(min) + "-" + seconds_text(max) + ", up to three decimals",
            constant(seconds_text(fallback)),
            [=](std::string_view text, const SettingFacts&, Settings& settings) {
                return read_seconds(text, min, max, settings.*member);
            },
            [=](const Settings& settings) { return seconds_text(settings.*member); }};
}

SettingRow boolean(std::string_view name, bool Settings::*member, bool fallback, std::string_view help) {
    return {name,
            help,
            "true, false",
            constant(fallback ? "true" : "false"),
            [=](std::string_view text, const SettingFacts&, Settings& settings) {
                return read_boolean(text, settings.*member);
            },
            [=](const Settings& settings) { return settings.*member ? "true" : "false"; }};
}

SettingRow path(std::string_view name, std::string Settings::*member,
                std::function<std::string(const SettingFacts&)> fallback, std::size_t bytes_max,
                std::string_view help) {
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

SettingRow token(std::string_view name, std::string Settings::*member, std::string_view prefix, bool secret,
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

void add_server_rows(std::vector<SettingRow>& rows) {
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
    // Old and new generation live side by side during a rolling restart.
    SettingRow workers = integer<std::uint32_t>("WORKERS", &Settings::workers, 2, {1, 128},
                                                "Worker processes. Default: one for each core, at least 2.");
    static_assert(2 * 128 <= worker_entries_max);
    workers.fallback = [](const SettingFacts& facts) { return std::to_string(std::clamp(facts.cores, 2U, 128U)); };
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
    SettingRow calls =
        integer<std::uint32_t>("MAX_CONCURRENT_CALLS", &Settings::max_concurrent_calls, 0, {0, call_slots_max},
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

void add_twilio_rows(std::vector<SettingRow>& rows) {
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

void add_voice_rows(std::vector<SettingRow>& rows) {
    rows.push_back(integer<std::uint32_t>("VAD_RMS", &Settings::vad_rms, 104, {10, 10'000},
                                          "Fainter than this RMS of 16-bit samples is no voice; above it the "
                                          "detector follows the line's noise."));
    rows.push_back(duration("VAD_HANGOVER_MS", &Settings::vad_hangover, milliseconds(500), {100, 5000},
                            "Silence that ends the caller's utterance."));
    rows.push_back(seconds("MIN_UTT_SEC", &Settings::min_utterance, milliseconds(120), milliseconds(20),
                           milliseconds(2000), "Less voice than this is a click, not an utterance."));
    rows.push_back(seconds("MAX_UTT_SEC", &Settings::max_utterance, milliseconds(15'000), milliseconds(1000),
                           milliseconds(55'000), "A longer utterance is answered in parts."));
    rows.push_back(boolean("BARGE_IN", &Settings::barge_in, true, "The caller may interrupt the agent by voice."));
    rows.push_back(integer<std::uint32_t>("BARGE_IN_VOICE_FRAMES", &Settings::barge_in_voice_frames, 5, {1, 20},
                                          "So many voice frames of 20 ms (of 8 for each 5) stop the agent."));
    rows.push_back(integer<std::uint32_t>("BARGE_IN_RAISE_DB", &Settings::barge_in_raise_db, 3, {0, 30},
                                          "Louder by this than otherwise, while the agent speaks (line echo)."));
    rows.push_back(duration("BARGE_IN_GRACE_MS", &Settings::barge_in_grace, milliseconds(600), {0, 10'000},
                            "The agent is not stopped this soon after it began."));
    rows.push_back(duration("BACKCHANNEL_MS", &Settings::backchannel, milliseconds(500), {0, 5000},
                            "Less voice than this over the agent is a \"mm-hm\": it goes on. 0: always a turn."));
    rows.push_back(duration("REPLY_REFRACTORY_MS", &Settings::reply_refractory, milliseconds(750), {0, 10'000},
                            "After the agent spoke, the caller must still be as clear as for an interruption."));
    rows.push_back(duration("THINKING_HINT_MS", &Settings::thinking_hint, milliseconds(0), {0, 60'000},
                            "Without an answer for so long the agent says THINKING_TEXT_HE. 0: never."));
    rows.push_back(duration("AGENT_MUTE_MS", &Settings::agent_mute, milliseconds(8000), {500, 60'000},
                            "Without a sign of the agent for so long a recorded apology speaks."));
    rows.push_back(duration("SILENCE_PROMPT_MS", &Settings::silence_prompt, milliseconds(6000), {1000, 120'000},
                            "The caller says nothing for so long: the agent asks again."));
    rows.push_back(seconds("MAX_CALL_SEC", &Settings::max_call, milliseconds(1'800'000), milliseconds(0),
                           milliseconds(86'400'000), "After this the agent says farewell. 0: no limit."));
}

void add_bridge_rows(std::vector<SettingRow>& rows) {
    const auto count = [&](std::string_view name, std::uint32_t Settings::*member, std::uint32_t fallback,
                           IntegerRange range, std::string_view help) {
        rows.push_back(integer<std::uint32_t>(name, member, fallback, range, help));
    };
    // The same defaults and ranges as baileys-bridge/lib/settings.js, which serves whoever starts the bridge by hand.
    count("BAILEYS_SENDS_PER_MINUTE", &Settings::bridge_sends_per_minute, 30, {1, 1'000'000},
          "WhatsApp messages sent in a minute, all chats together.");
    count("BAILEYS_CHAT_SENDS_PER_MINUTE", &Settings::bridge_chat_sends_per_minute, 12, {1, 1'000'000},
          "WhatsApp messages sent in a minute to one chat.");
    count("BAILEYS_NEW_CHATS_PER_DAY", &Settings::bridge_new_chats_per_day, 15, {0, 1'000'000},
          "WhatsApp chats begun by us in a day. More is what accounts are blocked for.");
    count("BAILEYS_MEDIA_MB_MAX", &Settings::bridge_media_mb_max, 64, {1, 2048},
          "Largest file taken from a WhatsApp message, in MiB.");
    count("BAILEYS_DATABASE_MB_MAX", &Settings::bridge_database_mb_max, 4096, {1, 1'000'000},
          "Largest size of the bridge's file, in MiB; at it nothing is accepted or lost, and WhatsApp waits.");
    count("BAILEYS_RETENTION_DAYS", &Settings::bridge_retention_days, 14, {1, 3650},
          "Days the bridge keeps what was handed over: messages, files, keys of sent ones.");
    rows.push_back(token("BAILEYS_WA_VERSION", &Settings::bridge_wa_version, "", false,
                         "WhatsApp Web's version we claim, as in 2.3000.1043857760, when the built-in one is refused "
                         "(link state reason client_version_refused)."));
}

void add_store_rows(std::vector<SettingRow>& rows) {
    SettingRow database = token("DATABASE_URL", &Settings::database_url, "", true,
                                "Where calls, leads and messages are kept. Empty: SQLite, agentlocator.db in the data "
                                "folder.");
    database.valid = "sqlite:///PATH, postgresql://..., postgres://...";
    rows.push_back(std::move(database));
    rows.push_back(integer<std::uint64_t>("STORE_SPOOL_BYTES_MAX", &Settings::spool_bytes_max, 268'435'456,
                                          {1'048'576, 1'099'511'627'776},
                                          "What a worker keeps on disk for a database that is absent."));
    rows.push_back(integer<std::uint32_t>("RETENTION_DAYS", &Settings::retention_days, 7, {0, 3650},
                                          "Transcripts and recordings are deleted after so many days. 0: never."));
    rows.push_back(token("ADMIN_TOKEN", &Settings::admin_token, "", true,
                         "Opens /api. Empty: made at the first start, kept in the data folder (admin-token)."));
    rows.push_back({"WHATSAPP_PROVIDER", "Who sends WhatsApp messages where a request names nobody.",
                    "auto, baileys, twilio", constant("auto"),
                    [](std::string_view text, const SettingFacts&, Settings& settings) -> SettingProblem {
                        if (text != "auto" && text != "baileys" && text != "twilio") {
                            return "not a provider";
                        }
                        settings.whatsapp_provider = text;
                        return std::nullopt;
                    },
                    [](const Settings& settings) { return settings.whatsapp_provider; }});
    rows.push_back(boolean("WHATSAPP_ANSWERS", &Settings::whatsapp_answers, true,
                           "The agent answers WhatsApp messages. false: they are only stored."));
    rows.push_back(token("TWILIO_WHATSAPP_NUMBER", &Settings::twilio_whatsapp_number, "", false,
                         "Number to send WhatsApp messages from through Twilio, +972... or whatsapp:+972..."));
}

void add_supervisor_rows(std::vector<SettingRow>& rows) {
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
    rows.push_back({"BAILEYS_SECRET",
                    "What workers show the bridge. Empty: made at the first start, kept in the data folder "
                    "(bridge-secret).",
                    "16-256 letters, digits and signs without blanks", constant(""),
                    [](std::string_view text, const SettingFacts&, Settings& settings) -> SettingProblem {
                        if (!text.empty() && (text.size() < 16 || text.size() > 256)) {
                            return "not 16-256 characters long";
                        }
                        return read_token(text, settings.bridge_secret);
                    },
                    [](const Settings& settings) { return settings.bridge_secret; }, true});
    add_bridge_rows(rows);
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

}  // namespace

const std::vector<SettingRow>& setting_table() {
    static const std::vector<SettingRow> rows = [] {
        std::vector<SettingRow> all;
        add_server_rows(all);
        add_twilio_rows(all);
        add_store_rows(all);
        add_payment_rows(all);
        add_agent_rows(all);
        add_provider_rows(all);
        add_voice_rows(all);
        add_embedded_rows(all);
        add_supervisor_rows(all);
        return all;
    }();
    return rows;
}

}  // namespace agentlocator
