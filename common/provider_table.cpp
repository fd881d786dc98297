// Rows of the speech and language services. Model names appear here and nowhere else: they are retired every few
// months. A default is one that its vendor does not plan to stop (as of the end of 2026).
#include <nlohmann/json.hpp>

#include "common/config_table.hpp"
#include "common/text.hpp"

namespace agentlocator {
namespace {

using Member = std::string ProviderSettings::*;

SettingRow row(std::string_view name, Member member, std::string fallback, std::string valid, std::string_view help,
               std::function<SettingProblem(std::string_view, std::string&)> read, bool secret = false) {
    return {name,
            help,
            std::move(valid),
            [fallback = std::move(fallback)](const SettingFacts&) { return fallback; },
            [=](std::string_view text, const SettingFacts&, Settings& settings) -> SettingProblem {
                if (text.empty()) {
                    (settings.providers.*member).clear();
                    return std::nullopt;
                }
                return read(text, settings.providers.*member);
            },
            [=](const Settings& settings) { return settings.providers.*member; },
            secret};
}

SettingRow token(std::string_view name, Member member, std::string fallback, std::string_view help,
                 bool secret = false) {
    return row(name, member, std::move(fallback), "letters, digits and signs without blanks", help, read_token, secret);
}

SettingRow key(std::string_view name, Member member, std::string_view help) {
    return token(name, member, "", help, true);
}

SettingRow url(std::string_view name, Member member, std::string fallback, std::string_view help) {
    return row(name, member, std::move(fallback), "https://host[:port][/path], no query", help, read_base_url);
}

SettingRow choice(std::string_view name, Member member, std::string_view fallback, std::string_view words,
                  std::string_view help) {
    return row(name, member, std::string(fallback), std::string(words), help,
               [=](std::string_view text, std::string& out) -> SettingProblem {
                   for (const std::string_view word : split(words, ',')) {
                       if (equal_no_case(trim(word), text)) {
                           out = trim(word);
                           return std::nullopt;
                       }
                   }
                   return "not one of them";
               });
}

SettingProblem read_text(std::string_view text, std::string& out) {
    for (const char c : text) {
        if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
            return "holds a control character";
        }
    }
    out = text;
    return std::nullopt;
}

SettingProblem read_json_object(std::string_view text, std::string& out) {
    const auto document = nlohmann::json::parse(text, nullptr, false);
    if (!document.is_object()) {
        return "not a JSON object";
    }
    return read_text(text, out);
}

SettingProblem read_header_object(std::string_view text, std::string& out) {
    const auto document = nlohmann::json::parse(text, nullptr, false);
    if (!document.is_object()) {
        return "not a JSON object";
    }
    for (const auto& [name, value] : document.items()) {
        std::string checked;
        if (name.empty() || read_token(name, checked) || name.find(':') != std::string::npos || !value.is_string()) {
            return "not an object of header names and texts";
        }
        if (auto problem = read_text(value.get_ref<const std::string&>(), checked)) {
            return problem;
        }
    }
    return read_text(text, out);
}

SettingProblem read_temperature(std::string_view text, std::string& out) {
    const auto number = nlohmann::json::parse(text, nullptr, false);
    if (!number.is_number() || number.get<double>() < 0 || number.get<double>() > 2) {
        return "not a number from 0 to 2";
    }
    out = text;
    return std::nullopt;
}

// wss://host[:port][/path]: the rules of a base address, with the scheme of a WebSocket.
SettingProblem read_socket_url(std::string_view text, std::string& out) {
    const auto scheme = text.find("://");
    if (scheme == std::string_view::npos ||
        (!equal_no_case(text.substr(0, scheme), "wss") && !equal_no_case(text.substr(0, scheme), "ws"))) {
        return "begins with neither wss:// nor ws://";
    }
    const bool secure = scheme == 3;
    std::string base;
    if (auto problem = read_base_url((secure ? "https" : "http") + std::string(text.substr(scheme)), base)) {
        return problem;
    }
    out = (secure ? "wss" : "ws") + base.substr(base.find("://"));
    return std::nullopt;
}

template <class T, class Read>
SettingRow number(std::string_view name, IntegerRange range, std::uint64_t fallback, std::string_view help, T take,
                  Read give) {
    return {name,
            help,
            std::to_string(range.min) + "-" + std::to_string(range.max),
            [=](const SettingFacts&) { return std::to_string(fallback); },
            [=](std::string_view text, const SettingFacts&, Settings& settings) {
                std::uint64_t value = 0;
                auto problem = read_integer(text, range, value);
                if (!problem) {
                    take(settings.providers, value);
                }
                return problem;
            },
            [=](const Settings& settings) { return std::to_string(give(settings.providers)); }};
}

SettingRow path(std::string_view name, Member member, std::string_view help) {
    return {name,
            help,
            "a path",
            [](const SettingFacts&) { return std::string(); },
            [=](std::string_view text, const SettingFacts& facts, Settings& settings) -> SettingProblem {
                std::string& out = settings.providers.*member;
                out.clear();
                return text.empty() ? SettingProblem{} : read_path(text, facts.installation_root, out);
            },
            [=](const Settings& settings) { return settings.providers.*member; }};
}

using P = ProviderSettings;

void add_common_rows(std::vector<SettingRow>& rows) {
    rows.push_back(path("SSL_CERT_FILE", &P::ca_file,
                        "Certificates to trust, PEM: a company's proxy, a server of one's own. Empty: the system's."));
    rows.push_back(number(
        "PROVIDER_CONNECT_TIMEOUT_MS", {100, 30'000}, 2000, "A service must be connected within this.",
        [](P& p, std::uint64_t value) { p.connect_timeout = std::chrono::milliseconds(value); },
        [](const P& p) { return p.connect_timeout.count(); }));
    rows.push_back(number(
        "LLM_MAX_TOKENS", {16, 4096}, 200, "Longest answer of the language model, in tokens.",
        [](P& p, std::uint64_t value) { p.llm_max_tokens = static_cast<std::uint32_t>(value); },
        [](const P& p) { return p.llm_max_tokens; }));
    rows.push_back(url("TWILIO_API_BASE_URL", &P::twilio_api_url, "https://api.twilio.com",
                       "Twilio's REST API, for hanging up and transfer."));
}

void add_openai_rows(std::vector<SettingRow>& rows) {
    rows.push_back(key("OPENAI_API_KEY", &P::openai_key, "Key of OpenAI or of a server that speaks its dialect."));
    rows.push_back(url("OPENAI_BASE_URL", &P::openai_url, "https://api.openai.com/v1",
                       "Its address, with /v1: Ollama http://host:11434/v1, vLLM, llama.cpp, LocalAI ..."));
    rows.push_back(token("OPENAI_ORG_ID", &P::openai_organization, "", "OpenAI organisation."));
    rows.push_back(token("OPENAI_PROJECT_ID", &P::openai_project, "", "OpenAI project."));
    rows.push_back(url("OPENAI_STT_BASE_URL", &P::openai_stt_url, "",
                       "Another server for recognition (speaches, whisper.cpp). Empty: OPENAI_BASE_URL."));
    rows.push_back(key("OPENAI_STT_API_KEY", &P::openai_stt_key, "Key of that server. Empty: OPENAI_API_KEY."));
    rows.push_back(url("OPENAI_TTS_BASE_URL", &P::openai_tts_url, "",
                       "Another server for speech (speaches, LocalAI). Empty: OPENAI_BASE_URL."));
    rows.push_back(key("OPENAI_TTS_API_KEY", &P::openai_tts_key, "Key of that server. Empty: OPENAI_API_KEY."));
    rows.push_back(token("OPENAI_LLM_MODEL", &P::openai_llm_model, "gpt-6-luna", "Language model."));
    rows.push_back(token("OPENAI_STT_MODEL", &P::openai_stt_model, "gpt-transcribe", "Recognition model."));
    rows.push_back(token("OPENAI_TTS_MODEL", &P::openai_tts_model, "",
                         "Speech model. Empty: no speech from there (OpenAI's own stop on 2027-01-06)."));
    rows.push_back(token("OPENAI_TTS_VOICE", &P::openai_tts_voice, "marin", "Voice of the speech model."));
    rows.push_back(choice("OPENAI_TTS_FORMAT", &P::openai_tts_format, "pcm", "pcm, wav", "What speech is asked for."));
    rows.push_back(number(
        "OPENAI_TTS_SAMPLE_RATE", {8000, 48'000}, 24'000, "Rate of pcm when the answer does not name it.",
        [](P& p, std::uint64_t value) { p.openai_tts_sample_rate = static_cast<std::uint32_t>(value); },
        [](const P& p) { return p.openai_tts_sample_rate; }));
    rows.push_back(row("OPENAI_TTS_INSTRUCTIONS", &P::openai_tts_instructions, "", "text",
                       "How to speak; for models that take it.", read_text));
}

void add_openai_switches(std::vector<SettingRow>& rows) {
    rows.push_back(choice("OPENAI_STT_RESPONSE_FORMAT", &P::openai_stt_format, "auto", "auto, json, verbose_json",
                          "auto: json at OpenAI and Azure, verbose_json elsewhere (shows text made up from noise)."));
    rows.push_back(choice("OPENAI_AUTH_STYLE", &P::openai_auth, "auto", "auto, bearer, api-key, none",
                          "How the key is sent. auto: bearer."));
    rows.push_back(choice("OPENAI_MAX_TOKENS_FIELD", &P::openai_max_tokens_field, "auto",
                          "auto, max_tokens, max_completion_tokens",
                          "auto: max_completion_tokens at OpenAI and Azure, max_tokens elsewhere."));
    rows.push_back(token("OPENAI_REASONING_EFFORT", &P::openai_reasoning_effort, "auto",
                         "none, minimal, low ...; omit: not sent; auto: none at OpenAI, not sent elsewhere."));
    rows.push_back(choice("OPENAI_STREAM_OPTIONS", &P::openai_stream_options, "auto", "auto, none, usage, obfuscation",
                          "stream_options to send. auto: turns padding off at OpenAI, none elsewhere."));
    rows.push_back(row("OPENAI_TEMPERATURE", &P::openai_temperature, "", "0-2", "Empty: not sent.", read_temperature));
    rows.push_back(row("OPENAI_EXTRA_BODY", &P::openai_extra_body, "", "a JSON object",
                       "Merged into each chat request: {\"keep_alive\":-1}.", read_json_object));
    rows.push_back(row("OPENAI_EXTRA_HEADERS", &P::openai_extra_headers, "", "a JSON object of texts",
                       "Sent with each request.", read_header_object, true));
    rows.push_back(row("OPENAI_REALTIME_URL", &P::openai_realtime_url, "wss://api.openai.com/v1/realtime",
                       "wss://host[:port][/path], no query", "Speech to speech (VOICE_MODE=realtime).",
                       read_socket_url));
    rows.push_back(token("OPENAI_REALTIME_MODEL", &P::openai_realtime_model, "gpt-realtime-2.1", "Its model."));
    rows.push_back(token("OPENAI_REALTIME_VOICE", &P::openai_realtime_voice, "marin", "Its voice."));
    rows.push_back(token("OPENAI_REALTIME_STT_MODEL", &P::openai_realtime_stt_model, "gpt-transcribe",
                         "Writes down what the caller says there. Empty: nothing does."));
    rows.push_back(choice("OPENAI_REALTIME_DIALECT", &P::openai_realtime_dialect, "ga", "ga, beta",
                          "beta: for servers that speak the protocol of 2024 (speaches)."));
    rows.push_back(key("AZURE_OPENAI_API_KEY", &P::azure_openai_key, "Key of Azure OpenAI."));
    rows.push_back(url("AZURE_OPENAI_ENDPOINT", &P::azure_openai_endpoint, "", "https://RESOURCE.openai.azure.com."));
    rows.push_back(token("OPENAI_API_VERSION", &P::azure_openai_version, "",
                         "Azure's api-version for the classic paths. Empty: the v1 paths, which need none."));
    rows.push_back(token("AZURE_OPENAI_DEPLOYMENT", &P::azure_openai_deployment, "", "Deployment of the chat model."));
    rows.push_back(key("GROQ_API_KEY", &P::groq_key, "Key of Groq."));
    rows.push_back(url("GROQ_BASE_URL", &P::groq_url, "https://api.groq.com/openai/v1", "Groq's address."));
    rows.push_back(token("GROQ_LLM_MODEL", &P::groq_llm_model, "openai/gpt-oss-120b", "Language model at Groq."));
    rows.push_back(token("GROQ_REASONING_EFFORT", &P::groq_reasoning_effort, "low",
                         "low, medium ...; omit: not sent, for models that do not reason."));
    rows.push_back(token("GROQ_STT_MODEL", &P::groq_stt_model, "whisper-large-v3-turbo", "Recognition at Groq."));
}

void add_language_model_rows(std::vector<SettingRow>& rows) {
    rows.push_back(key("ANTHROPIC_API_KEY", &P::anthropic_key, "Key of Anthropic."));
    rows.push_back(
        url("ANTHROPIC_BASE_URL", &P::anthropic_url, "https://api.anthropic.com", "Its address, without /v1."));
    rows.push_back(token("ANTHROPIC_MODEL", &P::anthropic_model, "claude-haiku-5-5", "Language model."));
    rows.push_back(token("ANTHROPIC_VERSION", &P::anthropic_version, "2026-10-21", "anthropic-version header."));
    rows.push_back(key("GEMINI_API_KEY", &P::gemini_key, "Key of Gemini. Empty: GOOGLE_API_KEY."));
    rows.push_back(url("GEMINI_BASE_URL", &P::gemini_url, "https://generativelanguage.googleapis.com/v1beta",
                       "Its address, with the version."));
    rows.push_back(token("GEMINI_MODEL", &P::gemini_model, "gemini-flash-latest", "Language model."));
    rows.push_back(token("GEMINI_THINKING_BUDGET", &P::gemini_thinking, "0",
                         "Tokens for thinking; omit: not sent, for models that know no budget."));
}

void add_google_rows(std::vector<SettingRow>& rows) {
    rows.push_back(key("GOOGLE_API_KEY", &P::google_key, "Key of Google, for Gemini and Cloud Speech."));
    rows.push_back(path("GOOGLE_APPLICATION_CREDENTIALS", &P::google_credentials,
                        "Service account (JSON key) for Google Cloud Speech; better than a key."));
    rows.push_back(token("GOOGLE_CLOUD_PROJECT", &P::google_project, "",
                         "Project. Empty: the service account's. Needed by v2 with a key."));
    rows.push_back(token("GOOGLE_CLOUD_LOCATION", &P::google_location, "global", "Region of Speech v2: global, eu."));
    rows.push_back(choice("GOOGLE_STT_API", &P::google_stt_api, "v1", "v1, v2", "Version of Speech-to-Text."));
    rows.push_back(token("GOOGLE_STT_MODEL", &P::google_stt_model, "latest_long", "Recognition model."));
    rows.push_back(token("GOOGLE_STT_LANGUAGE", &P::google_stt_language, "",
                         "Language tag to send. Empty: he-IL (v2: iw-IL) or en-US, by the call."));
    rows.push_back({"GOOGLE_STT_STREAMING",
                    "Recognise while the caller speaks (gRPC); false: one request an utterance.", "true, false",
                    [](const SettingFacts&) { return std::string("true"); },
                    [](std::string_view text, const SettingFacts&, Settings& settings) {
                        return read_boolean(text, settings.providers.google_stt_streaming);
                    },
                    [](const Settings& settings) {
                        return std::string(settings.providers.google_stt_streaming ? "true" : "false");
                    }});
    rows.push_back(url("GOOGLE_STT_ENDPOINT", &P::google_stt_url, "", "Another address of Speech-to-Text."));
    rows.push_back(token("GOOGLE_TTS_VOICE", &P::google_tts_voice, "he-IL-Wavenet-A", "Hebrew voice."));
    rows.push_back(token("GOOGLE_TTS_VOICE_EN", &P::google_tts_voice_en, "en-US-Wavenet-F", "English voice."));
    rows.push_back(url("GOOGLE_TTS_ENDPOINT", &P::google_tts_url, "", "Another address of Text-to-Speech."));
}

void add_speech_rows(std::vector<SettingRow>& rows) {
    rows.push_back(key("DEEPGRAM_API_KEY", &P::deepgram_key, "Key of Deepgram."));
    rows.push_back(url("DEEPGRAM_BASE_URL", &P::deepgram_url, "https://api.deepgram.com", "Its address."));
    rows.push_back(token("DEEPGRAM_MODEL", &P::deepgram_model, "nova-3", "Recognition model (Hebrew: nova-3)."));
    rows.push_back(token("DEEPGRAM_TTS_MODEL", &P::deepgram_tts_model, "aura-2-thalia-en",
                         "English voice; Deepgram has no Hebrew one."));
    rows.push_back(key("ELEVENLABS_API_KEY", &P::elevenlabs_key, "Key of ElevenLabs."));
    rows.push_back(url("ELEVENLABS_BASE_URL", &P::elevenlabs_url, "https://api.elevenlabs.io", "Its address."));
    rows.push_back(token("ELEVENLABS_VOICE_ID", &P::elevenlabs_voice, "", "Voice. Empty: no speech from there."));
    rows.push_back(token("ELEVENLABS_MODEL_ID", &P::elevenlabs_model, "eleven_v3", "Speech model (Hebrew: v3)."));
    rows.push_back(token("ELEVENLABS_STT_MODEL", &P::elevenlabs_stt_model, "scribe_v2_realtime", "Recognition model."));
    rows.push_back(key("AZURE_SPEECH_KEY", &P::azure_speech_key, "Key of Azure Speech."));
    rows.push_back(token("AZURE_SPEECH_REGION", &P::azure_speech_region, "", "Its region, westeurope."));
    rows.push_back(url("AZURE_SPEECH_ENDPOINT", &P::azure_speech_url, "", "Another address. Empty: the region's."));
    rows.push_back(token("AZURE_SPEECH_VOICE", &P::azure_speech_voice, "he-IL-HilaNeural", "Hebrew voice."));
    rows.push_back(token("AZURE_SPEECH_VOICE_EN", &P::azure_speech_voice_en, "en-US-JennyNeural", "English voice."));
}

}  // namespace

void add_provider_rows(std::vector<SettingRow>& rows) {
    add_common_rows(rows);
    add_openai_rows(rows);
    add_openai_switches(rows);
    add_language_model_rows(rows);
    add_google_rows(rows);
    add_speech_rows(rows);
}

}  // namespace agentlocator
