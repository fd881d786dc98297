#pragma once
// What the agent thread of this process has been told of each call, and how it catches up. Pure.
//
// The call's slot is the truth and the agent can be told all of it again. So there is one remedy for everything that
// leaves the agent behind (a take-over, a ring that was full): the call counts as unknown to the agent, nothing more is
// told of it, and when there is room call_resumed and the acts in hand bring it up to date.
#include <cstdint>
#include <string_view>
#include <vector>

#include "worker/conversation.hpp"
#include "worker/voice/caller_tape.hpp"

namespace agentlocator {

class AgentLink {
public:
    // `agent`: null when there is no agent thread. Allocates here and nowhere else.
    explicit AgentLink(AgentInput* agent);

    [[nodiscard]] bool attached() const { return agent_ != nullptr; }

    // Begins the call: tells call_started, whose payload is the call's memory.
    void start(CallInHand& call);
    // To be called first at each event of a call: does what was left over.
    void catch_up(CallInHand& call);
    // One event. When it does not fit, the agent will be told all again.
    void tell(CallInHand& call, ToAgent kind, std::uint32_t turn, std::uint32_t sentence = 0, std::int64_t value = 0,
              std::string_view payload = {});
    // To be called before the caller's next act: what the agent does not know of the last one it can only be told anew.
    void begin_act(CallInHand& call);
    // Of the newest utterance, what the agent does not know yet: its audio, then its end.
    void tell_utterance(CallInHand& call);
    // The agent must forget what it does for this call and begin from the slot.
    void lose(const CallInHand& call);
    void end(std::uint32_t slot, std::uint64_t call, std::string_view why);

private:
    struct Known {
        std::uint64_t call = 0;  // That the agent was told of; 0 none.
        bool in_step = false;    // And knows all of.
    };
    struct Ended {
        std::uint32_t slot;
        std::uint64_t call;
        std::string_view why;  // A literal.
    };

    [[nodiscard]] bool in_step(const CallInHand& call) const {
        return attached() && known_[call.slot].call == call.call && known_[call.slot].in_step;
    }
    bool push(const CallInHand& call, ToAgent kind, std::uint32_t turn, std::uint32_t sentence, std::int64_t value,
              std::string_view payload);
    bool push_audio(CallInHand& call, const CallerAct& act, std::uint64_t from, std::uint64_t to);
    bool resume(CallInHand& call);
    bool resume_act(CallInHand& call, const CallerAct& act);
    void retry_ended();

    AgentInput* agent_;
    std::vector<Known> known_;  // By slot.
    std::vector<Ended> ended_;  // Not told yet; the oldest are forgotten when it is full.
};

}  // namespace agentlocator
