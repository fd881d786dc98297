#pragma once
// What the services of one call reported, until the call looks. Their callbacks only put it here: no state of the call
// changes in the middle of a callback, and an operation is never destroyed inside its own.
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "worker/agent/known_person.hpp"
#include "worker/agent/provider.hpp"

namespace agentlocator {

struct ServiceEvent {
    enum class Kind : std::uint8_t {
        stt_partial,
        stt_text,
        stt_error,
        llm_text,
        llm_tool,
        llm_done,
        llm_error,
        tts_audio,
        tts_done,
        tts_error,
        control_done,
        person_known,
        rt_ready,
        rt_audio,
        rt_audio_done,
        rt_user_text,
        rt_agent_text,
        rt_tool,
        rt_turn_done,
        rt_error,
    };
    Kind kind{};
    std::uint64_t operation = 0;  // Which one; an event of one that is over is dropped.
    std::string text{};           // Text, mu-law bytes, or what was wrong.
    std::string item{};           // realtime
    bool final = false;           // realtime
    std::uint32_t turn = 0;       // realtime
    std::int64_t expires_at = 0;  // realtime: unix seconds; 0: not told.
    ToolCall tool{};
    LlmFinish finish{};
    ProviderError error{};
    KnownPersonPtr person{};
};

class EventMailbox {
public:
    explicit EventMailbox(std::function<void()> wake) : wake_(std::move(wake)) {}

    void push(ServiceEvent event) {
        events_.push_back(std::move(event));
        if (events_.size() == 1) {
            wake_();
        }
    }
    [[nodiscard]] std::vector<ServiceEvent> take() { return std::exchange(events_, {}); }
    [[nodiscard]] bool empty() const { return events_.empty(); }
    [[nodiscard]] std::uint64_t new_operation() { return ++last_operation_; }

private:
    std::function<void()> wake_;  // run() of the call is wanted soon.
    std::vector<ServiceEvent> events_;
    std::uint64_t last_operation_ = 0;
};

}  // namespace agentlocator
