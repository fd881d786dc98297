#pragma once
// Recognisers over a WebSocket (ws_dialect.hpp): one socket an utterance, opened when it begins.
#include "worker/providers/io/http_providers.hpp"
#include "worker/providers/ws_dialect.hpp"

namespace agentlocator {

class WsStt final : public SttProvider {
public:
    WsStt(HttpClient& client, std::unique_ptr<WsSttDialect> dialect, ProviderNotice notice);
    [[nodiscard]] std::string_view name() const override { return dialect_->place().provider; }
    [[nodiscard]] bool speaks(std::string_view language, const SttConfig&) const override {
        return dialect_->speaks(language);
    }
    // Proves the key and leaves a TLS session behind, which the sockets resume.
    void prewarm() override { warm_up_.run(); }
    [[nodiscard]] std::unique_ptr<SttUtterance> start(const SttConfig& config, SttListener listener) override;

private:
    HttpClient& client_;
    std::unique_ptr<WsSttDialect> dialect_;
    WarmUp warm_up_;
};

}  // namespace agentlocator
