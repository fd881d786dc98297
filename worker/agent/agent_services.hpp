#pragma once
// What all calls of an agent thread share: settings, the chains of services, the script, the doors outside. Outlives
// the calls.
#include <array>
#include <atomic>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "common/agent_settings.hpp"
#include "worker/agent/call_control.hpp"
#include "worker/agent/dialogue_script.hpp"
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

// Milliseconds; upper bounds of the buckets, the last is open.
struct LatencyHistogram {
    static constexpr std::array<std::uint32_t, 11> bounds = {1, 2, 5, 10, 50, 100, 250, 500, 1000, 2000, 5000};
    std::array<std::uint64_t, bounds.size() + 1> counts{};
    std::uint64_t sum = 0;
    void add(std::int64_t ms);
};

struct AgentMetrics {
    LatencyHistogram end_of_turn;  // Each from the caller's last voice.
    LatencyHistogram stt;
    LatencyHistogram llm;
    LatencyHistogram tts;
    LatencyHistogram sent;
    LatencyHistogram own;  // sent minus the end-of-turn silence and the services' times.
    std::uint64_t turns = 0;
    std::uint64_t failed_turns = 0;
    std::uint64_t interrupted = 0;
    std::uint64_t provider_failures = 0;  // Each made another provider, or an apology, necessary.
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
    std::string prompt;  // AGENT_PROMPT_FILE's text; empty: the shipped one.
    AgentMetrics metrics{};
    FaultLines faults{};
};

}  // namespace agentlocator
