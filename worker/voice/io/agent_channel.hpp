#pragma once
// The media thread and the agent thread of a worker, joined by two message rings. A side that blocks is woken by its
// eventfd; one that looks often enough is not, so a busy worker makes no system call for it.
//
// Overflow: neither side ever waits for the other. Towards the agent, audio leaves an eighth of the ring to events, and
// what did not fit is told later from the call's slot (worker/voice/voice_conversation). Towards the media thread,
// tell() refuses and the agent keeps the message.
#include <cstddef>

#include "common/io/unique_fd.hpp"
#include "worker/agent/agent_message.hpp"
#include "worker/voice/message_ring.hpp"

namespace agentlocator {

class AgentChannel;

// The media thread's end.
class MediaEnd final : public AgentInput {
public:
    [[nodiscard]] bool tell(const ToAgentMessage& message) override;
    [[nodiscard]] std::size_t room() const override;
    [[nodiscard]] bool next(FromAgentMessage& message);

    // Blocking: `if (end.may_sleep()) wait, also for wake_fd(); end.awake();`, which empties wake_fd().
    [[nodiscard]] bool may_sleep();
    void awake();
    [[nodiscard]] int wake_fd() const;

private:
    friend class AgentChannel;
    explicit MediaEnd(AgentChannel& channel) : channel_(channel) {}
    AgentChannel& channel_;
};

// The agent thread's end.
class AgentEnd final : public AgentOutput {
public:
    [[nodiscard]] bool tell(const FromAgentMessage& message) override;
    [[nodiscard]] bool next(ToAgentMessage& message);

    [[nodiscard]] bool may_sleep();
    void awake();
    [[nodiscard]] int wake_fd() const;

private:
    friend class AgentChannel;
    explicit AgentEnd(AgentChannel& channel) : channel_(channel) {}
    AgentChannel& channel_;
};

class AgentChannel {
public:
    // Three quarters of a second of 500 callers who all speak at once; as much of the agent's speech.
    static constexpr std::size_t bytes_default = 4 << 20;

    explicit AgentChannel(std::size_t bytes = bytes_default);  // Throws std::system_error without descriptors.
    AgentChannel(const AgentChannel&) = delete;
    AgentChannel& operator=(const AgentChannel&) = delete;

    [[nodiscard]] MediaEnd& media() { return media_; }
    [[nodiscard]] AgentEnd& agent() { return agent_; }

private:
    friend class MediaEnd;
    friend class AgentEnd;

    MessageRing<ToAgent> to_agent_;
    MessageRing<FromAgent> to_media_;
    UniqueFd wake_agent_;
    UniqueFd wake_media_;
    MediaEnd media_{*this};
    AgentEnd agent_{*this};
};

}  // namespace agentlocator
