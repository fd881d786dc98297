#pragma once
// Many calls at once, added up: who was answered how fast, what was lost. Pure.
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "supervisor/call/summary.hpp"

namespace agentlocator::call {

struct LoadSummary {
    std::uint64_t asked = 0;  // Calls that were to be made.
    std::uint64_t started = 0;
    std::uint64_t ended = 0;
    std::uint64_t healthy = 0;
    std::uint64_t lost = 0;   // Not answered, not opened, or ended by a broken connection.
    std::uint64_t stuck = 0;  // Silent for longer than --silence-max allows.
    std::uint64_t most_at_once = 0;
    std::uint64_t frames_sent = 0;
    std::uint64_t media_received = 0;
    std::uint64_t marks_echoed = 0;
    std::uint64_t underruns = 0;
    Duration media_gap_max{};
    Histogram answered;
    Histogram opened;
    Histogram first_media;
    Histogram latency;
    PacingReport pacing;
    LedgerCounts ledger;
    Violations violations;
    std::string first_reason;  // Of the first call that was not healthy.
    Duration wall{};
    Duration cpu{};           // Ours: a generator at its own limit measures itself.
    Duration clock_latest{};  // How late our 20 ms clock was, at worst.

    void add(const Summary& call);
    [[nodiscard]] bool is_healthy() const { return ended == asked && healthy == asked; }
};

[[nodiscard]] std::string to_text(const LoadSummary& summary);
[[nodiscard]] nlohmann::ordered_json to_json(const LoadSummary& summary);

}  // namespace agentlocator::call
