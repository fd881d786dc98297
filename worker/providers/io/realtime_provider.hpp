#pragma once
// Speech to speech over a WebSocket: openai_realtime.hpp with a socket and deadlines. One socket a call. When it dies
// the call goes on with the cascade, so it is not opened again here.
#include "worker/providers/io/http_client.hpp"
#include "worker/providers/openai_realtime.hpp"

namespace agentlocator {

class OpenAiRealtime final : public RealtimeProvider {
public:
    OpenAiRealtime(HttpClient& client, RealtimeServer server) : client_(client), server_(std::move(server)) {}
    [[nodiscard]] std::string_view name() const override { return RealtimeProtocol::place().provider; }
    [[nodiscard]] std::unique_ptr<RealtimeSession> start(const RealtimeConfig& config,
                                                         RealtimeListener listener) override;

private:
    HttpClient& client_;
    RealtimeServer server_;
};

}  // namespace agentlocator
