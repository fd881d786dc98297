#pragma once
// ElevenLabs: speech (HTTP stream, ulaw_8000) and Scribe realtime recognition (WebSocket, ulaw_8000, committed by us).
// ElevenLabs docs: Create speech stream, Realtime speech to text. Pure.
#include "worker/providers/dialect.hpp"
#include "worker/providers/ws_dialect.hpp"

namespace agentlocator {

struct ElevenLabsServer {
    std::string base_url;
    std::string key;
    std::string model;
    std::string voice;
    [[nodiscard]] HttpCall warm_up() const;
};

class ElevenLabsSpeech final : public TtsDialect {
public:
    explicit ElevenLabsSpeech(ElevenLabsServer server);
    [[nodiscard]] const ProviderPlace& place() const override { return place_; }
    // The older families have no Hebrew and refuse the language code.
    [[nodiscard]] bool speaks(std::string_view language) const override;
    [[nodiscard]] HttpCall request(std::string_view text, const TtsConfig& config) const override;
    [[nodiscard]] WavFormat format(const HttpHead&) const override { return {WavFormat::Encoding::mulaw, 8000, 1}; }
    [[nodiscard]] HttpCall warm_up() const override { return server_.warm_up(); }

private:
    ElevenLabsServer server_;
    ProviderPlace place_;
};

class ElevenLabsScribe final : public WsSttDialect {
public:
    explicit ElevenLabsScribe(ElevenLabsServer server);
    [[nodiscard]] const ProviderPlace& place() const override { return place_; }
    [[nodiscard]] bool speaks(std::string_view) const override { return true; }
    [[nodiscard]] std::string url(const SttConfig& config) const override;
    [[nodiscard]] std::vector<HttpHeader> headers(const WsSttSeed& seed) const override;
    [[nodiscard]] std::unique_ptr<WsSttSession> session(const SttConfig& config, WsSttSeed seed) const override;
    [[nodiscard]] HttpCall warm_up() const override { return server_.warm_up(); }

private:
    ElevenLabsServer server_;
    ProviderPlace place_;
};

}  // namespace agentlocator
