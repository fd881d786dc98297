#pragma once
// What the agent may do to the telephone call itself, behind Twilio's REST interface.
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "worker/agent/provider.hpp"

namespace agentlocator {

class CallControl {
public:
    // Empty: the call was changed, its stream ends now. Else why not, with the remedy.
    using Done = std::function<void(std::string_view problem)>;

    // Empty: transfers are possible. Else the setting that is missing.
    [[nodiscard]] virtual std::string missing() const = 0;
    // Replaces what the call does by this TwiML. `done` comes later, once, and not after the operation is destroyed.
    [[nodiscard]] virtual OperationPtr update(std::string_view call_sid, std::string_view twiml, Done done) = 0;

protected:
    CallControl() = default;
    CallControl(const CallControl&) = default;
    CallControl& operator=(const CallControl&) = default;
    ~CallControl() = default;
};

// For a runtime without Twilio's credentials.
class NoCallControl final : public CallControl {
public:
    [[nodiscard]] std::string missing() const override { return "TWILIO_ACCOUNT_SID and TWILIO_AUTH_TOKEN"; }
    [[nodiscard]] OperationPtr update(std::string_view, std::string_view, Done) override { return nullptr; }
};

// <Dial> to a person (Twilio docs: TwiML Dial). `number` is validated by the setting.
[[nodiscard]] std::string transfer_twiml(std::string_view number);

}  // namespace agentlocator
