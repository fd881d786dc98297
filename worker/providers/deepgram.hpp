#pragma once
// Deepgram: streaming recognition (/v1/listen) and speech (/v1/speak). Takes and gives the telephone's own mu-law.
// Deepgram docs: Live streaming API, Text to speech. Pure.
#include "common/provider_settings.hpp"
#include "worker/providers/dialect.hpp"
#include "worker/providers/ws_dialect.hpp"

namespace agentlocator {

struct DeepgramServer {
    std::string base_url;
    std::string key;
    std::string model;
    [[nodiscard]] HttpCall warm_up() const;
};

class DeepgramListen final : public WsSttDialect {
public:
    explicit DeepgramListen(DeepgramServer server);
    [[nodiscard]] const ProviderPlace& place() const override { return place_; }
    [[nodiscard]] bool speaks(std::string_view) const override { return true; }
    [[nodiscard]] std::string url(const SttConfig& config) const override;
    [[nodiscard]] std::vector<HttpHeader> headers(const WsSttSeed& seed) const override;
    [[nodiscard]] std::unique_ptr<WsSttSession> session(const SttConfig& config, WsSttSeed seed) const override;
    [[nodiscard]] HttpCall warm_up() const override { return server_.warm_up(); }

private:
    DeepgramServer server_;
    ProviderPlace place_;
};

class DeepgramSpeak final : public TtsDialect {
public:
    explicit DeepgramSpeak(DeepgramServer server);
    [[nodiscard]] const ProviderPlace& place() const override { return place_; }
    // The model's name ends with its language: aura-2-thalia-en. There is no Hebrew one.
    [[nodiscard]] bool speaks(std::string_view language) const override;
    [[nodiscard]] HttpCall request(std::string_view text, const TtsConfig& config) const override;
    [[nodiscard]] WavFormat format(const HttpHead&) const override { return {WavFormat::Encoding::mulaw, 8000, 1}; }
    [[nodiscard]] HttpCall warm_up() const override { return server_.warm_up(); }

private:
    DeepgramServer server_;
    ProviderPlace place_;
};

}  // namespace agentlocator
