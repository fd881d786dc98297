#pragma once
// What the agent in writing counts. It lies in the call slab, once, as AgentMetrics does: every worker adds, and one
// that dies takes nothing along.
#include <array>
#include <atomic>
#include <cstdint>
#include <string_view>

#include "common/agent_metrics.hpp"

namespace agentlocator {

// Why a message that came in is not answered.
enum class Unanswered : std::uint8_t { own, group, old, wordless, answers_off, asked_already };
inline constexpr std::array<std::string_view, 6> unanswered_names = {"own",      "group",       "old",
                                                                     "wordless", "answers_off", "asked_already"};
// Who made an answer: a language model, the script, or one of the sentences for what is no text.
enum class AnsweredBy : std::uint8_t { model, script, sentence };
inline constexpr std::array<std::string_view, 3> answered_by_names = {"model", "script", "sentence"};

struct MessageMetrics {
    std::atomic<std::uint64_t> received{
        0};  // Handed in, by the bridge or by Twilio; one that comes again counts again.
    std::array<std::atomic<std::uint64_t>, unanswered_names.size()> unanswered{};
    std::array<std::atomic<std::uint64_t>, answered_by_names.size()> answered{};
    std::atomic<std::uint64_t> failed{0};                // Tries that brought no answer; the message is tried again.
    std::atomic<std::uint64_t> notes_understood{0};      // Voice notes that became text ...
    std::atomic<std::uint64_t> notes_not_understood{0};  // ... and those for which a text was asked.
    LatencyHistogram answer;                             // From the message in the store to its answer there.

    void count(Unanswered why) { ++unanswered[static_cast<std::size_t>(why)]; }
    void count(AnsweredBy by) { ++answered[static_cast<std::size_t>(by)]; }
};

}  // namespace agentlocator
