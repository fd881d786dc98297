#include "worker/providers/factory.hpp"

#include <ctime>
#include <fstream>
#include <iterator>
#include <stdexcept>

#include "worker/providers/anthropic.hpp"
#include "worker/providers/azure_speech.hpp"
#include "worker/providers/deepgram.hpp"
#include "worker/providers/elevenlabs.hpp"
#include "worker/providers/gemini.hpp"
#include "worker/providers/google_speech.hpp"
#include "worker/providers/io/google_stream_stt.hpp"
#include "worker/providers/io/realtime_provider.hpp"
#include "worker/providers/io/twilio_calls.hpp"
#include "worker/providers/io/ws_providers.hpp"
#include "worker/providers/openai_audio.hpp"
#include "worker/providers/openai_chat.hpp"

namespace agentlocator {
namespace {

ServiceAccount load_account(const std::string& path) {
    std::ifstream file(path, std::ios::binary);  // At start only: the loop does not run yet.
    const std::string text{std::istreambuf_iterator<char>(file), {}};
    auto account = read_service_account(text);
    if (!file || !account) {
        throw std::runtime_error("GOOGLE_APPLICATION_CREDENTIALS=" + path + ": " +
                                 (file ? account.error().detail : "cannot be read"));
    }
    return *std::move(account);
}

std::shared_ptr<GoogleAuth> make_google_auth(const ProviderSettings& settings) {
    if (!settings.google_credentials.empty()) {
        return GoogleAuth::with_account(load_account(settings.google_credentials),
                                        [] { return static_cast<std::int64_t>(std::time(nullptr)); });
    }
    return settings.google_key.empty() ? nullptr : GoogleAuth::with_key(settings.google_key);
}

std::string unknown(std::string_view name, const std::vector<std::string_view>& names) {
    std::string text = std::string(name) + " is no provider; valid:";
    for (const std::string_view valid : names) {
        text += " " + std::string(valid);
    }
    return text;
}

// False: the setting is empty, and `why_not` says which.
bool needs(const std::string& value, std::string_view setting, std::string& why_not) {
    if (value.empty()) {
        why_not = std::string(setting) + " is not set";
    }
    return !value.empty();
}

std::optional<AzureSpeechServer> azure_speech(const ProviderSettings& settings, std::string& why_not) {
    if (!needs(settings.azure_speech_key, "AZURE_SPEECH_KEY", why_not)) {
        return std::nullopt;
    }
    AzureSpeechServer server{settings.azure_speech_url, settings.azure_speech_url, settings.azure_speech_key,
                             settings.azure_speech_voice, settings.azure_speech_voice_en};
    if (server.tts_url.empty()) {
        if (!needs(settings.azure_speech_region, "AZURE_SPEECH_REGION", why_not)) {
            return std::nullopt;
        }
        server.tts_url = "https://" + settings.azure_speech_region + ".tts.speech.microsoft.com";
        server.stt_url = "https://" + settings.azure_speech_region + ".stt.speech.microsoft.com";
    }
    return server;
}

}  // namespace

struct NetworkProviders::Shared {
    Shared(EventLoop& loop, const Settings& all, ProviderNotice told)
        : settings(all.providers),
          notice(std::move(told)),
          trust(settings.ca_file),
          client(loop, trust, {.connect_max = settings.connect_timeout}),
          google_auth(make_google_auth(settings)),
          twilio(client, {settings.twilio_api_url, all.twilio_account_sid, all.twilio_auth_token}) {}

    [[nodiscard]] std::optional<GoogleServer> google(std::string& why_not) const {
        if (google_auth == nullptr) {
            why_not = "neither GOOGLE_APPLICATION_CREDENTIALS nor GOOGLE_API_KEY is set";
            return std::nullopt;
        }
        GoogleServer server;
        server.auth = google_auth;
        server.v2 = settings.google_stt_api == "v2";
        server.project = settings.google_project.empty() ? google_auth->project() : settings.google_project;
        if (server.v2 && !needs(server.project, "GOOGLE_CLOUD_PROJECT", why_not)) {
            return std::nullopt;
        }
        server.location = settings.google_location;
        server.stt_url = settings.google_stt_url;
        if (server.stt_url.empty()) {
            const bool regional = server.v2 && server.location != "global";
            server.stt_url = "https://" + (regional ? server.location + "-" : "") + "speech.googleapis.com";
        }
        server.tts_url =
            settings.google_tts_url.empty() ? "https://texttospeech.googleapis.com" : settings.google_tts_url;
        server.model = settings.google_stt_model;
        server.stt_language = settings.google_stt_language;
        server.voice_he = settings.google_tts_voice;
        server.voice_en = settings.google_tts_voice_en;
        return server;
    }

    [[nodiscard]] std::unique_ptr<SttProvider> over_http(std::unique_ptr<SttDialect> dialect) {
        return std::make_unique<HttpStt>(client, std::move(dialect), notice);
    }
    [[nodiscard]] std::unique_ptr<SttProvider> over_socket(std::unique_ptr<WsSttDialect> dialect) {
        return std::make_unique<WsStt>(client, std::move(dialect), notice);
    }

    ProviderSettings settings;
    ProviderNotice notice;
    TrustStore trust;
    HttpClient client;
    std::shared_ptr<GoogleAuth> google_auth;  // Shared with every Google dialect: one token for each service.
    TwilioCalls twilio;
};

// Order of `auto`: those that stream and speak the telephone's own format first.
const std::vector<std::string_view>& network_stt_names() {
    static const std::vector<std::string_view> names{"deepgram", "google", "elevenlabs", "azure", "groq", "openai"};
    return names;
}

const std::vector<std::string_view>& network_llm_names() {
    static const std::vector<std::string_view> names{"openai", "azure-openai", "anthropic", "gemini", "groq"};
    return names;
}

const std::vector<std::string_view>& network_tts_names() {
    static const std::vector<std::string_view> names{"google", "azure", "elevenlabs", "deepgram", "openai"};
    return names;
}

NetworkProviders::NetworkProviders(EventLoop& loop, const Settings& settings,
                                   std::function<void(const ProviderError&)> notice)
    : shared_(std::make_unique<Shared>(loop, settings, std::move(notice))) {}

NetworkProviders::~NetworkProviders() = default;

std::unique_ptr<LlmProvider> NetworkProviders::llm(std::string_view name, std::string& why_not) {
    const ProviderSettings& settings = shared_->settings;
    std::unique_ptr<LlmDialect> dialect;
    const auto openai = [&](std::optional<OpenAiServer> server) {
        if (server) {
            dialect = std::make_unique<OpenAiChat>(*std::move(server));
        }
    };
    if (name == "openai") {
        openai(openai_server(settings, OpenAiUse::chat, why_not));
    } else if (name == "azure-openai") {
        openai(azure_openai_server(settings, why_not));
    } else if (name == "groq") {
        openai(groq_server(settings, OpenAiUse::chat, why_not));
    } else if (name == "anthropic") {
        if (needs(settings.anthropic_key, "ANTHROPIC_API_KEY", why_not)) {
            dialect = std::make_unique<AnthropicMessages>(
                AnthropicServer{settings.anthropic_url, settings.anthropic_key, settings.anthropic_version,
                                settings.anthropic_model, settings.llm_max_tokens});
        }
    } else if (name == "gemini") {
        const std::string& key = settings.gemini_key.empty() ? settings.google_key : settings.gemini_key;
        if (needs(key, "GEMINI_API_KEY", why_not)) {
            dialect = std::make_unique<GeminiContent>(GeminiServer{settings.gemini_url, key, settings.gemini_model,
                                                                   settings.llm_max_tokens, settings.gemini_thinking});
        }
    } else {
        why_not = unknown(name, network_llm_names());
    }
    return dialect == nullptr ? nullptr
                              : std::make_unique<HttpLlm>(shared_->client, std::move(dialect), shared_->notice);
}

std::unique_ptr<SttProvider> NetworkProviders::stt(std::string_view name, std::string& why_not) {
    const ProviderSettings& settings = shared_->settings;
    const auto openai = [&](std::optional<OpenAiServer> server) -> std::unique_ptr<SttProvider> {
        return server ? shared_->over_http(std::make_unique<OpenAiTranscription>(*std::move(server))) : nullptr;
    };
    if (name == "openai") {
        return openai(openai_server(settings, OpenAiUse::transcription, why_not));
    }
    if (name == "groq") {
        return openai(groq_server(settings, OpenAiUse::transcription, why_not));
    }
    if (name == "deepgram") {
        return needs(settings.deepgram_key, "DEEPGRAM_API_KEY", why_not)
                   ? shared_->over_socket(std::make_unique<DeepgramListen>(
                         DeepgramServer{settings.deepgram_url, settings.deepgram_key, settings.deepgram_model}))
                   : nullptr;
    }
    if (name == "elevenlabs") {
        return needs(settings.elevenlabs_key, "ELEVENLABS_API_KEY", why_not)
                   ? shared_->over_socket(std::make_unique<ElevenLabsScribe>(ElevenLabsServer{
                         settings.elevenlabs_url, settings.elevenlabs_key, settings.elevenlabs_stt_model, ""}))
                   : nullptr;
    }
    if (name == "azure") {
        auto server = azure_speech(settings, why_not);
        return server ? shared_->over_socket(std::make_unique<AzureRecognition>(*std::move(server))) : nullptr;
    }
    if (name == "google") {
        auto server = shared_->google(why_not);
        if (server && settings.google_stt_streaming) {
            return std::make_unique<GoogleStreamStt>(shared_->client, *std::move(server), shared_->notice);
        }
        return server ? shared_->over_http(std::make_unique<GoogleRecognition>(*std::move(server))) : nullptr;
    }
    why_not = unknown(name, network_stt_names());
    return nullptr;
}

std::unique_ptr<TtsProvider> NetworkProviders::tts(std::string_view name, std::string& why_not) {
    const ProviderSettings& settings = shared_->settings;
    std::unique_ptr<TtsDialect> dialect;
    if (name == "openai") {
        if (auto server = openai_server(settings, OpenAiUse::speech, why_not)) {
            dialect = std::make_unique<OpenAiSpeech>(*std::move(server));
        }
    } else if (name == "google") {
        if (auto server = shared_->google(why_not)) {
            dialect = std::make_unique<GoogleSpeech>(*std::move(server));
        }
    } else if (name == "azure") {
        if (auto server = azure_speech(settings, why_not)) {
            dialect = std::make_unique<AzureSpeech>(*std::move(server));
        }
    } else if (name == "elevenlabs") {
        if (needs(settings.elevenlabs_key, "ELEVENLABS_API_KEY", why_not) &&
            needs(settings.elevenlabs_voice, "ELEVENLABS_VOICE_ID", why_not)) {
            dialect = std::make_unique<ElevenLabsSpeech>(
                ElevenLabsServer{settings.elevenlabs_url, settings.elevenlabs_key, settings.elevenlabs_model,
                                 settings.elevenlabs_voice});
        }
    } else if (name == "deepgram") {
        if (needs(settings.deepgram_key, "DEEPGRAM_API_KEY", why_not)) {
            dialect = std::make_unique<DeepgramSpeak>(
                DeepgramServer{settings.deepgram_url, settings.deepgram_key, settings.deepgram_tts_model});
        }
    } else {
        why_not = unknown(name, network_tts_names());
    }
    return dialect == nullptr ? nullptr
                              : std::make_unique<HttpTts>(shared_->client, std::move(dialect), shared_->notice);
}

std::unique_ptr<RealtimeProvider> NetworkProviders::realtime(std::string& why_not) {
    const ProviderSettings& settings = shared_->settings;
    const bool official = url_host(settings.openai_realtime_url) == "api.openai.com";
    if (settings.openai_realtime_url.empty()) {
        why_not = "OPENAI_REALTIME_URL is not set";
        return nullptr;
    }
    if (official && !needs(settings.openai_key, "OPENAI_API_KEY", why_not)) {
        return nullptr;
    }
    return std::make_unique<OpenAiRealtime>(
        shared_->client,
        RealtimeServer{settings.openai_realtime_url, settings.openai_key, settings.openai_realtime_model,
                       settings.openai_realtime_voice, settings.openai_realtime_stt_model,
                       settings.openai_realtime_dialect == "beta"});
}

std::unique_ptr<FileTranscriber> NetworkProviders::file_transcriber(std::string_view name) {
    std::string why_not;  // The recogniser of the same name says it.
    std::optional<OpenAiServer> server;
    if (name == "openai") {
        server = openai_server(shared_->settings, OpenAiUse::transcription, why_not);
    } else if (name == "groq") {
        server = groq_server(shared_->settings, OpenAiUse::transcription, why_not);
    }
    return server ? std::make_unique<HttpFileTranscriber>(shared_->client, *std::move(server)) : nullptr;
}

TwilioCalls& NetworkProviders::twilio() {
    return shared_->twilio;
}

HttpClient& NetworkProviders::client() {
    return shared_->client;
}

}  // namespace agentlocator
