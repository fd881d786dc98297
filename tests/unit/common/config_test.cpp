#include "common/config.hpp"

#include <doctest/doctest.h>

#include <algorithm>

#include "common/call_slab.hpp"
#include "common/setting_value.hpp"
#include "common/text.hpp"

using namespace agentlocator;
using namespace std::chrono_literals;

namespace {

const SettingFacts facts{.cores = 4,
                         .installation_root = "/opt/agent",
                         .home = "/home/leah",
                         .xdg_runtime_dir = {},
                         .xdg_state_home = {},
                         .user_id = 1000};

ParsedSettings parse(std::initializer_list<std::pair<const char*, std::string>> values) {
    SettingInputs inputs;
    for (const auto& [name, value] : values) {
        inputs[name] = {value, SettingSource::environment};
    }
    return parse_settings(inputs, facts);
}

std::string fault(const char* name, const std::string& value) {
    const ParsedSettings parsed = parse({{name, value}});
    CHECK_MESSAGE(parsed.faults.size() <= 1, name);
    return parsed.faults.empty() ? "" : parsed.faults[0].detail;
}

std::string view_value(const ParsedSettings& parsed, std::string_view name) {
    for (const SettingView& row : parsed.view) {
        if (row.name == name) {
            return row.value;
        }
    }
    return "(no such row)";
}

bool contains(std::string_view text, std::string_view part) {
    return text.find(part) != std::string_view::npos;
}

}  // namespace

TEST_CASE("config: defaults are valid and as documented") {
    const ParsedSettings parsed = parse_settings({}, facts);
    CHECK(parsed.faults.empty());
    CHECK(parsed.warnings.empty());
    const Settings& s = parsed.settings;
    CHECK(s.public_base_url.empty());
    CHECK(s.bind_address == "127.0.0.1");
    CHECK(s.port == 5000);
    CHECK(s.workers == 4);
    CHECK(s.ws_mode == WsMode::ai);
    CHECK(s.hebrew_realtime_enabled);
    CHECK(s.max_concurrent_calls == 0);
    CHECK(s.media_tick == 2000us);
    CHECK(s.validate_twilio_signature);
    CHECK(s.trusted_proxies == std::vector<std::string>{"private"});
    CHECK(s.hang_timeout == 2s);
    CHECK(s.orphan_grace == 60s);
    CHECK(s.bridge_dir == "/opt/agent/baileys-bridge");
    CHECK(s.bridge_port == 4001);
    CHECK(s.bridge_enabled);
    CHECK(s.lock_path == "/tmp/agentlocator.lock");
    CHECK(s.runtime_dir == "/tmp/agentlocator-1000");
    CHECK(s.data_dir == "/home/leah/.local/state/agentlocator");
}

TEST_CASE("config: defaults follow the machine") {
    SettingFacts other = facts;
    other.cores = 1;
    other.home.clear();
    other.xdg_runtime_dir = "/run/user/1000";
    Settings s = parse_settings({}, other).settings;
    CHECK(s.workers == 2);
    CHECK(s.runtime_dir == "/run/user/1000/agentlocator");
    CHECK(s.data_dir == "/opt/agent/data");
    other.cores = 1000;
    other.xdg_state_home = "/var/state";
    s = parse_settings({}, other).settings;
    CHECK(s.workers == 128);
    CHECK(s.data_dir == "/var/state/agentlocator");
    other.xdg_runtime_dir = "relative";
    CHECK(parse_settings({}, other).settings.runtime_dir == "/tmp/agentlocator-1000");
}

TEST_CASE("config: seconds are taken with up to three decimals, at both ends of their range and not past them") {
    struct Limit {
        const char* name;
        const char *below, *min, *max, *above;
    };
    for (const Limit& limit :
         {Limit{"MIN_UTT_SEC", "0.019", "0.02", "2", "2.001"}, Limit{"MAX_UTT_SEC", "0.999", "1", "55", "55.001"},
          Limit{"MAX_CALL_SEC", "-1", "0", "86400", "86400.001"}}) {
        CHECK_FALSE(fault(limit.name, limit.below).empty());
        CHECK(fault(limit.name, limit.min).empty());
        CHECK(fault(limit.name, limit.max).empty());
        CHECK_FALSE(fault(limit.name, limit.above).empty());
        CHECK(view_value(parse({{limit.name, limit.min}}), limit.name) == limit.min);
    }
    CHECK(parse({{"MIN_UTT_SEC", "0.12"}}).settings.min_utterance == 120ms);
    CHECK(parse({{"MAX_UTT_SEC", "7.5"}}).settings.max_utterance == 7500ms);
    for (const char* bad : {".", "1.", ".5", "0.1234", "1,5", "1.-5", "x", "99999999999"}) {
        CAPTURE(bad);
        CHECK_FALSE(fault("MIN_UTT_SEC", bad).empty());
    }
}

TEST_CASE("config: every number is taken at both ends of its range and refused one past them") {
    struct Limit {
        const char* name;
        std::uint64_t min, max;
    };
    // Written out a second time on purpose: the table is what is tested.
    const Limit limits[] = {{"PORT", 1, 65535},
                            {"WORKERS", 1, 128},
                            {"MAX_CONCURRENT_CALLS", 0, 4096},
                            {"MEDIA_TICK_US", 0, 20000},
                            {"HTTP_CONNECTIONS_MAX", 16, 65536},
                            {"HTTP_HEADER_TIMEOUT_MS", 100, 120000},
                            {"HTTP_IDLE_TIMEOUT_MS", 100, 3600000},
                            {"STREAM_TIMEOUT_MS", 1000, 600000},
                            {"VAD_RMS", 10, 10000},
                            {"VAD_HANGOVER_MS", 100, 5000},
                            {"BARGE_IN_VOICE_FRAMES", 1, 20},
                            {"BARGE_IN_RAISE_DB", 0, 30},
                            {"BARGE_IN_GRACE_MS", 0, 10000},
                            {"BACKCHANNEL_MS", 0, 5000},
                            {"REPLY_REFRACTORY_MS", 0, 10000},
                            {"THINKING_HINT_MS", 0, 60000},
                            {"AGENT_MUTE_MS", 500, 60000},
                            {"SILENCE_PROMPT_MS", 1000, 120000},
                            {"DRAIN_TIMEOUT_MS", 0, 7200000},
                            {"TERM_TIMEOUT_MS", 100, 600000},
                            {"HANG_TIMEOUT_MS", 500, 600000},
                            {"ORPHAN_GRACE_MS", 0, 3600000},
                            {"CRASH_LIMIT", 1, 1000},
                            {"CRASH_WINDOW_MS", 1000, 86400000},
                            {"BAILEYS_PORT", 1, 65535},
                            {"DEDUP_WINDOW_SEC", 0, 60},
                            {"RESP_MIN_DELAY_MS", 0, 5000},
                            {"RESP_MAX_DELAY_MS", 0, 5000},
                            {"LLM_MAX_CHARS", 50, 10000},
                            {"LOG_BYTES_MAX", 65536, 10737418240},
                            {"LOG_FILES", 1, 100},
                            {"PROVIDER_CONNECT_TIMEOUT_MS", 100, 30000},
                            {"LLM_MAX_TOKENS", 16, 4096},
                            {"OPENAI_TTS_SAMPLE_RATE", 8000, 48000}};
    for (const Limit& limit : limits) {
        CAPTURE(limit.name);
        const std::string range = std::to_string(limit.min) + "-" + std::to_string(limit.max);
        for (const std::uint64_t good : {limit.min, limit.max}) {
            const ParsedSettings parsed = parse({{limit.name, std::to_string(good)}});
            CHECK(parsed.faults.empty());
            CHECK(view_value(parsed, limit.name) == std::to_string(good));
        }
        const std::string below = limit.min == 0 ? "-1" : std::to_string(limit.min - 1);
        for (const std::string& bad : {below, std::to_string(limit.max + 1), std::string("99999999999999999999999")}) {
            const std::string expected = std::string(limit.name) + "=" + bad + " (environment): out of range; valid: ";
            CHECK(fault(limit.name, bad).starts_with(expected + range));
        }
        for (const std::string bad : {"abc", "12x", "1.5", "0x10", "+5", "1 2", "-"}) {
            CHECK(contains(fault(limit.name, bad), "not a number; valid: " + range));
        }
    }
}

TEST_CASE("config: numbers arrive in their own member") {
    const Settings s = parse({{"PORT", "1"},
                              {"WORKERS", "3"},
                              {"MAX_CONCURRENT_CALLS", "4"},
                              {"MEDIA_TICK_US", "5"},
                              {"HTTP_CONNECTIONS_MAX", "600"},
                              {"HTTP_HEADER_TIMEOUT_MS", "700"},
                              {"HTTP_IDLE_TIMEOUT_MS", "800"},
                              {"STREAM_TIMEOUT_MS", "9000"},
                              {"DRAIN_TIMEOUT_MS", "10"},
                              {"TERM_TIMEOUT_MS", "1100"},
                              {"HANG_TIMEOUT_MS", "1200"},
                              {"ORPHAN_GRACE_MS", "13"},
                              {"CRASH_LIMIT", "14"},
                              {"CRASH_WINDOW_MS", "1500"},
                              {"BAILEYS_PORT", "16"},
                              {"DEDUP_WINDOW_SEC", "19"},
                              {"RESP_MIN_DELAY_MS", "20"},
                              {"RESP_MAX_DELAY_MS", "21"},
                              {"LLM_MAX_CHARS", "220"},
                              {"LOG_BYTES_MAX", "170000"},
                              {"LOG_FILES", "18"}})
                           .settings;
    CHECK(s.port == 1);
    CHECK(s.workers == 3);
    CHECK(s.max_concurrent_calls == 4);
    CHECK(s.media_tick == 5us);
    CHECK(s.connections_max == 600);
    CHECK(s.header_timeout == 700ms);
    CHECK(s.idle_timeout == 800ms);
    CHECK(s.stream_timeout == 9000ms);
    CHECK(s.drain_timeout == 10ms);
    CHECK(s.term_timeout == 1100ms);
    CHECK(s.hang_timeout == 1200ms);
    CHECK(s.orphan_grace == 13ms);
    CHECK(s.crash_limit == 14);
    CHECK(s.crash_window == 1500ms);
    CHECK(s.bridge_port == 16);
    CHECK(s.agent.dedup_window == 19s);
    CHECK(s.agent.resp_min == 20ms);
    CHECK(s.agent.resp_max == 21ms);
    CHECK(s.agent.answer_chars_max == 220);
    CHECK(s.log_bytes_max == 170000);
    CHECK(s.log_files == 18);
}

TEST_CASE("config: an unlimited number of calls has several spellings") {
    for (const char* word : {"0", "none", "Unlimited", ""}) {
        CHECK(parse({{"MAX_CONCURRENT_CALLS", word}}).settings.max_concurrent_calls == 0);
    }
}

TEST_CASE("config: WS_MODE takes any case and names the valid modes for anything else") {
    CHECK(parse({{"WS_MODE", "echo"}}).settings.ws_mode == WsMode::echo);
    CHECK(parse({{"WS_MODE", " Sink\n"}}).settings.ws_mode == WsMode::sink);
    CHECK(parse({{"WS_MODE", ""}}).settings.ws_mode == WsMode::ai);
    CHECK(fault("WS_MODE", "FOO") == "WS_MODE=FOO (environment): not a mode; valid: AI, ECHO, SINK (any case)");
}

TEST_CASE("config: PUBLIC_BASE_URL loses its trailing slashes and nothing else") {
    const std::pair<const char*, const char*> good[] = {
        {"https://leah.example", "https://leah.example"},
        {"https://leah.example/", "https://leah.example"},
        {"https://leah.example//", "https://leah.example"},
        {"HTTPS://leah.example:8443/a/b/", "https://leah.example:8443/a/b"},
        {"http://127.0.0.1:5000", "http://127.0.0.1:5000"},
        {"https://[2001:db8::1]:443/", "https://[2001:db8::1]:443"},
        {"https://[::1]", "https://[::1]"},
    };
    for (const auto& entry : good) {
        const char* text = entry.first;
        const char* expected = entry.second;
        const ParsedSettings parsed = parse({{"PUBLIC_BASE_URL", text}});
        CHECK_MESSAGE(parsed.faults.empty(), text);
        CHECK(parsed.warnings.empty());
        CHECK(parsed.settings.public_base_url == expected);
    }
}

TEST_CASE("config: PUBLIC_BASE_URL that would make a broken URL is refused, with the reason") {
    const std::pair<const char*, const char*> bad[] = {
        {"leah.example", "has no scheme"},
        {"//leah.example", "has no scheme"},
        {"wss://leah.example", "neither https nor http"},
        {"https://", "has no host"},
        {"https:///", "has no host"},
        {"https:///path", "has no host"},
        {"https://:5000", "has no host"},
        {"https://leah.example/?a=1", "holds a query"},
        {"https://leah.example?", "holds a query"},
        {"https://leah.example/#top", "holds a fragment"},
        {"https://me:secret@leah.example", "holds a user name"},
        {"https://leah.example:0", "the port is not"},
        {"https://leah.example:65536", "the port is not"},
        {"https://leah.example:", "the port is not"},
        {"https://leah.example:80:81", "the port is not"},
        {"https://leah.example//a", "holds //"},
        {"https://leah .example", "holds a blank"},
        {"https://leah\x01.example", "holds a blank, a control"},
        {"https://leah\"<.example", "no host name has"},
        {"https://[::1", "not an IPv6 address"},
        {"https://[leah]", "not an IPv6 address"},
        {"https://[::1]x", "unexpected text"},
    };
    for (const auto& entry : bad) {
        const char* text = entry.first;
        const char* reason = entry.second;
        CAPTURE(text);
        CHECK(contains(fault("PUBLIC_BASE_URL", text), reason));
    }
}

TEST_CASE("config: plain http to the outside is warned of, Twilio streams need TLS") {
    CHECK(parse({{"PUBLIC_BASE_URL", "http://leah.example"}}).warnings.size() == 1);
    CHECK(parse({{"PUBLIC_BASE_URL", "http://localhost:5000"}}).warnings.empty());
}

TEST_CASE("config: addresses are numeric, names are refused") {
    CHECK(parse({{"BIND_ADDRESS", "0.0.0.0"}}).settings.bind_address == "0.0.0.0");
    CHECK(parse({{"BIND_ADDRESS", "::"}}).settings.bind_address == "::");
    CHECK(contains(fault("BIND_ADDRESS", "localhost"), "not a numeric address; valid: a numeric IPv4 or IPv6 address"));
    CHECK(contains(fault("BIND_ADDRESS", "127.0.0.256"), "not a numeric address"));
    CHECK(contains(fault("BIND_ADDRESS", "127.1"), "not a numeric address"));
    CHECK(contains(fault("BIND_ADDRESS", std::string("127.0.0.1\0x", 11)), "not a numeric address"));
}

TEST_CASE("config: trusted proxies are a list with a limit, none is none") {
    CHECK(parse({{"TRUSTED_PROXIES", "none"}}).settings.trusted_proxies.empty());
    CHECK(parse({{"TRUSTED_PROXIES", "203.0.113.7, Private"}}).settings.trusted_proxies ==
          std::vector<std::string>{"203.0.113.7", "private"});
    CHECK(parse({{"TRUSTED_PROXIES", "10.0.0.1 , ::1"}}).settings.trusted_proxies ==
          std::vector<std::string>{"10.0.0.1", "::1"});
    CHECK(contains(fault("TRUSTED_PROXIES", "10.0.0.1,,::1"), "\"\" is neither a numeric address"));
    CHECK(contains(fault("TRUSTED_PROXIES", "10.0.0.0/8"), "\"10.0.0.0/8\" is neither"));
    std::string most = "10.0.0.1";
    for (std::size_t i = 1; i < trusted_proxies_max; ++i) {
        most += ",10.0.0.1";
    }
    CHECK(fault("TRUSTED_PROXIES", most).empty());
    CHECK(contains(fault("TRUSTED_PROXIES", most + ",::1"), "more than 64 addresses"));
}

TEST_CASE("config: booleans have four spellings a side, any case") {
    for (const char* name : {"HEBREW_REALTIME_ENABLED", "VALIDATE_TWILIO_SIGNATURE", "ENABLE_WA_BAILEYS"}) {
        for (const char* yes : {"1", "true", "YES", "On"}) {
            CHECK(view_value(parse({{name, yes}}), name) == "true");
        }
        for (const char* no : {"0", "False", "no", "OFF"}) {
            CHECK(view_value(parse({{name, no}}), name) == "false");
        }
        CHECK(contains(fault(name, "maybe"), "neither true nor false; valid: true, false"));
        CHECK(contains(fault(name, "2"), "neither true nor false"));
    }
    CHECK_FALSE(parse({{"HEBREW_REALTIME_ENABLED", "no"}}).settings.hebrew_realtime_enabled);
    CHECK_FALSE(parse({{"VALIDATE_TWILIO_SIGNATURE", "no"}}).settings.validate_twilio_signature);
    CHECK_FALSE(parse({{"ENABLE_WA_BAILEYS", "no"}}).settings.bridge_enabled);
}

TEST_CASE("config: relative paths are taken from the installation, never from the working directory") {
    for (const char* name :
         {"AI_GREETING_FILE", "BRIDGE_DIR", "AGENTLOCATOR_LOCK", "AGENTLOCATOR_RUNTIME_DIR", "AGENTLOCATOR_DATA_DIR"}) {
        CAPTURE(name);
        CHECK(view_value(parse({{name, "./x/y/"}}), name) == "/opt/agent/x/y");
        CHECK(view_value(parse({{name, "/x"}}), name) == "/x");
        CHECK(view_value(parse({{name, "/"}}), name) == "/");
        CHECK(contains(fault(name, "~/x"), "write the whole path"));
        CHECK(contains(fault(name, "/a\nb"), "holds a control character"));
        CHECK(parse_settings({{name, {"x", SettingSource::flag}}}, {}).faults.size() == 1);
    }
    const Settings s = parse({{"AI_GREETING_FILE", "/1"},
                              {"BRIDGE_DIR", "/2"},
                              {"AGENTLOCATOR_LOCK", "/3"},
                              {"AGENTLOCATOR_RUNTIME_DIR", "/4"},
                              {"AGENTLOCATOR_DATA_DIR", "/5"}})
                           .settings;
    CHECK(s.greeting_file + s.bridge_dir + s.lock_path + s.runtime_dir + s.data_dir == "/1/2/3/4/5");
}

TEST_CASE("config: the runtime folder leaves room for the control socket's name") {
    const std::string longest = "/" + std::string(93, 'r');  // 94 + "/control.sock" = 107, all that sun_path holds.
    CHECK(fault("AGENTLOCATOR_RUNTIME_DIR", longest).empty());
    CHECK(contains(fault("AGENTLOCATOR_RUNTIME_DIR", longest + "r"), "longer than 94 bytes"));
}

TEST_CASE("config: a value has a longest length, and a fault stays one line") {
    CHECK(fault("AGENTLOCATOR_DATA_DIR", "/" + std::string(4095, 'd')).empty());
    const std::string text = fault("AGENTLOCATOR_DATA_DIR", "/" + std::string(4096, 'd'));
    CHECK(contains(text, "longer than 4096 bytes"));
    CHECK(text.size() < 300);
    CHECK_FALSE(contains(fault("PORT", "80\nevent=forged"), "\n"));
}

TEST_CASE("config: Twilio identifiers and tokens") {
    const Settings s = parse({{"TWILIO_ACCOUNT_SID", "AC0123"},
                              {"TWILIO_AUTH_TOKEN", " first\n"},
                              {"TWILIO_AUTH_TOKEN_SECONDARY", "second"}})
                           .settings;
    CHECK(s.twilio_account_sid == "AC0123");
    CHECK(s.twilio_auth_token == "first");
    CHECK(s.twilio_auth_token_old == "second");
    CHECK(contains(fault("TWILIO_ACCOUNT_SID", "SK0123"), "does not begin with AC"));
    CHECK(contains(fault("TWILIO_ACCOUNT_SID", "AC 1"), "holds a blank"));
}

TEST_CASE("config: no secret is ever shown, in a fault neither") {
    const ParsedSettings parsed =
        parse({{"TWILIO_AUTH_TOKEN", "hush-hush"}, {"TWILIO_AUTH_TOKEN_SECONDARY", "hush\x01hush"}, {"PORT", "abc"}});
    REQUIRE(parsed.faults.size() == 2);
    std::string all = parsed.faults[0].detail + parsed.faults[1].detail;
    for (const SettingView& row : parsed.view) {
        all += row.value;
    }
    CHECK_FALSE(contains(all, "hush"));
    CHECK(view_value(parsed, "TWILIO_AUTH_TOKEN") == "********");
    CHECK(view_value(parse({}), "TWILIO_AUTH_TOKEN").empty());
}

TEST_CASE("config: all faults are reported together, each with its source") {
    SettingInputs inputs;
    inputs["WS_MODE"] = {"FOO", SettingSource::file};
    inputs["PORT"] = {"abc", SettingSource::environment};
    inputs["WORKERS"] = {"0", SettingSource::flag};
    const ParsedSettings parsed = parse_settings(inputs, facts);
    REQUIRE(parsed.faults.size() == 3);
    CHECK(parsed.faults[0].detail == "PORT=abc (environment): not a number; valid: 1-65535");
    CHECK(parsed.faults[0].name == "PORT");
    CHECK(parsed.faults[1].detail == "WORKERS=0 (flag): out of range; valid: 1-128");
    CHECK(contains(parsed.faults[2].detail, "WS_MODE=FOO (file)"));
}

TEST_CASE("config: the bridge may not have the call server's port") {
    CHECK(parse({{"PORT", "4001"}}).faults.size() == 1);
    CHECK(parse({{"PORT", "4001"}, {"ENABLE_WA_BAILEYS", "0"}}).faults.empty());
    CHECK(parse({{"PORT", "4001"}, {"BAILEYS_PORT", "4002"}}).faults.empty());
}

TEST_CASE("config: old names work, are warned of, and lose against the present name") {
    ParsedSettings parsed = parse({{"PUBLIC_HOST", "leah.example/"}});
    CHECK(parsed.settings.public_base_url == "https://leah.example");
    REQUIRE(parsed.warnings.size() == 1);
    CHECK(parsed.warnings[0] ==
          "PUBLIC_HOST (environment) is an old name; set PUBLIC_BASE_URL=https://leah.example/ instead");

    parsed = parse({{"PUBLIC_HOST", "http://a"}, {"PUBLIC_BASE_URL", "https://b"}});
    CHECK(parsed.settings.public_base_url == "https://b");
    REQUIRE(parsed.warnings.size() == 1);
    CHECK(contains(parsed.warnings[0], "PUBLIC_HOST (environment) is ignored because PUBLIC_BASE_URL is set"));

    parsed = parse({{"PUBLIC_HOST", "a?b"}});
    REQUIRE(parsed.faults.size() == 1);
    CHECK(contains(parsed.faults[0].detail,
                   "PUBLIC_BASE_URL=https://a?b (environment, from PUBLIC_HOST): holds a query"));

    CHECK(parse({{"MAX_ACTIVE_CALLS", "7"}}).settings.max_concurrent_calls == 7);
    CHECK(parse({{"WA_BAILEYS_PORT", "3300"}}).settings.bridge_port == 3300);
    CHECK_FALSE(parse({{"SKIP_BAILEYS", "1"}}).settings.bridge_enabled);
    CHECK(parse({{"SKIP_BAILEYS", "0"}}).settings.bridge_enabled);
    CHECK(contains(fault("SKIP_BAILEYS", "perhaps"), "from SKIP_BAILEYS"));
}

TEST_CASE("config: switches of the original that do nothing here are named, with the remedy") {
    ParsedSettings parsed = parse({{"FLASK_ENV", "development"}, {"ECHO_TEST", "1"}});
    REQUIRE(parsed.warnings.size() == 2);
    CHECK(contains(parsed.warnings[0], "VALIDATE_TWILIO_SIGNATURE=false"));
    CHECK(contains(parsed.warnings[1], "WS_MODE=ECHO"));
    CHECK(parsed.settings.validate_twilio_signature);
    CHECK(parsed.settings.ws_mode == WsMode::ai);
    CHECK(parse({{"FLASK_ENV", "production"}, {"ECHO_TEST", "0"}}).warnings.empty());
}

TEST_CASE("config: dangerous combinations are warned of") {
    CHECK(parse({{"TWILIO_AUTH_TOKEN_SECONDARY", "x"}}).warnings.size() == 1);
    CHECK(parse({{"TWILIO_AUTH_TOKEN", "x"}, {"VALIDATE_TWILIO_SIGNATURE", "0"}}).warnings.size() == 1);
    CHECK(parse({{"TWILIO_AUTH_TOKEN", "x"}, {"TWILIO_AUTH_TOKEN_SECONDARY", "y"}}).warnings.empty());
}

TEST_CASE("config: a mistyped name in the settings file is noticed, a stranger's is not") {
    SettingInputs inputs;
    inputs["WS_MDOE"] = {"ECHO", SettingSource::file};
    inputs["POTR"] = {"1", SettingSource::file};
    inputs["OPENAI_API_KEY"] = {"k", SettingSource::file};
    inputs["PORTS"] = {"1", SettingSource::environment};
    const ParsedSettings parsed = parse_settings(inputs, facts);
    REQUIRE(parsed.warnings.size() == 2);
    CHECK(contains(parsed.warnings[0], "did you mean PORT?"));
    CHECK(contains(parsed.warnings[1], "WS_MDOE (file) is not a setting; did you mean WS_MODE?"));
}

TEST_CASE("config: texts, chains and numbers of the conversation") {
    const AgentSettings agent = parse({{"TRANSFER_NUMBER", "+972 (50) 123-4567"},
                                       {"VOICE_LLM_CHAIN", "OpenAI , anthropic"},
                                       {"AGENT_LANGUAGE", "EN-us"}})
                                    .settings.agent;
    CHECK(agent.transfer_number == "+972501234567");
    CHECK(agent.llm_chain == "openai,anthropic");
    CHECK(agent.language == "en-US");
    CHECK(contains(fault("AI_GREETING_HE", std::string(1001, 'a')), "longer than 1000 bytes"));
    CHECK(fault("AI_GREETING_HE", std::string(1000, 'a')).empty());
    CHECK(contains(fault("AI_GREETING_HE", "a\nb"), "control character"));
    CHECK(contains(fault("TRANSFER_NUMBER", "call me"), "no telephone number has"));
    CHECK(contains(fault("TRANSFER_NUMBER", "12"), "3 to 15 digits"));
    CHECK(contains(fault("VOICE_TTS_CHAIN", "a,,b"), "not a list of names"));
    CHECK(contains(fault("VOICE_MODE", "telepathy"), "not one of them"));
}

TEST_CASE("config: the environment of a child gives the same settings back") {
    SettingInputs inputs;
    for (const auto& [name, value] : std::initializer_list<std::pair<const char*, const char*>>{
             {"PUBLIC_BASE_URL", "https://leah.example/"},
             {"BIND_ADDRESS", "::1"},
             {"PORT", "65535"},
             {"WORKERS", "7"},
             {"WS_MODE", "sink"},
             {"HEBREW_REALTIME_ENABLED", "0"},
             {"MEDIA_TICK_US", "0"},
             {"MAX_CONCURRENT_CALLS", "50"},
             {"TWILIO_ACCOUNT_SID", "AC1"},
             {"TWILIO_AUTH_TOKEN", "s=e;c\"r'e$t"},
             {"TRUSTED_PROXIES", "none"},
             {"AI_GREETING_FILE", "greeting with blank.wav"},
             {"SKIP_BAILEYS", "yes"},
             {"AI_GREETING_HE", "שלום, כאן \"לאה\" {{business_name}}"},
             {"TRANSFER_NUMBER", "+972 (50) 123-4567"},
             {"VOICE_STT_CHAIN", "Deepgram, google"},
             {"AGENT_LANGUAGE", "EN-us"},
             {"LOG_BYTES_MAX", "10737418240"},
             {"DRAIN_TIMEOUT_MS", "0"}}) {
        inputs[name] = {value, SettingSource::file};
    }
    for (const SettingInputs& start : {SettingInputs{}, inputs}) {
        const ParsedSettings first = parse_settings(start, facts);
        REQUIRE(first.faults.empty());
        SettingInputs again;
        for (const std::string& entry : to_environment(first.settings)) {
            const auto equals = entry.find('=');
            again[entry.substr(0, equals)] = {entry.substr(equals + 1), SettingSource::environment};
        }
        SettingFacts elsewhere;  // A child may see another machine: other cores, no home.
        elsewhere.installation_root = "/elsewhere";
        const ParsedSettings second = parse_settings(again, elsewhere);
        CHECK(second.faults.empty());
        CHECK(second.settings == first.settings);
        CHECK(to_environment(second.settings) == to_environment(first.settings));
    }
}

TEST_CASE("config: every row is complete, and its name is known") {
    const ParsedSettings parsed = parse_settings({}, facts);
    CHECK(parsed.view.size() == to_environment(parsed.settings).size());
    for (const SettingView& row : parsed.view) {
        CAPTURE(row.name);
        CHECK_FALSE(row.help.empty());
        CHECK_FALSE(row.valid.empty());
        CHECK(row.source == SettingSource::fallback);
        CHECK(std::count(setting_names().begin(), setting_names().end(), row.name) == 1);
    }
    CHECK(std::count(setting_names().begin(), setting_names().end(), "PUBLIC_HOST") == 1);
}

TEST_CASE("config: the source of each value is kept") {
    SettingInputs inputs;
    inputs["PORT"] = {"80", SettingSource::flag};
    inputs["WS_MODE"] = {"  ", SettingSource::environment};
    const ParsedSettings parsed = parse_settings(inputs, facts);
    for (const SettingView& row : parsed.view) {
        CHECK(row.source == (row.name == "PORT" ? SettingSource::flag : SettingSource::fallback));
    }
    CHECK(to_string(SettingSource::fallback) == "default");
    CHECK(to_string(SettingSource::file) == "file");
    CHECK(to_string(SettingSource::environment) == "environment");
    CHECK(to_string(SettingSource::flag) == "flag");
}

TEST_CASE("settings_file: the usual forms") {
    const SettingsFile file = parse_settings_file(
        "\xef\xbb\xbf# comment\r\n"
        "PORT=5000\r\n"
        "  export WS_MODE = echo   # why\n"
        "A=\"two words # no comment\" # comment\n"
        "B='$HOME \\n \"x\"'\n"
        "C=\"line\\nnext\\t\\\"q\\\" \\\\ \\$ \\x\"\n"
        "D=\n"
        "E=a#b=c\n"
        "F=\"\"\n"
        "exporter=1",
        ".env");
    CHECK(file.faults.empty());
    CHECK(file.warnings.empty());
    const auto value = [&](const char* name) { return file.inputs.at(name).value; };
    CHECK(file.inputs.size() == 9);
    CHECK(value("PORT") == "5000");
    CHECK(value("WS_MODE") == "echo");
    CHECK(value("A") == "two words # no comment");
    CHECK(value("B") == "$HOME \\n \"x\"");
    CHECK(value("C") == "line\nnext\t\"q\" \\ $ \\x");
    CHECK(value("D").empty());
    CHECK(value("E") == "a#b=c");
    CHECK(value("F").empty());
    CHECK(value("exporter") == "1");
    CHECK(file.inputs.at("PORT").source == SettingSource::file);
}

TEST_CASE("settings_file: every fault names its line and none shows a value") {
    constexpr char text[] =
        "PORT=1\nhush\n2X=hush\n=hush\nA=\"hush\nB='hush\nC=\"hush\"x\nD='hush' hush\nE=\"hush\\\"\nF=hu\0sh\n";
    const SettingsFile file = parse_settings_file({text, sizeof text - 1}, "/x/.env");
    std::string all;
    for (const SettingFault& fault : file.faults) {
        all += fault.detail + "\n";
    }
    CHECK(file.faults.size() == 9);
    for (int line = 2; line <= 10; ++line) {
        CHECK(contains(all, "/x/.env:" + std::to_string(line) + ": "));
    }
    CHECK(contains(all, "/x/.env:2: no '='"));
    CHECK(contains(all, "/x/.env:5: A: the quote is not closed"));
    CHECK(contains(all, "/x/.env:10: F: holds a NUL byte"));
    CHECK_FALSE(contains(all, "hush"));
    CHECK(file.inputs.size() == 1);
}

TEST_CASE("settings_file: a name given twice counts last and is warned of") {
    const SettingsFile file = parse_settings_file("PORT=1\nPORT=2\n", ".env");
    CHECK(file.inputs.at("PORT").value == "2");
    REQUIRE(file.warnings.size() == 1);
    CHECK(file.warnings[0] == ".env:2: PORT is set again; this last one counts");
}

TEST_CASE("text: edit distance counts what a finger does wrong") {
    CHECK(edit_distance("status", "status") == 0);
    CHECK(edit_distance("sattus", "status") == 1);
    CHECK(edit_distance("statu", "status") == 1);
    CHECK(edit_distance("", "run") == 3);
    CHECK(edit_distance("kitten", "sitting") == 3);
}
