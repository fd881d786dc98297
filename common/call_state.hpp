#pragma once
// What one call must remember to go on in another process: plain data, no pointers.
// A CallState is copied, changed and committed as a whole for each event; keep it small.
#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <type_traits>

#include "common/ws_mode.hpp"

namespace agentlocator {

// A text of at most N bytes inside shared memory.
template <std::size_t N>
struct FixedText {
    static_assert(N <= 255);
    std::uint8_t size = 0;
    std::array<char, N> bytes{};

    [[nodiscard]] std::string_view view() const { return {bytes.data(), size <= N ? size : 0U}; }
    // False when it does not fit; then nothing is changed.
    [[nodiscard]] bool assign(std::string_view text) {
        if (text.size() > N) {
            return false;
        }
        for (std::size_t i = 0; i < text.size(); ++i) {
            bytes[i] = text[i];
        }
        size = static_cast<std::uint8_t>(text.size());
        return true;
    }
    [[nodiscard]] bool empty() const { return size == 0; }
};

// Twilio ids have 34 characters; others that follow the protocol may be longer.
using StreamSid = FixedText<63>;
using CallSid = FixedText<63>;

// A mark we sent: its name is made from these, so that the state stays small ("tts_3", "heartbeat_12").
struct Mark {
    enum class Kind : std::uint32_t { speech, heartbeat } kind = Kind::speech;
    std::uint32_t number = 0;
};
inline constexpr std::size_t marks_outstanding_max = 16;

enum class StreamPhase : std::uint8_t {
    waiting,    // Upgraded; no `start` yet, so nothing may be sent (F-10, F-11).
    streaming,  // Between `start` and `stop`.
    stopped,    // `stop` seen or we are hanging up: nothing but a close frame may be sent.
    closed,     // Both sides are done; the slot is about to be freed.
};

// Whether the call may go on in another stream. Set once, by the first sign of the end.
enum class StreamFate : std::uint8_t {
    open,      // No end is known. In a freed slot: its worker died and took the connection along.
    lost,      // The connection broke, or we could not go on: nobody meant to end the call.
    finished,  // `stop`, a goodbye, a refusal: the call is over.
};

// WebSocket frames on their way in (RFC 6455 5).
struct FrameState {
    std::uint64_t parsed = 0;          // Absolute position after the last whole frame taken in.
    std::uint64_t remainder_at = 0;    // Absolute position of the first byte kept in the slot's remainder buffer ...
    std::uint32_t remainder_size = 0;  // ... and how many are kept; those before `parsed` are spent.
    std::uint32_t message_size = 0;    // Bytes of an unfinished fragmented message kept in the slot.
    std::uint8_t remainder_half = 0;   // Which of the slot's two remainder buffers holds them.
    bool message_open = false;         // A fragmented text message has begun and not ended.
    bool close_received = false;
    bool close_sent = false;
    bool deaf = false;  // What still comes is dropped unread: looking at it may be what ends workers.

    // Everything before this position has been taken from the kernel and kept or used.
    [[nodiscard]] std::uint64_t known_end() const {
        const std::uint64_t kept = remainder_at + remainder_size;
        return kept > parsed ? kept : parsed;
    }
};

// Bytes on their way out: position p lies at send_ring[(p - origin) % send_ring_bytes].
struct SendState {
    std::uint64_t tail = 0;    // Absolute position after the last committed byte.
    std::uint64_t origin = 0;  // Moves up to `tail` whenever the ring is empty, so that few pages are touched.
};

// The voice detector's few values; its memory lies in the slot (common/voice_area.hpp).
struct VadState {
    std::uint32_t frames = 0;  // Taken in so far.
    std::array<std::uint8_t, 2> tone_peaks{};
    std::uint8_t tone_frames = 0;
    bool in_speech = false;  // The last frame was voice.
};

// The end pointer: is the caller speaking?
struct EarState {
    std::uint64_t recent = 0;   // Voice frames, one bit each, the last frame lowest.
    std::uint16_t voiced = 0;   // Voice frames of the utterance.
    std::uint16_t silence = 0;  // Frames since its last voice.
    bool open = false;          // An utterance is being heard.
};

// The agent's side of an AI call, as far as it must survive the process. The voice pipeline extends it. Times are
// nanoseconds of the steady clock, which all processes of one machine share.
struct ConversationState {
    std::uint32_t turn = 0;            // Names the utterance being spoken; part of its mark's name.
    std::uint32_t prompt_at = 0;       // Next byte of the prompt to send.
    std::int64_t play_until_ns = 0;    // When the caller will have heard all that was sent.
    std::int64_t heartbeat_at_ns = 0;  // Next heartbeat mark (F-28).
    std::uint32_t noise_floor = 0;     // Mean square of the line when nobody speaks; 0 before the first frame.
    std::uint32_t heartbeats = 0;
    std::uint16_t voice_frames = 0;    // Frames of 20 ms with voice in the utterance being heard.
    std::uint16_t silence_frames = 0;  // Frames without voice since the last one with.
    std::uint8_t prompt = 0;           // Which recorded prompt is being spoken; 0 none.
    std::uint8_t marks = 0;            // Outstanding marks, oldest first.
    std::array<Mark, marks_outstanding_max> outstanding{};
};

struct CallState {
    FrameState frames;
    SendState send;
    StreamPhase phase = StreamPhase::waiting;
    WsMode mode = WsMode::ai;
    bool done_logged = false;      // WS_DONE is printed once per call, by whoever ends it.
    std::uint16_t close_code = 0;  // The one we sent or received; 0 none.
    std::uint16_t complaints = 0;  // Lines logged about the peer's mistakes.
    StreamFate fate = StreamFate::open;
    std::uint8_t resumes = 0;  // How often this call was connected again before this stream.
    StreamSid stream_sid;
    CallSid call_sid;
    std::uint64_t rx = 0;        // Media messages received.
    std::uint64_t tx = 0;        // 20 ms frames of audio sent; counted in the one function that writes them (F-27).
    std::uint32_t level = 0;     // Mean square of the caller's last audio: 0 while the line is dead silent.
    std::int64_t opened_ns = 0;  // Steady clock.
    std::int64_t heard_ns = 0;   // Last message from the peer.
    ConversationState conversation;
};

static_assert(std::is_trivially_copyable_v<CallState>);
static_assert(sizeof(CallState) <= 512, "a CallState is copied for each event");

}  // namespace agentlocator
