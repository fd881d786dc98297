#pragma once
// One answer of a language model: its stream becomes sentences and tool calls. Asks the next provider when one fails
// before anything was said; afterwards the next one continues behind what was said. Pure.
//
//   running --done--> finished (stop, tool_calls ...)      --nobody left--> failed
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "worker/agent/agent_services.hpp"
#include "worker/agent/event_mailbox.hpp"
#include "worker/agent/sentence_splitter.hpp"

namespace agentlocator {

// Told to a model that goes on with an answer which another, or a process before this one, began.
inline constexpr char continue_prompt[] =
    "The line to you broke here. Go on exactly behind what you said last, without repeating it.";

class Thinking {
public:
    enum class State : std::uint8_t { running, finished, failed };

    Thinking(AgentServices& services, EventMailbox& mailbox, LlmRequest request, TimePoint now);
    ~Thinking();
    Thinking(const Thinking&) = delete;
    Thinking& operator=(const Thinking&) = delete;

    bool on_event(const ServiceEvent& event, TimePoint now);
    void on_time(TimePoint now);
    [[nodiscard]] std::optional<TimePoint> deadline() const;

    [[nodiscard]] State state() const { return state_; }
    [[nodiscard]] std::optional<std::string> next_sentence();
    [[nodiscard]] const std::vector<ToolCall>& tools() const { return tools_; }
    [[nodiscard]] std::optional<TimePoint> first_text_at() const { return first_text_at_; }
    [[nodiscard]] std::string provider() const { return std::string(walk_.name()); }
    // The model is not heard any further: what came so far is the answer.
    void stop();

    // Kept here too, in case a provider does not: a caller does not wait for a service's patience.
    static constexpr Duration first_token_max = std::chrono::milliseconds(2500);
    static constexpr Duration idle_max = std::chrono::seconds(4);
    static constexpr Duration total_max = std::chrono::seconds(30);
    static constexpr std::size_t tools_max = 8;  // Calls in one answer; more is a model in a loop.

private:
    void ask(LlmProvider* provider, TimePoint now);
    void fail(const ProviderError& error, TimePoint now);
    void end(State state);

    AgentServices& services_;
    EventMailbox& mailbox_;
    LlmRequest request_;
    ChainWalk<LlmProvider> walk_;
    OperationPtr running_;
    std::uint64_t operation_ = 0;
    SentenceSplitter splitter_;
    std::deque<std::string> sentences_;
    std::string said_;  // By the provider in hand and those before it, in whole sentences.
    std::vector<ToolCall> tools_;
    State state_ = State::running;
    TimePoint started_{};
    TimePoint last_output_{};
    bool had_output_ = false;
    std::optional<TimePoint> first_text_at_;
};

}  // namespace agentlocator
