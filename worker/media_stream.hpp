#pragma once
// One media stream: WebSocket bytes in, WebSocket bytes out. Pure: no socket, no clock. Everything it remembers lies in
// the call's slot, and every message is one committed step, so that it can stop at any instruction and go on elsewhere.
//
//   waiting --start--> streaming --stop--> stopped --close handshake--> closed
//      |                  |  peer's close, protocol error, refusal, tick deadlines
//      +------------------+--------------------------------------------> closed
//
// Nothing is sent on the stream before `start` or after `stop` but control frames (F-10); the stream id is only ever
// the one from `start` (F-11). Caller audio reaches the outbound path in ECHO mode only (P2).
#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/time.hpp"
#include "worker/call_handle.hpp"
#include "worker/conversation.hpp"
#include "worker/media_message.hpp"
#include "worker/ws_codec.hpp"

namespace agentlocator {

// Lines go out after the step they tell of is committed.
class LineLog {
public:
    virtual void line(std::string_view text) = 0;

protected:
    LineLog() = default;
    LineLog(const LineLog&) = default;
    LineLog& operator=(const LineLog&) = default;
    ~LineLog() = default;
};

// What a stream with a resume token goes on with.
struct ResumedCall {
    std::uint32_t number = 0;  // From 1: how often the call was connected again.
    const VoiceArea* voice = nullptr;
    std::optional<CallState> state{};  // Of the stream before; nothing: not known here.
};

// Given to every stream of a worker.
struct StreamContext {
    Conversation& conversation;
    LineLog& log;
    bool hebrew_realtime = true;
    // Judges `start`: (call sid, token parameter). Empty when signatures are off.
    std::function<bool(std::string_view, std::string_view)> token_valid;
    // Judges `start` with a resume token: (call sid, token). Nothing: not valid, the stream begins anew.
    std::function<std::optional<ResumedCall>(std::string_view, std::string_view)> resume{};
    Duration start_max = std::chrono::seconds(60);    // Upgrade to `start`; a person typing a test needs some.
    Duration silence_max = std::chrono::seconds(10);  // Twilio sends 50 messages a second; this long without is dead.
    Duration close_max = std::chrono::seconds(5);     // Our close frame to the peer's.
    // A stream has begun, or is over: for the record of the call. After the step is committed; may be empty.
    std::function<void(const CallState&)> on_started{};
    std::function<void(const CallState&)> on_ended{};
};

// Working memory of one worker, shared by its streams: a stream needs it only within one call.
struct StreamScratch {
    std::array<std::uint8_t, message_bytes_max> text;
    std::array<std::uint8_t, message_bytes_max> audio;
    std::array<char, message_bytes_max + message_overhead_max> out;
};

class MediaStream final : private Speaker {
public:
    MediaStream(CallHandle call, const StreamContext& context, StreamScratch& scratch)
        : call_(call), context_(context), scratch_(scratch) {}

    // First step of a call: the 101 response becomes position 0 of what is sent.
    void on_open(std::string_view response, WsMode mode, TimePoint now);

    // Bytes that follow the last parsed one. Returns how many were used: whole frames only. It stops early when the
    // send ring has no room for an answer (a slow reader is slowed, not buffered), and once the stream is closed.
    [[nodiscard]] std::size_t on_bytes(std::span<const std::uint8_t> bytes, TimePoint now);

    // About every 100 ms: the agent's speech, and the deadlines.
    void on_tick(TimePoint now);

    // What the agent thread says of this call.
    void on_agent(const FromAgentMessage& message, TimePoint now);

    // The peer's end of the connection is gone, or the socket failed.
    void on_peer_gone();

    // We end it: a close frame with `code`, then wait for the peer's.
    void close(std::uint16_t code, std::string_view why, TimePoint now);

    // The same for a call whose bytes ended workers: nothing of it is looked at any more.
    void condemn(std::string_view why, TimePoint now);

    // on_bytes stopped for want of room: read no more until something was sent.
    [[nodiscard]] bool stalled() const { return call_.room_committed() < step_room; }

    // Both sides said all: send what is queued, then shut the socket.
    [[nodiscard]] bool closed() const { return call_.state().phase == StreamPhase::closed; }

private:
    // Most that one step may add: the echo of a largest message, or a second of agent speech, and some control frames.
    static constexpr std::size_t step_room = message_bytes_max + 24 * 1024 + 4 * message_overhead_max;
    static_assert(step_room < send_ring_bytes);

    // False when the bytes hold no whole frame.
    bool on_frame(std::span<const std::uint8_t> bytes, std::size_t& used, TimePoint now);
    void on_data(CallState& state, const WsFrameHeader& header, std::span<const std::uint8_t> masked, TimePoint now);
    void on_text(CallState& state, std::string_view text, TimePoint now);
    void on_control(CallState& state, WsOpcode opcode, std::span<const std::uint8_t> payload);
    void on_start(CallState& state, const StreamMessage& message, TimePoint now);
    void begin_conversation(CallState& state, const StreamMessage& message, TimePoint now);
    void on_media(CallState& state, std::string_view stream_sid, std::string_view payload, TimePoint now);
    void on_stop(CallState& state, TimePoint now);
    void finish(CallState& state, std::uint16_t code);
    void fail(CallState& state, std::uint16_t code, std::string_view why);
    void send_close(CallState& state, std::uint16_t code);
    void send_text(std::size_t size);
    void log_later(std::string line) { lines_.push_back(std::move(line)); }
    void complain(CallState& state, std::string line);
    void commit();

    // Speaker, towards the conversation; inside a step.
    [[nodiscard]] CallInHand in_hand(CallState& state, TimePoint now);

    void clear() override;
    void play(AgentAudio audio) override;
    void mark(std::string_view name) override;
    void hang_up() override;
    void log(std::string_view line) override { log_later(std::string(line)); }
    void speech_ready(std::uint64_t pcm_bytes) override;
    [[nodiscard]] std::size_t frames_free() const override;

    CallHandle call_;
    const StreamContext& context_;
    StreamScratch& scratch_;
    CallState* step_ = nullptr;  // The shadow state while a step runs.
    std::string_view end_cause_ = "closed";
    std::uint64_t sent_seen_ = 0;  // Send position at the last tick that saw it move, and when that was.
    TimePoint sent_moved_{};
    std::vector<std::string> lines_;  // Said by the step that runs; flushed by commit().
};

}  // namespace agentlocator
