#pragma once
// What the media thread and the agent thread of a worker tell each other. The media thread owns the call: it hears,
// detects turns, plays and interrupts, and keeps everything that must survive the process in the call's slot. The agent
// thread recognises, thinks and synthesises; it may be slow and it may vanish, and all it knows of a call can be told
// to it again (call_resumed, then the utterance or the keys in hand). Plain values; the payload is borrowed until the
// next read.
//
// Turns number what the caller did, utterances and keys together, rising from 1; 0 is the call's beginning. The agent
// answers turn T with speech of turn T; once a newer turn is under way (interrupted, utterance_ended or key was told)
// speech of an older one is dropped unheard, so that nothing of an answer in flight comes out too late. An utterance
// that is dropped gives its number back.
//
// The agent owes an answer after call_started, utterance_ended, key, silence and time_up: speech, or turn_done when
// there is nothing to say. An agent that stays mute too long is helped out by a recorded apology (AGENT_MUTE_MS);
// `thinking` asks for that time again.
#include <cstdint>
#include <cstring>
#include <string_view>
#include <type_traits>

namespace agentlocator {

// Longest payload of one message, and so of a call's memory.
inline constexpr std::size_t agent_payload_max = 16'384;

enum class ToAgent : std::uint8_t {
    call_started,  // payload: JSON {"call_sid","stream_sid", custom parameters ("from", "to" ...)}.
    call_resumed,  // After a take-over, or when messages were lost because the agent thread was stuck. payload: the
                   // last memory, or call_started's payload when there is none yet; turn: the turn in hand, and
                   // sentence: the next one of it that is not wholly in the slot (everything before it is not asked
                   // again; said anew it is dropped). value: 1 when turn_done came and nothing is owed, else 0. What
                   // the caller did in turns that are not done follows again: utterance_began, audio, utterance_ended,
                   // key.
    call_ended,    // payload: "stop", "hangup", "closed"; "lost" (the connection broke; call_resumed may follow within
                   // minutes, in another slot or worker); "moved" (another worker goes on: store nothing final).
    utterance_began,  // turn: the caller's utterance. value: caller time in ms of its first sample.
    audio,  // turn. payload: mu-law 8 kHz in order, pre-roll first. value: caller time in ms of its first sample.
    utterance_ended,    // turn. value: ms of silence already waited since the last voice (for the latency record).
    utterance_dropped,  // turn. Too short to be speech, or a "mm-hm" over our own speech, which goes on; forget it.
    key,                // turn: its own. payload: one DTMF character. What was being said is already silenced.
    sentence_heard,     // turn, sentence: its mark came back after it was played whole.
    interrupted,        // turn, sentence: being played when the caller cut in; value: ms of it that were heard. What
                        // was not heard is dropped; the caller's utterance or key goes on as its own turn.
    silence,        // turn, sentence: to say next; value: ms since our speech ended with nothing heard; sent once at
                    // each `answer_within`.
    thinking_hint,  // turn, sentence: to say next. THINKING_HINT_MS passed without speech; say the hint or nothing.
    time_up,        // turn, sentence: to say next. The call reached its longest time: say farewell, then hang_up.
};

enum class FromAgent : std::uint8_t {
    speech,         // turn, sentence. payload: mu-law of the agent, any length; in order. value, with the first of an
                    // answer to an utterance: microseconds that services took for it, plus 1 (for the metrics).
    sentence_done,  // turn, sentence: whole; the mark goes behind it. payload: its text, for the log and the history.
    turn_done,      // turn: nothing more will be said; listen.
    thinking,       // turn: still at work (no answer yet); restarts the watch over a mute agent.
    listen,         // payload: listen_payload(hints); from the next utterance on, until the next `listen`.
    remember,       // payload: the call's memory, replaces the last. Committed before any later message is acted upon.
    hang_up,        // After everything said so far was heard; nothing interrupts it any more. payload: reason.
    cancel_turn,    // turn: drop what was not yet heard of it (the caller said "stop", a key answered the question).
    log,            // payload: one line.
};

// One message in either direction. `turn` of the agent's messages is the turn answered; what it says of itself
// (re-prompt, hint, farewell) has the last turn's number and the next sentence number.
template <typename Kind>
struct AgentMessage {
    Kind kind{};
    std::uint32_t slot = 0;  // With `call`: names one call. A message for a call that is over is dropped.
    std::uint64_t call = 0;
    std::uint32_t turn = 0;
    std::uint32_t sentence = 0;
    std::int64_t value = 0;
    std::string_view payload;
};
using ToAgentMessage = AgentMessage<ToAgent>;
using FromAgentMessage = AgentMessage<FromAgent>;

// How to listen to the answer of the question just asked.
struct ListenHints {
    std::uint32_t hangover_ms = 0;       // Silence that ends the utterance; 0: the setting.
    std::uint32_t answer_within_ms = 0;  // Nothing heard this long after our speech: `silence`; 0: the setting.
    bool barge_in = true;                // The caller may interrupt by voice. Keys always may.
    bool streaming = true;               // Send `audio` as it comes; else only when the utterance has ended.
};
static_assert(std::is_trivially_copyable_v<ListenHints>);

// The payload of `listen`: the struct's bytes. Both sides are one program, and the media thread parses no text.
[[nodiscard]] inline std::string_view listen_payload(const ListenHints& hints) {
    return {reinterpret_cast<const char*>(&hints), sizeof hints};
}
[[nodiscard]] inline bool read_listen_payload(std::string_view payload, ListenHints& hints) {
    if (payload.size() != sizeof hints) {
        return false;
    }
    std::memcpy(&hints, payload.data(), sizeof hints);
    return true;
}

// The agent thread's door to the media thread. False: the queue is full; the caller tries again on its next turn.
class AgentOutput {
public:
    [[nodiscard]] virtual bool tell(const FromAgentMessage& message) = 0;

protected:
    AgentOutput() = default;
    AgentOutput(const AgentOutput&) = default;
    AgentOutput& operator=(const AgentOutput&) = default;
    ~AgentOutput() = default;
};

// The media thread's door to the agent thread. False: full, nothing was taken; the media thread never waits.
class AgentInput {
public:
    [[nodiscard]] virtual bool tell(const ToAgentMessage& message) = 0;
    // So many bytes of payload, in records of a frame of audio or more, surely fit now.
    [[nodiscard]] virtual std::size_t room() const = 0;

protected:
    AgentInput() = default;
    AgentInput(const AgentInput&) = default;
    AgentInput& operator=(const AgentInput&) = default;
    ~AgentInput() = default;
};

}  // namespace agentlocator
