#pragma once
// Google recognition while the caller speaks: gRPC's bidirectional stream over libcurl's HTTP/2. One stream an
// utterance (Google ends a stream after five minutes), many streams on one connection.
#include "worker/providers/google_speech.hpp"
#include "worker/providers/io/http_providers.hpp"

namespace agentlocator {

class GoogleStreamStt final : public SttProvider {
public:
    GoogleStreamStt(HttpClient& client, GoogleServer server, ProviderNotice notice);
    [[nodiscard]] std::string_view name() const override { return place_.provider; }
    [[nodiscard]] bool speaks(std::string_view, const SttConfig&) const override { return true; }
    void prewarm() override { warm_up_.run(); }
    [[nodiscard]] std::unique_ptr<SttUtterance> start(const SttConfig& config, SttListener listener) override;

private:
    HttpClient& client_;
    GoogleServer server_;
    ProviderPlace place_;
    WarmUp warm_up_;
};

}  // namespace agentlocator
