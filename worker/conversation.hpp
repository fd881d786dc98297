#pragma once
// The seam between the media stream and whoever answers the caller. A Conversation holds no state of a call: that lies
// in the call's slot, so that any worker can go on with it. Pure: time comes in, audio and commands go out.
#include <cstdint>
#include <span>
#include <string_view>

#include "common/call_state.hpp"
#include "common/time.hpp"

namespace agentlocator {

// What the caller said: mu-law, any length. There is no way from here to AgentAudio; that is promise P2 (no echo in AI
// mode) as a type.
class CallerAudio {
public:
    CallerAudio(std::span<const std::uint8_t> mulaw, std::uint32_t mean_square)
        : mulaw_(mulaw), mean_square_(mean_square) {}
    [[nodiscard]] std::size_t samples() const { return mulaw_.size(); }
    [[nodiscard]] std::uint32_t mean_square() const { return mean_square_; }

private:
    std::span<const std::uint8_t> mulaw_;
    std::uint32_t mean_square_;
};

// What the agent says: mu-law that only a source of speech can make.
class AgentAudio {
public:
    [[nodiscard]] std::span<const std::uint8_t> mulaw() const { return mulaw_; }
    // The part from `at`, at most `count` samples.
    [[nodiscard]] AgentAudio part(std::size_t at, std::size_t count) const {
        at = at < mulaw_.size() ? at : mulaw_.size();
        const std::size_t rest = mulaw_.size() - at;
        return AgentAudio(mulaw_.subspan(at, count < rest ? count : rest));
    }

private:
    friend class PromptLibrary;
    explicit AgentAudio(std::span<const std::uint8_t> mulaw) : mulaw_(mulaw) {}
    std::span<const std::uint8_t> mulaw_;
};

// The caller's ear. Every command goes out in the order given, between `start` and `stop` only.
class Speaker {
public:
    virtual void clear() = 0;                 // Drop what the caller has not heard yet.
    virtual void play(AgentAudio audio) = 0;  // One frame, at most 160 samples; a shorter one is padded with silence.
    virtual void mark(std::string_view name) = 0;  // Comes back when all audio before it was played, or cleared.
    virtual void log(std::string_view line) = 0;
    // Most frames that one event may play.
    [[nodiscard]] virtual std::size_t frames_free() const = 0;

protected:
    Speaker() = default;
    Speaker(const Speaker&) = default;
    Speaker& operator=(const Speaker&) = default;
    ~Speaker() = default;
};

// A stream of the call that broke off: its conversation is to be gone on with in a new one. What Twilio had still to
// play is lost, and no mark of it comes back.
struct LostStream {
    const ConversationState& conversation;
    std::uint32_t slot;  // Where its larger areas still lie; no_slot: nowhere.
};

class Conversation {
public:
    virtual ~Conversation() = default;
    virtual void on_start(ConversationState& state, TimePoint now, Speaker& speaker) = 0;
    // In place of on_start, `state` being new.
    virtual void on_resume(ConversationState& state, const LostStream& lost, TimePoint now, Speaker& speaker) = 0;
    virtual void on_audio(ConversationState& state, CallerAudio audio, TimePoint now, Speaker& speaker) = 0;
    virtual void on_dtmf(ConversationState& state, char digit, TimePoint now, Speaker& speaker) = 0;
    virtual void on_mark(ConversationState& state, std::string_view name, TimePoint now, Speaker& speaker) = 0;
    // At least every 100 ms while the stream is open.
    virtual void on_tick(ConversationState& state, TimePoint now, Speaker& speaker) = 0;
};

}  // namespace agentlocator
