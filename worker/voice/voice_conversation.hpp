#pragma once
// Turn-taking on the media thread: who speaks, who listens, who owes whom an answer. Pure and deterministic: frames and
// the clock come in, frames, `clear`, marks and messages to the agent thread go out. All state lies in the call's slot,
// so that after a take-over the utterance, the thinking or the sentence goes on.
//
//   The caller:  quiet --voice--> speaking --silence, or too long--> quiet        (end_pointer.hpp)
//                  voice over our speech needs more frames, and more level: barge-in
//   Our speech:  waits --nobody else speaks--> plays --all heard--> over          (speech_queue.hpp)
//                  the caller speaks: `clear` at once, what was not heard waits
//                    little voice, and much of our speech left: a "mm-hm"; it goes on where it was
//                    else: interrupted, the rest is forgotten
//   The answer:  nothing owed --call, utterance, key, long silence--> owed --turn_done--> nothing owed
//                  owed and nothing heard of the agent for agent_mute_ms: a recorded apology, never silence;
//                  after `mute_turns_max` of them in a row a farewell, and the call ends
//
// Without an agent thread the recorded prompts are all there is.
#include "common/agent_metrics.hpp"
#include "worker/prompt_library.hpp"
#include "worker/voice/agent_link.hpp"
#include "worker/voice/speech_queue.hpp"
#include "worker/voice/voice_detector.hpp"
#include "worker/voice/voice_rules.hpp"

namespace agentlocator {

class VoiceConversation final : public Conversation {
public:
    // `agent`: null when there is no agent thread. `metrics`: null when nobody counts.
    VoiceConversation(const VoiceRules& rules, const PromptLibrary& prompts, AgentInput* agent,
                      AgentMetrics* metrics = nullptr)
        : rules_(rules), prompts_(prompts), metrics_(metrics), link_(agent) {}

    void on_start(CallInHand call, const StreamMessage& start) override;
    void on_resume(CallInHand call, const LostStream& lost, const StreamMessage& start) override;
    void on_audio(CallInHand call, CallerAudio audio) override;
    void on_dtmf(CallInHand call, char digit) override;
    void on_mark(CallInHand call, std::string_view name) override;
    void on_agent(CallInHand call, const FromAgentMessage& message) override;
    void on_tick(CallInHand call) override;
    void on_end(std::uint32_t slot, std::uint64_t call, std::string_view why) override;

    static constexpr auto heartbeat = std::chrono::seconds(18);  // Proxies drop idle sockets (F-28).
    static constexpr std::uint32_t pre_roll_ms = 300;            // A first consonant is faint.
    static constexpr std::uint32_t key_deaf_ms = 200;            // A key's tones reach the detector, too.
    static constexpr std::uint32_t key_cut_ms = 300;             // So much voice before a key was meant.
    static constexpr std::uint32_t answer_tail_ms = 1000;        // A short word this near our end answers us.
    static constexpr std::uint32_t greeting_wait_ms = 3000;      // Then the recorded greeting speaks.
    static constexpr std::uint32_t farewell_wait_ms = 20'000;    // From time_up to hanging up ourselves.
    static constexpr std::uint8_t mute_turns_max = 3;            // Apologies in a row.

private:
    // What the caller does.
    void on_frame(CallInHand& call);
    void begin_utterance(CallInHand& call, unsigned window);
    void during_utterance(CallInHand& call);
    void end_utterance(CallInHand& call);
    [[nodiscard]] bool may_interrupt(const ConversationState& state) const;
    [[nodiscard]] bool unconfirmed(const CallInHand& call) const;
    void hold(CallInHand& call);
    void interrupt(CallInHand& call, std::uint32_t turn);
    void owe(CallInHand& call);
    void speak(CallInHand& call);
    void count_answer(CallInHand& call);
    void tell_heard(CallInHand& call, const SpeechQueue::Sentence& sentence);

    // What the agent says.
    [[nodiscard]] bool accept(CallInHand& call, const FromAgentMessage& message);
    void on_speech(CallInHand& call, const FromAgentMessage& message);
    void on_sentence_done(CallInHand& call, const FromAgentMessage& message);
    void on_turn_done(CallInHand& call, std::uint32_t turn);
    void on_listen(CallInHand& call, std::string_view payload);
    void on_cancel(CallInHand& call, std::uint32_t turn);

    // What time brings.
    void watch(CallInHand& call);
    void watch_agent(CallInHand& call);
    void watch_caller(CallInHand& call);
    void watch_length(CallInHand& call);
    void prompt(CallInHand& call, Prompt prompt);
    void apologize(CallInHand& call);

    const VoiceRules rules_;
    const PromptLibrary& prompts_;
    AgentMetrics* const metrics_;
    AgentLink link_;
};

// Replaces the call's memory; committed with the step.
void remember(CallInHand& call, std::string_view memory);

}  // namespace agentlocator
