#pragma once
// What the media thread and the agent thread of a worker tell each other. The media thread owns the call: it hears,
// detects turns, plays and interrupts, and keeps everything that must survive the process in the call's slot. The agent
// thread recognises, thinks and synthesises; it may be slow and it may vanish, and all it knows of a call can be told
// to it again (call_resumed, then the utterance in hand). Plain values; the payload is borrowed until the next read.
#include <cstdint>
#include <string_view>

namespace agentlocator {

// Longest payload of one message, and so of a call's memory.
inline constexpr std::size_t agent_payload_max = 16'384;

enum class ToAgent : std::uint8_t {
    call_started,  // payload: JSON {"call_sid","stream_sid","from","to", custom parameters}.
    call_resumed,  // After a take-over or a resumed stream. payload: the last memory; turn: the turn in hand, and
                   // sentence: the next one of it not yet wholly in the slot (everything before it is not asked again).
    call_ended,    // payload: "stop", "hangup", "closed", "moved" (another worker goes on: store nothing final).
    utterance_began,  // turn: the caller's utterance, rising from 1. value: caller time in ms of its first sample.
    audio,  // turn. payload: mu-law 8 kHz in order, pre-roll first. value: caller time in ms of its first sample.
    utterance_ended,    // turn. value: ms of silence already waited since the last voice (for the latency record).
    utterance_dropped,  // turn. Too short to be speech; forget it.
    key,                // payload: one DTMF character.
    sentence_heard,     // turn, sentence: its mark came back after it was played whole.
    interrupted,        // turn, sentence: being played when the caller cut in; value: ms of it that were heard.
    silence,            // value: ms since our speech ended with nothing heard; sent once at each `answer_within`.
};

enum class FromAgent : std::uint8_t {
    speech,         // turn, sentence. payload: mu-law of the agent, any length; in order.
    sentence_done,  // turn, sentence: whole; the mark goes behind it. payload: its text, for the log and the history.
    turn_done,      // turn: nothing more will be said; listen.
    thinking,       // turn: still at work (no answer yet); restarts the watch over a mute agent.
    listen,         // payload: JSON of ListenHints; from the next utterance on.
    remember,       // payload: the call's memory, replaces the last. Committed before any later message is acted upon.
    hang_up,        // After everything said so far was heard. payload: reason.
    cancel_turn,    // turn: drop what was not yet heard of it (a key answered the question).
    log,            // payload: one line.
};

// One message in either direction. `turn` of the agent's messages is the turn answered; 0 is the greeting and what the
// agent says of itself (re-prompt) gets the last turn's number and the next sentence number.
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

}  // namespace agentlocator
