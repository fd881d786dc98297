#pragma once
// A recogniser that is streamed to over a WebSocket: how one utterance is opened, fed, ended and read. Pure; io/ws_stt
// runs it. One socket for an utterance: it opens while the caller speaks, so that its handshake costs no time at the
// end of the turn, and nothing one caller said can end up in another's text.
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "worker/agent/provider.hpp"
#include "worker/providers/failure.hpp"
#include "worker/providers/http_call.hpp"

namespace agentlocator {

struct WsMessage {
    bool binary = false;
    std::string payload;
};

struct WsSttOutput {
    std::optional<std::string> partial;
    bool done = false;  // best() is the text.
    std::optional<ProviderError> error;
};

class WsSttSession {
public:
    virtual ~WsSttSession() = default;
    virtual void open(std::vector<WsMessage>& out) = 0;
    virtual void audio(std::span<const std::uint8_t> mulaw, std::vector<WsMessage>& out) = 0;
    virtual void finish(std::vector<WsMessage>& out) = 0;
    [[nodiscard]] virtual WsSttOutput on_text(std::string_view text) = 0;
    // All that is known of the utterance by now.
    [[nodiscard]] virtual std::string best() const = 0;
};

// What a pure session cannot make itself.
struct WsSttSeed {
    std::string id;    // 32 random hex digits.
    std::string time;  // ISO 8601, UTC.
};

class WsSttDialect {
public:
    virtual ~WsSttDialect() = default;
    [[nodiscard]] virtual const ProviderPlace& place() const = 0;
    [[nodiscard]] virtual bool speaks(std::string_view language) const = 0;
    [[nodiscard]] virtual std::string url(const SttConfig& config) const = 0;
    [[nodiscard]] virtual std::vector<HttpHeader> headers(const WsSttSeed& seed) const = 0;
    [[nodiscard]] virtual std::unique_ptr<WsSttSession> session(const SttConfig& config, WsSttSeed seed) const = 0;
    [[nodiscard]] virtual HttpCall warm_up() const = 0;
};

// "https://host" as "wss://host".
[[nodiscard]] inline std::string socket_url(std::string_view http_url) {
    return "ws" + std::string(http_url.substr(4));
}

// "he" as "he-IL", "en" as "en-US": what most services want.
[[nodiscard]] inline std::string region_language(std::string_view language) {
    if (language == "he") {
        return "he-IL";
    }
    return language == "en" ? "en-US" : std::string(language);
}

}  // namespace agentlocator
