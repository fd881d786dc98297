#pragma once
// Azure Speech: speech (REST, SSML in, raw mu-law out) and recognition (the WebSocket protocol of its SDK, which takes
// mu-law behind a WAV header; the REST form takes PCM 16 kHz only and answers once). Pure.
#include "worker/providers/dialect.hpp"
#include "worker/providers/ws_dialect.hpp"

namespace agentlocator {

struct AzureSpeechServer {
    std::string tts_url;  // https://REGION.tts.speech.microsoft.com
    std::string stt_url;  // https://REGION.stt.speech.microsoft.com
    std::string key;
    std::string voice_he;
    std::string voice_en;
    [[nodiscard]] HttpCall warm_up() const;
};

class AzureSpeech final : public TtsDialect {
public:
    explicit AzureSpeech(AzureSpeechServer server);
    [[nodiscard]] const ProviderPlace& place() const override { return place_; }
    [[nodiscard]] bool speaks(std::string_view language) const override;
    [[nodiscard]] HttpCall request(std::string_view text, const TtsConfig& config) const override;
    [[nodiscard]] WavFormat format(const HttpHead&) const override { return {WavFormat::Encoding::mulaw, 8000, 1}; }
    [[nodiscard]] HttpCall warm_up() const override { return server_.warm_up(); }

private:
    [[nodiscard]] std::string voice(const TtsConfig& config) const;
    AzureSpeechServer server_;
    ProviderPlace place_;
};

class AzureRecognition final : public WsSttDialect {
public:
    explicit AzureRecognition(AzureSpeechServer server);
    [[nodiscard]] const ProviderPlace& place() const override { return place_; }
    [[nodiscard]] bool speaks(std::string_view) const override { return true; }
    [[nodiscard]] std::string url(const SttConfig& config) const override;
    [[nodiscard]] std::vector<HttpHeader> headers(const WsSttSeed& seed) const override;
    [[nodiscard]] std::unique_ptr<WsSttSession> session(const SttConfig& config, WsSttSeed seed) const override;
    [[nodiscard]] HttpCall warm_up() const override { return server_.warm_up(); }

private:
    AzureSpeechServer server_;
    ProviderPlace place_;
};

}  // namespace agentlocator
