#pragma once
// Settings of the speech and language services: keys, addresses, models, voices. Each member is one row of the table
// (provider_table.cpp); empty means "not set". Plain values.
#include <chrono>
#include <cstdint>
#include <string>

namespace agentlocator {

struct ProviderSettings {
    std::string ca_file;                          // SSL_CERT_FILE: whom to trust instead of the system's list.
    std::chrono::milliseconds connect_timeout{};  // PROVIDER_CONNECT_TIMEOUT_MS
    // OpenAI and servers that speak its HTTP dialect. Addresses include /v1.
    std::string openai_key;
    std::string openai_url;
    std::string openai_organization;
    std::string openai_project;
    std::string openai_stt_key;  // Empty: openai_key. The same for the addresses.
    std::string openai_stt_url;
    std::string openai_tts_key;
    std::string openai_tts_url;
    std::string openai_llm_model;
    std::string openai_stt_model;
    std::string openai_tts_model;  // Empty: no speech from there.
    std::string openai_tts_voice;
    std::string openai_tts_format;             // pcm or wav
    std::uint32_t openai_tts_sample_rate = 0;  // Of pcm, when the answer does not say.
    std::string openai_tts_instructions;
    std::string openai_stt_format;        // auto, json, verbose_json
    std::string openai_auth;              // auto, bearer, api-key, none
    std::string openai_max_tokens_field;  // auto, max_tokens, max_completion_tokens
    std::string openai_reasoning_effort;  // auto, omit, or the word to send
    std::string openai_stream_options;    // auto, none, usage, obfuscation
    std::string openai_temperature;       // Empty: not sent.
    std::string openai_extra_body;        // JSON object merged into chat requests.
    std::string openai_extra_headers;     // JSON object of texts.
    std::uint32_t llm_max_tokens = 0;     // LLM_MAX_TOKENS, of every provider.
    std::string openai_realtime_url;
    std::string openai_realtime_model;
    std::string openai_realtime_voice;
    std::string openai_realtime_stt_model;  // Transcribes the caller beside the conversation; empty: no transcript.
    std::string openai_realtime_dialect;    // ga, beta
    // Azure OpenAI
    std::string azure_openai_key;
    std::string azure_openai_endpoint;
    std::string azure_openai_version;
    std::string azure_openai_deployment;
    // Groq
    std::string groq_key;
    std::string groq_url;
    std::string groq_llm_model;
    std::string groq_stt_model;
    std::string groq_reasoning_effort;  // omit, or the word to send
    // Anthropic
    std::string anthropic_key;
    std::string anthropic_url;
    std::string anthropic_model;
    std::string anthropic_version;
    // Google: Gemini, and Speech of Google Cloud
    std::string gemini_key;
    std::string gemini_url;
    std::string gemini_model;
    std::string gemini_thinking;  // auto, omit, or a budget in tokens
    std::string google_key;
    std::string google_credentials;  // Path of a service account's JSON key.
    std::string google_project;
    std::string google_location;
    std::string google_stt_api;  // v1, v2
    std::string google_stt_model;
    std::string google_stt_language;  // Empty: from the call's language.
    bool google_stt_streaming = true;
    std::string google_stt_url;  // Empty: from API and location.
    std::string google_tts_voice;
    std::string google_tts_voice_en;
    std::string google_tts_url;
    // Deepgram
    std::string deepgram_key;
    std::string deepgram_url;
    std::string deepgram_model;
    std::string deepgram_tts_model;
    // ElevenLabs
    std::string elevenlabs_key;
    std::string elevenlabs_url;
    std::string elevenlabs_voice;
    std::string elevenlabs_model;
    std::string elevenlabs_stt_model;
    // Azure Speech
    std::string azure_speech_key;
    std::string azure_speech_region;
    std::string azure_speech_url;  // Empty: the region's hosts.
    std::string azure_speech_voice;
    std::string azure_speech_voice_en;
    // Twilio REST
    std::string twilio_api_url;

    friend bool operator==(const ProviderSettings&, const ProviderSettings&) = default;
};

}  // namespace agentlocator
