#include "worker/providers/factory.hpp"

#include "worker/providers/io/http_providers.hpp"
#include "worker/providers/openai_audio.hpp"
#include "worker/providers/openai_chat.hpp"

namespace agentlocator {

struct NetworkProviders::Shared {
    Shared(EventLoop& loop, const Settings& all, ProviderNotice told)
        : settings(all.providers),
          notice(std::move(told)),
          trust(settings.ca_file),
          client(loop, trust, {.connect_max = settings.connect_timeout}) {}

    ProviderSettings settings;
    ProviderNotice notice;
    TrustStore trust;
    HttpClient client;
};

namespace {

std::string unknown(std::string_view name, const std::vector<std::string_view>& names) {
    std::string text = std::string(name) + " is no provider; valid:";
    for (const std::string_view valid : names) {
        text += " " + std::string(valid);
    }
    return text;
}

}  // namespace

const std::vector<std::string_view>& network_stt_names() {
    static const std::vector<std::string_view> names{"openai", "groq"};
    return names;
}

const std::vector<std::string_view>& network_llm_names() {
    static const std::vector<std::string_view> names{"openai", "azure-openai", "groq"};
    return names;
}

const std::vector<std::string_view>& network_tts_names() {
    static const std::vector<std::string_view> names{"openai"};
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
    } else {
        why_not = unknown(name, network_llm_names());
    }
    return dialect == nullptr ? nullptr
                              : std::make_unique<HttpLlm>(shared_->client, std::move(dialect), shared_->notice);
}

std::unique_ptr<SttProvider> NetworkProviders::stt(std::string_view name, std::string& why_not) {
    const ProviderSettings& settings = shared_->settings;
    std::unique_ptr<SttDialect> dialect;
    const auto openai = [&](std::optional<OpenAiServer> server) {
        if (server) {
            dialect = std::make_unique<OpenAiTranscription>(*std::move(server));
        }
    };
    if (name == "openai") {
        openai(openai_server(settings, OpenAiUse::transcription, why_not));
    } else if (name == "groq") {
        openai(groq_server(settings, OpenAiUse::transcription, why_not));
    } else {
        why_not = unknown(name, network_stt_names());
    }
    return dialect == nullptr ? nullptr
                              : std::make_unique<HttpStt>(shared_->client, std::move(dialect), shared_->notice);
}

std::unique_ptr<TtsProvider> NetworkProviders::tts(std::string_view name, std::string& why_not) {
    const ProviderSettings& settings = shared_->settings;
    std::unique_ptr<TtsDialect> dialect;
    if (name == "openai") {
        if (auto server = openai_server(settings, OpenAiUse::speech, why_not)) {
            dialect = std::make_unique<OpenAiSpeech>(*std::move(server));
        }
    } else {
        why_not = unknown(name, network_tts_names());
    }
    return dialect == nullptr ? nullptr
                              : std::make_unique<HttpTts>(shared_->client, std::move(dialect), shared_->notice);
}

std::unique_ptr<RealtimeProvider> NetworkProviders::realtime(std::string& why_not) {
    why_not = "no realtime provider is configured";
    return nullptr;
}

}  // namespace agentlocator
