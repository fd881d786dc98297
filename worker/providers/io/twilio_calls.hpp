#pragma once
// Performs twilio_rest.hpp: one request for each order, without retries; the call's own end is the second chance.
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "worker/providers/io/http_client.hpp"
#include "worker/providers/twilio_rest.hpp"

namespace agentlocator {

class TwilioCalls {
public:
    // Nothing: done. Called from the event loop; not after this object is gone.
    using Done = std::function<void(const std::optional<ProviderError>&)>;

    TwilioCalls(HttpClient& client, TwilioAccount account);
    ~TwilioCalls();

    [[nodiscard]] bool is_configured() const;  // Account and token are set.
    void hang_up(const std::string& call_sid, Done done);
    void redirect(const std::string& call_sid, const std::string& twiml, Done done);

private:
    class Order;
    void run(HttpCall call, Done done);
    void finish(std::uint64_t id, const std::optional<ProviderError>& problem);

    HttpClient& client_;
    TwilioAccount account_;
    std::map<std::uint64_t, std::unique_ptr<Order>> orders_;
    std::uint64_t next_ = 1;
};

}  // namespace agentlocator
