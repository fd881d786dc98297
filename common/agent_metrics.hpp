#pragma once
// What the conversations of an installation count. It lies in the call slab, once, and every worker adds to it: so the
// sums are right whichever worker is asked, and a worker that dies takes nothing along. A death between two additions
// of one turn may cost that turn a stage, never a total.
//
// What belongs to one process (which services it believes down) is an AgentEntry of its own.
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "common/time.hpp"

namespace agentlocator {

// Upper bounds of the buckets in milliseconds; the last bucket is open.
struct LatencyHistogram {
    static constexpr std::array<std::uint32_t, 12> bounds = {1, 2, 5, 10, 50, 100, 250, 500, 1000, 2000, 5000, 10'000};

    std::array<std::atomic<std::uint64_t>, bounds.size() + 1> counts{};
    std::atomic<std::uint64_t> sum_us{0};

    void add(Duration value) {
        const auto us = std::chrono::duration_cast<std::chrono::microseconds>(value).count();
        std::size_t bucket = 0;
        while (bucket < bounds.size() && us > std::int64_t{1000} * bounds[bucket]) {
            ++bucket;
        }
        counts[bucket].fetch_add(1, std::memory_order_relaxed);
        sum_us.fetch_add(us > 0 ? static_cast<std::uint64_t>(us) : 0, std::memory_order_relaxed);
    }
};

struct AgentMetrics {
    // Stages of a turn, each from the caller's last voice.
    LatencyHistogram end_of_turn;
    LatencyHistogram stt;
    LatencyHistogram llm;
    LatencyHistogram tts;
    LatencyHistogram sent;  // The first frame was given to the stream.
    // From the end of turn to that frame, minus the time in which services had work of ours in hand.
    LatencyHistogram own;
    std::atomic<std::uint64_t> turns{0};              // Answers to what a caller said.
    std::atomic<std::uint64_t> failed_turns{0};       // Ended in an apology.
    std::atomic<std::uint64_t> interrupted{0};        // By the caller.
    std::atomic<std::uint64_t> provider_failures{0};  // Each made another provider, or an apology, necessary.
};

enum class Stage : std::uint8_t { stt, llm, tts, realtime };
[[nodiscard]] constexpr std::string_view to_string(Stage stage) {
    switch (stage) {
        case Stage::stt:
            return "stt";
        case Stage::llm:
            return "llm";
        case Stage::tts:
            return "tts";
        case Stage::realtime:
            return "realtime";
    }
    return "";
}

// One service as one worker sees it.
struct ProviderEntry {
    std::array<char, 24> name{};  // With `stage`: written once, before AgentEntry::providers counts it.
    Stage stage = Stage::stt;
    std::atomic<std::uint8_t> breaker{0};  // CircuitBreaker::State
    std::atomic<std::uint64_t> started{0};
    std::atomic<std::uint64_t> failed{0};
};

struct alignas(64) AgentEntry {
    static constexpr std::uint32_t providers_max = 32;  // All that this build knows, and some.
    std::atomic<std::uint32_t> providers{0};
    std::atomic<std::uint32_t> conversations{0};  // That the agent thread has in hand.
    std::array<ProviderEntry, providers_max> provider;
};

}  // namespace agentlocator
