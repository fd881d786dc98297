#pragma once
// The seam between the media stream and whoever answers the caller. A Conversation holds no state of a call: that lies
// in the call's slot, so that any worker can go on with it. Pure: time comes in, audio and commands go out.
#include <cstdint>
#include <span>
#include <string_view>

#include "common/call_state.hpp"
#include "common/time.hpp"
#include "common/voice_area.hpp"
#include "worker/agent/agent_message.hpp"

namespace agentlocator {

struct StreamMessage;

// What the caller said: mu-law, any length. Only the caller's tape can read the samples, and it gives them to the
// detector and to the agent; there is no way from here to AgentAudio. That is promise P2 (no echo in AI mode) as a
// type.
class CallerAudio {
public:
    explicit CallerAudio(std::span<const std::uint8_t> mulaw) : mulaw_(mulaw) {}
    [[nodiscard]] std::size_t samples() const { return mulaw_.size(); }

private:
    friend class CallerTape;
    std::span<const std::uint8_t> mulaw_;
};

// What the agent says: mu-law that only a source of speech can make.
class AgentAudio {
public:
    [[nodiscard]] std::span<const std::uint8_t> mulaw() const { return mulaw_; }

private:
    friend class PromptLibrary;
    friend class SpeechQueue;
    explicit AgentAudio(std::span<const std::uint8_t> mulaw) : mulaw_(mulaw) {}
    std::span<const std::uint8_t> mulaw_;
};

// The caller's ear. Every command goes out in the order given, between `start` and `stop` only.
class Speaker {
public:
    virtual void clear() = 0;                      // Drop what the caller has not heard yet.
    virtual void play(AgentAudio audio) = 0;       // One frame of 160 samples.
    virtual void mark(std::string_view name) = 0;  // Comes back when all audio before it was played, or cleared.
    virtual void hang_up() = 0;                    // Say no more: close the stream, which ends the call.
    virtual void log(std::string_view line) = 0;
    // For the log: a sentence is ready, so many bytes of 16-bit PCM.
    virtual void speech_ready(std::uint64_t pcm_bytes) = 0;
    // Most frames that this event may still play, each with a mark behind it.
    [[nodiscard]] virtual std::size_t frames_free() const = 0;

protected:
    Speaker() = default;
    Speaker(const Speaker&) = default;
    Speaker& operator=(const Speaker&) = default;
    ~Speaker() = default;
};

// One call during one event. Everything but the voice area's uncommitted parts is committed when the event is over.
struct CallInHand {
    std::uint32_t slot;
    std::uint64_t call;
    std::string_view call_sid;
    ConversationState& state;
    VoiceArea& voice;
    TimePoint now;
    Speaker& speaker;
};

// A stream of the call that broke off: its conversation is to be gone on with in a new one. What Twilio had still to
// play is lost, and no mark of it comes back.
struct LostStream {
    const ConversationState& conversation;
    const VoiceArea* voice;  // Null: nowhere.
};

class Conversation {
public:
    virtual ~Conversation() = default;
    virtual void on_start(CallInHand call, const StreamMessage& start) = 0;
    // In place of on_start, `call.state` being new.
    virtual void on_resume(CallInHand call, const LostStream& lost, const StreamMessage& start) = 0;
    virtual void on_audio(CallInHand call, CallerAudio audio) = 0;
    virtual void on_dtmf(CallInHand call, char digit) = 0;
    virtual void on_mark(CallInHand call, std::string_view name) = 0;
    virtual void on_agent(CallInHand call, const FromAgentMessage& message) = 0;
    // At least every 100 ms while the stream is open.
    virtual void on_tick(CallInHand call) = 0;
    // The call is over ("stop", "hangup", "closed"), or goes on in another process ("moved"). May come twice.
    virtual void on_end(std::uint32_t slot, std::uint64_t call, std::string_view why) = 0;
};

}  // namespace agentlocator
