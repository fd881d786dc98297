#pragma once
// One server that speaks OpenAI's HTTP dialect: where it is, how it is keyed, and in what it differs. One client covers
// OpenAI, Azure OpenAI, Groq, Ollama, llama.cpp, vLLM, LocalAI, speaches and whisper.cpp. Pure.
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/provider_settings.hpp"
#include "worker/providers/failure.hpp"
#include "worker/providers/http_call.hpp"

namespace agentlocator {

enum class OpenAiAuth : std::uint8_t { bearer, api_key, none };

struct OpenAiServer {
    ProviderPlace place;
    std::string base_url;  // With /v1, without trailing slash.
    std::string query;     // Azure: "api-version=...".
    std::string key;
    OpenAiAuth auth = OpenAiAuth::bearer;
    std::vector<HttpHeader> extra_headers;
    std::string model;
    // Chat
    std::string max_tokens_field = "max_tokens";
    std::uint32_t max_tokens = 0;
    std::string reasoning_effort;  // Empty: not sent, as the next three.
    std::string temperature;
    std::string stream_options;  // "usage", "obfuscation"
    std::string extra_body;
    bool cache_key = false;  // prompt_cache_key is known there.
    // Transcription
    std::string response_format = "json";
    // Speech
    std::string voice;
    std::string speech_format = "pcm";
    std::uint32_t sample_rate = 24'000;
    std::string instructions;

    // A call of `path` ("/chat/completions") with the headers of every request.
    [[nodiscard]] HttpCall call(std::string_view path, std::string_view content_type) const;
};

enum class OpenAiUse : std::uint8_t { chat, transcription, speech };

// The three servers of the settings. Nothing: not configured, and `why_not` says what is missing.
[[nodiscard]] std::optional<OpenAiServer> openai_server(const ProviderSettings& settings, OpenAiUse use,
                                                        std::string& why_not);
[[nodiscard]] std::optional<OpenAiServer> azure_openai_server(const ProviderSettings& settings, std::string& why_not);
[[nodiscard]] std::optional<OpenAiServer> groq_server(const ProviderSettings& settings, OpenAiUse use,
                                                      std::string& why_not);

}  // namespace agentlocator
