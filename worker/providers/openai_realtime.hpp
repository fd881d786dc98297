#pragma once
// OpenAI's Realtime API over a WebSocket, from the side of one call: events in, events and messages out
// (OpenAI API reference: Realtime). Mu-law both ways. Reads the names of the present protocol and of its beta, writes
// the dialect of the setting. Pure.
//
//   configuring --session.updated--> ready --error that cannot be mended--> over
//
// Our own end pointer decides about turns: turn detection over there is off, an utterance is committed by us.
// No sound is sent before session.updated: it would be taken for PCM at 24 kHz. A response is created only when none is
// running. After an interruption the sound of the item interrupted is dropped, and the server is told what was heard.
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "worker/agent/provider.hpp"
#include "worker/providers/failure.hpp"

namespace agentlocator {

struct RealtimeServer {
    std::string url;
    std::string key;
    std::string model;
    std::string voice;
    std::string stt_model;  // Empty: the caller's words are not written down.
    bool beta = false;

    [[nodiscard]] std::string socket_url() const;
    [[nodiscard]] std::vector<HttpHeader> headers() const;
};

struct RealtimeEvent {
    enum class Kind : std::uint8_t {
        ready,
        audio,
        audio_done,
        user_started,
        user_text,
        agent_text,
        tool_call,
        turn_done,
        error,
    } kind = Kind::ready;
    std::string item{};
    std::string text{};  // audio: mu-law
    bool final = false;
    ToolCall tool{};
    std::optional<ProviderError> error{};
};

class RealtimeProtocol {
public:
    static constexpr std::size_t early_audio_max = 8000;  // A second of the caller, kept until the session is ready.

    RealtimeProtocol(RealtimeServer server, RealtimeConfig config);

    [[nodiscard]] std::string configuration() const;  // The first message.
    void on_text(std::string_view text, std::vector<RealtimeEvent>& events, std::vector<std::string>& messages);

    void push(std::span<const std::uint8_t> mulaw, std::vector<std::string>& messages);
    void end_of_turn(std::vector<std::string>& messages);  // Commit, and answer.
    void say(std::string_view text, std::vector<std::string>& messages);
    void tool_result(std::string_view id, std::string_view json, std::vector<std::string>& messages);
    void interrupted(std::string_view item, Duration heard, std::vector<std::string>& messages);

    [[nodiscard]] bool is_ready() const { return ready_; }
    [[nodiscard]] bool expects_audio() const { return responding_; }
    [[nodiscard]] static const ProviderPlace& place();

private:
    void on_ready(std::vector<RealtimeEvent>& events, std::vector<std::string>& messages);
    void on_audio(const nlohmann::json& event, std::vector<RealtimeEvent>& events);
    void on_response_done(const nlohmann::json& event, std::vector<RealtimeEvent>& events,
                          std::vector<std::string>& messages);
    void on_error(std::string_view text, const nlohmann::json& event, std::vector<RealtimeEvent>& events);
    void respond(std::vector<std::string>& messages);
    void flush(std::vector<std::string>& messages);

    RealtimeServer server_;
    RealtimeConfig config_;
    bool ready_ = false;
    bool responding_ = false;
    bool response_wanted_ = false;
    std::optional<std::string> words_wanted_;      // say() before it could be asked for.
    std::string pending_;                          // Caller's mu-law not sent yet.
    std::size_t turn_bytes_ = 0;                   // Of the utterance in hand.
    bool turn_over_ = false;                       // It ended before the session was ready.
    std::map<std::string, std::size_t> received_;  // Bytes of each item of the response.
    std::set<std::string> dropped_;                // Items interrupted.
};

}  // namespace agentlocator
