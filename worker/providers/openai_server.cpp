#include "worker/providers/openai_server.hpp"

#include "worker/providers/json_text.hpp"

namespace agentlocator {
namespace {

constexpr std::string_view official_host = "api.openai.com";

std::string choose(const std::string& first, const std::string& second) {
    return first.empty() ? second : first;
}

std::vector<HttpHeader> read_extra_headers(const std::string& text) {
    std::vector<HttpHeader> headers;
    const auto document = parse_json(text);
    if (document.is_object()) {
        for (const auto& [name, value] : document.items()) {
            headers.push_back({name, value.is_string() ? value.get<std::string>() : std::string()});
        }
    }
    return headers;
}

std::string_view operation(OpenAiUse use) {
    switch (use) {
        case OpenAiUse::chat:
            return "chat";
        case OpenAiUse::transcription:
            return "transcribe";
        case OpenAiUse::speech:
            return "speak";
    }
    return "chat";
}

// The switches an operator may set, else what this server is known to want.
void set_switches(OpenAiServer& server, const ProviderSettings& settings, bool official) {
    const auto pick = [](const std::string& setting, std::string_view automatic) {
        return setting == "auto" ? std::string(automatic) : setting;
    };
    server.max_tokens_field = pick(settings.openai_max_tokens_field, official ? "max_completion_tokens" : "max_tokens");
    server.max_tokens = settings.llm_max_tokens;
    server.reasoning_effort = pick(settings.openai_reasoning_effort, official ? "none" : "omit");
    if (server.reasoning_effort == "omit") {
        server.reasoning_effort.clear();
    }
    server.stream_options = pick(settings.openai_stream_options, official ? "obfuscation" : "none");
    if (server.stream_options == "none") {
        server.stream_options.clear();
    }
    server.response_format = pick(settings.openai_stt_format, official ? "json" : "verbose_json");
    server.temperature = settings.openai_temperature;
    server.extra_body = settings.openai_extra_body;
    server.extra_headers = read_extra_headers(settings.openai_extra_headers);
    server.cache_key = official;
    server.voice = settings.openai_tts_voice;
    server.speech_format = settings.openai_tts_format;
    server.sample_rate = settings.openai_tts_sample_rate;
    server.instructions = settings.openai_tts_instructions;
}

}  // namespace

HttpCall OpenAiServer::call(std::string_view path, std::string_view content_type) const {
    HttpCall call;
    call.url = base_url + std::string(path) + (query.empty() ? "" : "?" + query);
    if (!key.empty() && auth == OpenAiAuth::bearer) {
        call.headers.push_back({"Authorization", "Bearer " + key});
    } else if (!key.empty() && auth == OpenAiAuth::api_key) {
        call.headers.push_back({"api-key", key});
    }
    if (!content_type.empty()) {
        call.headers.push_back({"Content-Type", std::string(content_type)});
    }
    call.headers.insert(call.headers.end(), extra_headers.begin(), extra_headers.end());
    return call;
}

std::optional<OpenAiServer> openai_server(const ProviderSettings& settings, OpenAiUse use, std::string& why_not) {
    OpenAiServer server;
    server.place = {"openai", std::string(operation(use)), "OPENAI_API_KEY", "OPENAI_LLM_MODEL", "OPENAI_BASE_URL"};
    server.base_url = settings.openai_url;
    server.key = settings.openai_key;
    server.model = settings.openai_llm_model;
    if (use == OpenAiUse::transcription) {
        server.base_url = choose(settings.openai_stt_url, settings.openai_url);
        server.key = choose(settings.openai_stt_key, settings.openai_key);
        server.model = settings.openai_stt_model;
        server.place.model_setting = "OPENAI_STT_MODEL";
    } else if (use == OpenAiUse::speech) {
        server.base_url = choose(settings.openai_tts_url, settings.openai_url);
        server.key = choose(settings.openai_tts_key, settings.openai_key);
        server.model = settings.openai_tts_model;
        server.place.model_setting = "OPENAI_TTS_MODEL";
    }
    const bool official = url_host(server.base_url) == official_host;
    if (official && server.key.empty()) {
        why_not = "OPENAI_API_KEY is not set";
        return std::nullopt;
    }
    if (server.model.empty()) {
        why_not = std::string(server.place.model_setting) + " is not set";
        return std::nullopt;
    }
    set_switches(server, settings, official);
    if (!settings.openai_organization.empty()) {
        server.extra_headers.push_back({"OpenAI-Organization", settings.openai_organization});
    }
    if (!settings.openai_project.empty()) {
        server.extra_headers.push_back({"OpenAI-Project", settings.openai_project});
    }
    server.auth = settings.openai_auth == "api-key" ? OpenAiAuth::api_key
                  : settings.openai_auth == "none"  ? OpenAiAuth::none
                                                    : OpenAiAuth::bearer;
    return server;
}

std::optional<OpenAiServer> azure_openai_server(const ProviderSettings& settings, std::string& why_not) {
    const std::pair<const std::string&, const char*> needed[] = {
        {settings.azure_openai_key, "AZURE_OPENAI_API_KEY"},
        {settings.azure_openai_endpoint, "AZURE_OPENAI_ENDPOINT"},
        {settings.azure_openai_deployment, "AZURE_OPENAI_DEPLOYMENT"}};
    for (const auto& entry : needed) {
        if (entry.first.empty()) {
            why_not = std::string(entry.second) + " is not set";
            return std::nullopt;
        }
    }
    OpenAiServer server;
    set_switches(server, settings, true);
    server.cache_key = false;
    server.place = {"azure-openai", "chat", "AZURE_OPENAI_API_KEY", "AZURE_OPENAI_DEPLOYMENT", "AZURE_OPENAI_ENDPOINT"};
    server.key = settings.azure_openai_key;
    server.auth = OpenAiAuth::api_key;
    server.model = settings.azure_openai_deployment;
    server.extra_headers.clear();
    server.extra_body.clear();
    server.base_url = settings.azure_openai_endpoint;
    if (settings.azure_openai_version.empty()) {
        server.base_url += "/openai/v1";
    } else {
        server.base_url += "/openai/deployments/" + url_encode(settings.azure_openai_deployment);
        server.query = "api-version=" + url_encode(settings.azure_openai_version);
    }
    return server;
}

std::optional<OpenAiServer> groq_server(const ProviderSettings& settings, OpenAiUse use, std::string& why_not) {
    if (settings.groq_key.empty()) {
        why_not = "GROQ_API_KEY is not set";
        return std::nullopt;
    }
    OpenAiServer server;
    const bool chat = use == OpenAiUse::chat;
    server.place = {"groq", std::string(operation(use)), "GROQ_API_KEY", chat ? "GROQ_LLM_MODEL" : "GROQ_STT_MODEL",
                    "GROQ_BASE_URL"};
    server.base_url = settings.groq_url;
    server.key = settings.groq_key;
    server.model = chat ? settings.groq_llm_model : settings.groq_stt_model;
    server.max_tokens_field = "max_completion_tokens";
    server.max_tokens = settings.llm_max_tokens;
    server.reasoning_effort = settings.groq_reasoning_effort == "omit" ? "" : settings.groq_reasoning_effort;
    server.response_format = "verbose_json";
    return server;
}

}  // namespace agentlocator
