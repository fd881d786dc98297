#pragma once
// What all calls of an agent thread share: settings, the chains of services, the script, the doors outside. Outlives
// the calls.
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "common/agent_metrics.hpp"
#include "common/agent_settings.hpp"
#include "worker/agent/call_control.hpp"
#include "worker/agent/dialogue_script.hpp"
#include "worker/agent/known_person.hpp"
#include "worker/agent/persona.hpp"
#include "worker/agent/provider_chain.hpp"
#include "worker/agent/record_store.hpp"

namespace agentlocator {

// The thread as the pure code sees it.
class AgentHost {
public:
    [[nodiscard]] virtual TimePoint now() const = 0;
    [[nodiscard]] virtual std::int64_t unix_ms() const = 0;
    [[nodiscard]] virtual std::uint32_t random() = 0;
    // Of the office, at that time.
    [[nodiscard]] virtual std::int64_t utc_offset_minutes(std::int64_t unix_ms) const = 0;
    virtual void line(std::string_view text) = 0;  // The log.

protected:
    AgentHost() = default;
    AgentHost(const AgentHost&) = default;
    AgentHost& operator=(const AgentHost&) = default;
    ~AgentHost() = default;
};

// One line a cause: the first at once, repetitions counted and told once in a while.
class FaultLines {
public:
    static constexpr Duration repeat_after = std::chrono::seconds(60);
    // Nothing: it was told lately.
    [[nodiscard]] std::string line(const ProviderError& error, TimePoint now);

private:
    struct Told {
        TimePoint at;
        std::uint64_t held_back = 0;
    };
    std::map<std::string, Told> told_;  // Bounded by providers x operations x classes.
};

struct AgentServices {
    AgentSettings settings;
    const DialogueScript& dialogue;
    AgentHost& host;
    RecordStore& records;
    CallControl& control;
    ProviderChain<SttProvider> stt;
    ProviderChain<LlmProvider> llm;
    ProviderChain<TtsProvider> tts;
    ProviderChain<RealtimeProvider> realtime{};  // Empty: the cascade alone converses.
    std::string prompt;                          // AGENT_PROMPT_FILE's text; empty: the shipped one.
    AgentMetrics& metrics;
    FaultLines faults{};
    // What the business of that number has set for itself; empty: nothing is known of any. Never waits.
    std::function<NamedValues(const std::string& called)> own_settings{};
    PersonMemory* people = nullptr;  // Nobody: every caller is new.
};

}  // namespace agentlocator
