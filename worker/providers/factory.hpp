#pragma once
// From settings to providers, by name. The caller owns the choice and the order (chains, breakers); here is what there
// is. Everything is made once, at start, and lives on the agent thread.
//
// Network providers never retry: what is worth another try, and whom to ask, is told by the error's class. They
// deliver their errors late (from the event loop), redacted, and with a remedy.
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "common/config.hpp"
#include "worker/agent/file_transcriber.hpp"
#include "worker/agent/provider.hpp"

namespace agentlocator {

class EventLoop;
class HttpClient;
class TwilioCalls;  // io/twilio_calls.hpp

// Names that may stand in a chain, best first; the order of `auto`.
[[nodiscard]] const std::vector<std::string_view>& network_stt_names();
[[nodiscard]] const std::vector<std::string_view>& network_llm_names();
[[nodiscard]] const std::vector<std::string_view>& network_tts_names();

class NetworkProviders {
public:
    // `notice`: a provider that was warmed up will not work (wrong key, unreachable); once each, with the remedy.
    // Throws std::runtime_error when SSL_CERT_FILE or GOOGLE_APPLICATION_CREDENTIALS cannot be used: at start only.
    NetworkProviders(EventLoop& loop, const Settings& settings, std::function<void(const ProviderError&)> notice = {});
    ~NetworkProviders();
    NetworkProviders(const NetworkProviders&) = delete;
    NetworkProviders& operator=(const NetworkProviders&) = delete;

    // Nothing: not configured, and `why_not` names the setting that is missing (or the name is unknown). Providers must
    // not outlive this object.
    [[nodiscard]] std::unique_ptr<SttProvider> stt(std::string_view name, std::string& why_not);
    // Of the recognisers, those that take a recording as a file.
    [[nodiscard]] std::unique_ptr<FileTranscriber> file_transcriber(std::string_view name);
    [[nodiscard]] std::unique_ptr<LlmProvider> llm(std::string_view name, std::string& why_not);
    [[nodiscard]] std::unique_ptr<TtsProvider> tts(std::string_view name, std::string& why_not);
    [[nodiscard]] std::unique_ptr<RealtimeProvider> realtime(std::string& why_not);
    // Hangs up and transfers calls; check is_configured().
    [[nodiscard]] TwilioCalls& twilio();
    [[nodiscard]] HttpClient& client();

private:
    struct Shared;
    std::unique_ptr<Shared> shared_;
};

}  // namespace agentlocator
