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
    bool in_speech = false;     // The last frame was voice.
    std::uint8_t unvoiced = 0;  // Frames since the last that was; 255 or more.
    float tonality = 0;         // How much the lines of the spectrum stay where they are, as music's do: 0 to 1.
};

// The end pointer: is the caller speaking?
struct EarState {
    std::uint64_t recent = 0;   // Voice frames, one bit each, the last frame lowest.
    std::uint16_t voiced = 0;   // Voice frames of the utterance.
    std::uint16_t silence = 0;  // Frames since its last voice.
    bool open = false;          // An utterance is being heard.
};

// What the caller did that the agent may still have to answer: an utterance, or a key.
struct CallerAct {
    std::uint64_t begin = 0;   // Caller position of the utterance's first sample.
    std::uint32_t length = 0;  // Samples; 0 while the utterance is open.
    std::uint32_t turn = 0;
    char key = 0;  // 0: an utterance.
};
inline constexpr std::size_t caller_acts_max = 3;

// The agent's side of an AI call, as far as it must survive the process (worker/voice). Audio positions are absolute
// sample counts, 8 a millisecond. Times are nanoseconds of the steady clock, which all processes of one machine share.
struct ConversationState {
    // The ear.
    std::uint64_t heard = 0;  // Samples of the caller taken in.
    VadState vad;
    EarState ear;
    std::uint64_t tape_origin = 0;  // Caller position p lies at utterances[(p - tape_origin) % utterance_bytes].
    std::uint64_t told = 0;         // The agent has been told of the newest utterance up to here.
    std::array<CallerAct, caller_acts_max> acts{};
    std::uint8_t act_count = 0;
    bool end_told = true;           // Of the newest utterance: its end has been told, too.
    std::uint32_t turn = 0;         // The newest number given to an act.
    std::uint32_t answer_turn = 0;  // Speech for older turns is dropped.

    // The mouth.
    std::uint32_t speaking_turn = 0;    // Of the sentence that is coming in, or comes next ...
    std::uint32_t speaking_number = 0;  // ... and its number.
    std::uint64_t said = 0;             // Samples of the agent taken in: always whole frames when a sentence is.
    std::uint64_t speech_origin = 0;    // Position p lies at speech[(p - speech_origin) % speech_bytes].
    std::uint64_t sent = 0;             // Given to the stream.
    std::uint64_t sentence_from = 0;    // Where the oldest sentence not yet heard begins.
    std::uint64_t incoming_from = 0;    // Where the sentence that is coming in begins ...
    std::uint32_t incoming_skip = 0;    // ... and how much of it, said anew after a take-over, we have already.
    std::uint32_t sentences_heard = 0;  // Counts of whole sentences: played to the caller or dropped,
    std::uint32_t sentences_sent = 0;   // sent with their mark,
    std::uint32_t sentences_whole = 0;  // taken in. Sentence n lies at sentences[n % sentences_max].
    std::uint32_t mark_offset = 1;      // Added to n gives the number in the mark's name: no number is used twice.
    std::int64_t play_until_ns = 0;     // When the caller will have heard all that was sent.
    std::int64_t talk_since_ns = 0;     // When we began to be heard, after a silence of ours.
    std::int64_t speak_after_ns = 0;    // The breath before an answer.

    // What is owed, and by when.
    std::int64_t started_ns = 0;
    std::int64_t asked_ns = 0;         // Since when the agent owes an answer.
    std::int64_t mute_from_ns = 0;     // Its last sign of life since.
    std::int64_t quiet_from_ns = 0;    // Since when we wait for the caller, if nobody speaks.
    std::int64_t ignore_until_ns = 0;  // A key's tones are on the line.
    std::int64_t heartbeat_at_ns = 0;  // Next heartbeat mark (F-28).
    // Of the answer whose first frame is still to be sent: what services took, in us, plus 1; 0: none is awaited.
    std::uint32_t service_us = 0;
    std::uint16_t waited_ms = 0;  // Silence that ended the utterance it answers.
    std::uint32_t heartbeats = 0;
    bool owed = false;
    bool hint_told = false;
    bool time_up = false;
    bool closing = false;  // After all was heard, hang up.
    std::uint8_t mute_turns = 0;

    // How to listen (ListenHints); the settings where 0.
    bool barge_in = true;
    bool streaming = true;
    std::uint16_t hangover_ms = 0;
    std::uint32_t answer_within_ms = 0;

    // The agent's notes: memory[memory_half], so many bytes.
    std::uint16_t memory_size = 0;
    std::uint8_t memory_half = 0;
    bool remembered = false;  // They are the agent's own, not yet what the call began with.
};

struct CallState {
#ifdef AGENTLOCATOR_OTHER_LAYOUT  // Of a build for tests (worker/call_snapshot).
    std::uint64_t of_another_layout = 0;
#endif
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
    std::uint64_t rx = 0;            // Media messages received.
    std::uint64_t tx = 0;            // 20 ms frames of audio sent; counted in the one function that writes them (F-27).
    std::uint32_t level = 0;         // Mean square of the caller's last audio: 0 while the line is dead silent.
    std::int64_t opened_ns = 0;      // Steady clock.
    std::int64_t heard_ns = 0;       // Last message from the peer.
    ConversationState conversation;  // Last: only AI calls have one, and only their steps copy it.
};

static_assert(std::is_trivially_copyable_v<CallState>);
static_assert(sizeof(CallState) <= 640, "a CallState is copied for each event");

}  // namespace agentlocator
