#pragma once
// Settings: text in (environment, settings file, flags), a validated struct out. Pure: the shell reads the sources.
// One table (config.cpp) names every setting with its kind, default, range and help; `agentlocator config` prints it.
// All faults are reported together; each names the setting, the value, where it came from and what is valid.
#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/agent_settings.hpp"
#include "common/payment_settings.hpp"
#include "common/provider_settings.hpp"
#include "common/speech_settings.hpp"
#include "common/ws_mode.hpp"

namespace agentlocator {

// The entry of TRUSTED_PROXIES that stands for every peer in a loopback, private or link-local range.
inline constexpr std::string_view private_networks = "private";

struct Settings {
    // Server
    std::string public_base_url;                 // PUBLIC_BASE_URL, trailing slash removed; empty: from the request.
    std::string bind_address;                    // BIND_ADDRESS, numeric. Loopback unless told otherwise.
    std::uint16_t port = 0;                      // PORT (5000).
    std::uint32_t workers = 0;                   // WORKERS; default: number of cores, at least 2.
    WsMode ws_mode = WsMode::ai;                 // WS_MODE
    bool hebrew_realtime_enabled = true;         // HEBREW_REALTIME_ENABLED
    std::uint32_t max_concurrent_calls = 0;      // MAX_CONCURRENT_CALLS; 0: as many as the slab holds.
    std::chrono::microseconds media_tick{};      // MEDIA_TICK_US (2000); 0: look at sockets at once.
    std::uint32_t connections_max = 0;           // HTTP_CONNECTIONS_MAX a worker, waiting for a request.
    std::chrono::milliseconds header_timeout{};  // HTTP_HEADER_TIMEOUT_MS: slow-loris bound.
    std::chrono::milliseconds idle_timeout{};    // HTTP_IDLE_TIMEOUT_MS: keep-alive between requests.
    std::chrono::milliseconds stream_timeout{};  // STREAM_TIMEOUT_MS: no message from the peer: it is dead.
    // Twilio
    std::string twilio_account_sid;            // TWILIO_ACCOUNT_SID
    std::string twilio_auth_token;             // TWILIO_AUTH_TOKEN (secret). Set: signatures are checked.
    std::string twilio_auth_token_old;         // TWILIO_AUTH_TOKEN_SECONDARY (secret): accepted too, during rotation.
    bool validate_twilio_signature = true;     // VALIDATE_TWILIO_SIGNATURE
    std::vector<std::string> trusted_proxies;  // TRUSTED_PROXIES: whose X-Forwarded-* count (worker/base_url).
    // Store
    std::string database_url;           // DATABASE_URL (secret); empty: SQLite in the data folder.
    std::uint64_t spool_bytes_max = 0;  // STORE_SPOOL_BYTES_MAX of facts a worker keeps for an absent database.
    std::uint32_t retention_days = 0;   // RETENTION_DAYS of transcripts and recordings; 0: for ever.
    std::string admin_token;            // ADMIN_TOKEN (secret); empty: made at the first start.
    // WhatsApp
    std::string whatsapp_provider;       // WHATSAPP_PROVIDER: auto, baileys, twilio.
    std::string twilio_whatsapp_number;  // TWILIO_WHATSAPP_NUMBER: to send from through Twilio.
    bool whatsapp_answers = true;        // WHATSAPP_ANSWERS: the agent answers what people write.
    PaymentSettings payments;
    // Agent
    std::string greeting_file;  // AI_GREETING_FILE: WAV or raw mu-law; empty: the shipped greeting.
    AgentSettings agent;
    ProviderSettings providers;
    // Turn-taking (worker/voice)
    std::uint32_t vad_rms = 0;                     // VAD_RMS: below is no voice on any line.
    std::chrono::milliseconds vad_hangover{};      // VAD_HANGOVER_MS
    std::chrono::milliseconds min_utterance{};     // MIN_UTT_SEC, of voice
    std::chrono::milliseconds max_utterance{};     // MAX_UTT_SEC
    bool barge_in = true;                          // BARGE_IN
    std::uint32_t barge_in_voice_frames = 0;       // BARGE_IN_VOICE_FRAMES
    std::uint32_t barge_in_raise_db = 0;           // BARGE_IN_RAISE_DB
    std::chrono::milliseconds barge_in_grace{};    // BARGE_IN_GRACE_MS
    std::chrono::milliseconds backchannel{};       // BACKCHANNEL_MS
    std::chrono::milliseconds reply_refractory{};  // REPLY_REFRACTORY_MS
    std::chrono::milliseconds thinking_hint{};     // THINKING_HINT_MS; 0: none
    std::chrono::milliseconds agent_mute{};        // AGENT_MUTE_MS
    std::chrono::milliseconds silence_prompt{};    // SILENCE_PROMPT_MS
    std::chrono::milliseconds max_call{};          // MAX_CALL_SEC; 0: no limit
    SpeechSettings speech;
    // Supervisor
    std::chrono::milliseconds drain_timeout{};       // DRAIN_TIMEOUT_MS: calls may finish this long at stop.
    std::chrono::milliseconds term_timeout{};        // TERM_TIMEOUT_MS: SIGTERM to SIGKILL.
    std::chrono::milliseconds hang_timeout{};        // HANG_TIMEOUT_MS (2000): heartbeat older than this is a hang.
    std::chrono::milliseconds orphan_grace{};        // ORPHAN_GRACE_MS (60000): workers without a supervisor.
    std::uint32_t crash_limit = 0;                   // CRASH_LIMIT crashes ...
    std::chrono::milliseconds crash_window{};        // CRASH_WINDOW_MS ... in this period hold the slot open.
    std::string bridge_dir;                          // BRIDGE_DIR; empty: baileys-bridge beside the installation.
    std::uint16_t bridge_port = 0;                   // BAILEYS_PORT (4001)
    bool bridge_enabled = true;                      // ENABLE_WA_BAILEYS
    std::string bridge_secret;                       // BAILEYS_SECRET (secret); empty: the supervisor makes one.
    std::uint32_t bridge_sends_per_minute = 0;       // BAILEYS_SENDS_PER_MINUTE
    std::uint32_t bridge_chat_sends_per_minute = 0;  // BAILEYS_CHAT_SENDS_PER_MINUTE
    std::uint32_t bridge_new_chats_per_day = 0;      // BAILEYS_NEW_CHATS_PER_DAY
    std::uint32_t bridge_media_mb_max = 0;           // BAILEYS_MEDIA_MB_MAX
    std::uint32_t bridge_database_mb_max = 0;        // BAILEYS_DATABASE_MB_MAX
    std::string bridge_wa_version;                   // BAILEYS_WA_VERSION; empty: the one Baileys came with.
    std::uint32_t bridge_retention_days = 0;         // BAILEYS_RETENTION_DAYS
    std::string lock_path;                           // AGENTLOCATOR_LOCK (/tmp/agentlocator.lock)
    std::string runtime_dir;                         // AGENTLOCATOR_RUNTIME_DIR: control socket, pid records.
    std::string data_dir;                            // AGENTLOCATOR_DATA_DIR: logs and, later, the store.
    std::uint64_t log_bytes_max = 0;                 // LOG_BYTES_MAX of one log file before it is rotated.
    std::uint32_t log_files = 0;                     // LOG_FILES kept for each child.

    friend bool operator==(const Settings&, const Settings&) = default;
};

// Where a value came from; the later wins.
enum class SettingSource : std::uint8_t { fallback, file, environment, flag };
[[nodiscard]] std::string_view to_string(SettingSource source);

struct SettingInput {
    std::string value;
    SettingSource source = SettingSource::environment;
};
using SettingInputs = std::map<std::string, SettingInput, std::less<>>;  // By environment name.

struct SettingFault {
    std::string name;
    std::string detail;  // "PORT=abc (environment): not a number; valid: 1-65535"
};

// One row of `agentlocator config`: secrets are masked here and nowhere else.
struct SettingView {
    std::string_view name;
    std::string value;
    SettingSource source;
    std::string_view help;
    std::string_view valid;
};

struct ParsedSettings {
    Settings settings;
    std::vector<SettingFault> faults;   // Not empty: refuse to start, print them all.
    std::vector<std::string> warnings;  // Old names, ignored values: start, but say so.
    std::vector<SettingView> view;      // Every setting, in table order.
};

// Facts about the machine that defaults depend on.
struct SettingFacts {
    std::uint32_t cores = 1;
    std::string installation_root;  // For default folders.
    std::string home;               // May be empty.
    std::string xdg_runtime_dir;    // May be empty, so may the next.
    std::string xdg_state_home;
    std::uint32_t user_id = 0;
};

[[nodiscard]] ParsedSettings parse_settings(const SettingInputs& inputs, const SettingFacts& facts);

// The environment handed to every child: each setting of the table with its validated value, spelled in its own name.
// parse_settings of it gives equal settings.
[[nodiscard]] std::vector<std::string> to_environment(const Settings& settings);

// KEY=VALUE lines, '#' comments, optional quotes and `export`. Faults name the line.
struct SettingsFile {
    SettingInputs inputs;
    std::vector<SettingFault> faults;
    std::vector<std::string> warnings;  // A name given twice: the last one counts, as in a shell.
};
[[nodiscard]] SettingsFile parse_settings_file(std::string_view text, std::string_view path);

// Names the table knows, old names included, to pick them from a process environment.
[[nodiscard]] const std::vector<std::string_view>& setting_names();

// Settings that are secrets. Each may be read from a file instead: NAME_FILE holds its path.
[[nodiscard]] const std::vector<std::string_view>& secret_setting_names();

}  // namespace agentlocator
