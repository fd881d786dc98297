#pragma once
// OpenAI's Realtime API over a WebSocket, from the side of one call: events in, events and messages out
// (OpenAI API reference: Realtime). Mu-law both ways. Reads the names of the present protocol and of its beta, writes
// the dialect of the setting. Pure.
//
//   configuring --session.updated--> ready --error that cannot be mended--> over
//
// Our own end pointer decides about turns: turn detection over there is off, an utterance is committed by us.
// No sound is sent before session.updated: it would be taken for PCM at 24 kHz. A response is created only when none is
// running. Of a response that was cancelled nothing comes out any more, and of an item that was not heard to its end
// the server is told how much was.
#include <deque>
#include <map>
#include <optional>
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
    std::string text{};      // audio: mu-law
    std::uint32_t turn = 0;  // user_text
    bool final = false;
    ToolCall tool{};
    std::int64_t expires_at = 0;  // ready: unix seconds; 0: not told.
    std::optional<ProviderError> error{};
};

class RealtimeProtocol {
public:
    // Of the caller, kept until the session is ready: the longest that a call keeps of unanswered utterances.
    static constexpr std::size_t early_audio_max = 65 * 8000;
    static constexpr std::size_t turn_bytes_min = 800;  // 100 ms: less is refused when it is committed.
    static constexpr std::size_t items_max = 64;        // Of one response, and remembered; more is a server gone wild.

    RealtimeProtocol(RealtimeServer server, RealtimeConfig config);

    [[nodiscard]] std::string configuration() const;  // The first message.
    void on_text(std::string_view text, std::vector<RealtimeEvent>& events, std::vector<std::string>& messages);

    void push(std::span<const std::uint8_t> mulaw, std::vector<std::string>& messages);
    void end_of_turn(std::uint32_t turn, std::vector<std::string>& messages);  // Commit, and answer.
    void drop_turn(std::vector<std::string>& messages);
    void hear(std::string_view text, std::vector<std::string>& messages);
    void say(std::string_view text, std::vector<std::string>& messages);
    void note(std::string_view text, std::vector<std::string>& messages);
    void tool_result(std::string_view id, std::string_view json, std::vector<std::string>& messages);
    void go_on(std::string_view instructions, std::vector<std::string>& messages);
    void cancel(std::vector<std::string>& messages);
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
    void on_user_text(const nlohmann::json& event, std::vector<RealtimeEvent>& events);
    void respond(std::string instructions, std::vector<std::string>& messages);
    void flush(std::vector<std::string>& messages);
    void send(std::string message, std::vector<std::string>& messages);

    RealtimeServer server_;
    RealtimeConfig config_;
    bool ready_ = false;
    std::int64_t expires_at_ = 0;
    bool responding_ = false;                  // Asked for, and not told to be over.
    bool cancelled_ = false;                   // It is not wanted any more.
    std::optional<std::string> wanted_;        // Instructions of the response to ask for next; empty: none special.
    std::string words_;                        // Of say(), as long as they are only wanted.
    std::vector<std::string> when_ready_;      // Messages that wait for the session.
    std::string pending_;                      // Caller's mu-law not sent yet.
    std::size_t turn_bytes_ = 0;               // Of the utterance in hand.
    std::optional<std::uint32_t> early_turn_;  // It ended before the session was ready.
    std::deque<std::uint32_t> committed_;      // Turns whose items the server has not named yet, oldest first.
    std::uint32_t last_turn_ = 0;              // For servers that name none.
    std::map<std::string, std::uint32_t> turn_of_;              // By the server's name for the caller's item.
    std::deque<std::pair<std::string, std::size_t>> received_;  // Bytes of the last items.
    std::size_t items_ = 0;                                     // Of the response.
};

}  // namespace agentlocator
