#pragma once
// One utterance on its way to text: streamed to a recogniser while the caller speaks, kept whole so that another one
// can be asked when the first fails. Pure.
//
//   listening --finish--> waiting --text--> done       any --error, deadline--> next provider (audio replayed) or
//   failed nobody recognises this language: unavailable
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "worker/agent/agent_services.hpp"
#include "worker/agent/event_mailbox.hpp"

namespace agentlocator {

class Hearing {
public:
    enum class State : std::uint8_t { listening, waiting, done, failed, unavailable };

    // Whether some provider of the chain could take it.
    [[nodiscard]] static bool possible(const AgentServices& services, const SttConfig& config);

    Hearing(AgentServices& services, EventMailbox& mailbox, SttConfig config, std::uint32_t turn, TimePoint now);
    ~Hearing();
    Hearing(const Hearing&) = delete;
    Hearing& operator=(const Hearing&) = delete;

    void push(std::span<const std::uint8_t> mulaw);
    void finish(TimePoint now);
    // True: the event was ours.
    bool on_event(const ServiceEvent& event, TimePoint now);
    void on_time(TimePoint now);
    [[nodiscard]] std::optional<TimePoint> deadline() const { return deadline_; }

    [[nodiscard]] State state() const { return state_; }
    [[nodiscard]] std::uint32_t turn() const { return turn_; }
    [[nodiscard]] const std::string& text() const { return text_; }
    [[nodiscard]] const std::string& partial() const { return partial_; }
    [[nodiscard]] std::string provider() const { return std::string(walk_.name()); }
    [[nodiscard]] bool finished() const { return finished_; }

    static constexpr Duration result_max = std::chrono::milliseconds(2500);  // P99 of the slow services is 2 s.
    static constexpr std::size_t audio_max = 30 * 8000;  // Twice the longest utterance a call sends; later is dropped.

private:
    void ask(SttProvider* provider, TimePoint now);
    void fail(const ProviderError& error, TimePoint now);

    AgentServices& services_;
    EventMailbox& mailbox_;
    SttConfig config_;
    std::uint32_t turn_;
    ChainWalk<SttProvider> walk_;
    std::unique_ptr<SttUtterance> utterance_;
    std::uint64_t operation_ = 0;
    std::vector<std::uint8_t> audio_;
    bool finished_ = false;
    State state_ = State::listening;
    std::string text_;
    std::string partial_;
    std::optional<TimePoint> deadline_;
};

}  // namespace agentlocator
