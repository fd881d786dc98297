#pragma once
// The agent of the first day: it greets, and answers keys and speech with a recorded acknowledgement. Pure.
//
//   start -> speak(greeting)      key -> speak(got_digit), at once, over anything
//   end of an utterance heard while silent -> speak(heard_you)
//
// speak: clear, then frames at most `ahead_max` before the caller hears them, then mark tts_<turn>.
#include "worker/conversation.hpp"
#include "worker/prompt_library.hpp"

namespace agentlocator {

class GreetingConversation final : public Conversation {
public:
    explicit GreetingConversation(const PromptLibrary& prompts) : prompts_(prompts) {}

    void on_start(ConversationState& state, TimePoint now, Speaker& speaker) override;
    void on_resume(ConversationState& state, const LostStream& lost, TimePoint now, Speaker& speaker) override;
    void on_audio(ConversationState& state, CallerAudio audio, TimePoint now, Speaker& speaker) override;
    void on_dtmf(ConversationState& state, char digit, TimePoint now, Speaker& speaker) override;
    void on_mark(ConversationState& state, std::string_view name, TimePoint now, Speaker& speaker) override;
    void on_tick(ConversationState& state, TimePoint now, Speaker& speaker) override;

    static constexpr auto ahead_max = std::chrono::seconds(1);          // More is lost at an interruption.
    static constexpr auto refractory = std::chrono::milliseconds(750);  // The line still carries our own voice (F-23).
    static constexpr auto heartbeat = std::chrono::seconds(18);         // Proxies drop idle sockets (F-28).
    static constexpr std::uint16_t voice_frames_min = 10;               // 200 ms of voice make an utterance.
    static constexpr std::uint16_t silence_frames_min = 35;             // 700 ms of silence end it.
    static constexpr std::uint32_t voice_mean_square_min = 150 * 150;   // Below is no voice on any line.
    static constexpr std::uint32_t voice_over_noise = 6;                // Power above the line's own noise, about 8 dB.

private:
    void speak(ConversationState& state, Prompt prompt, TimePoint now, Speaker& speaker) const;
    void pump(ConversationState& state, TimePoint now, Speaker& speaker) const;
    static void send_mark(ConversationState& state, Mark mark, Speaker& speaker);

    const PromptLibrary& prompts_;
};

}  // namespace agentlocator
