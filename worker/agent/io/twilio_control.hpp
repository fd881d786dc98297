#pragma once
// Changes a live call through Twilio's REST interface (Twilio docs: Call resource, update). Agent thread only.
#include <string>

#include "common/config.hpp"
#include "common/io/event_loop.hpp"
#include "worker/agent/call_control.hpp"
#include "worker/providers/io/http_client.hpp"

namespace agentlocator {

class TwilioControl final : public CallControl {
public:
    // Throws std::runtime_error for an SSL_CERT_FILE that cannot be read.
    TwilioControl(EventLoop& loop, const Settings& settings);

    [[nodiscard]] std::string missing() const override;
    [[nodiscard]] OperationPtr update(std::string_view call_sid, std::string_view twiml, Done done) override;

private:
    std::string account_;
    std::string token_;
    std::string url_;
    TrustStore trust_;
    HttpClient client_;
};

}  // namespace agentlocator
