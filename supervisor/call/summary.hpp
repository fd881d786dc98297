#pragma once
// From what happened to what it means: the figures of a call, whether it was healthy, and both as text for people and
// JSON for programs. Pure.
#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "supervisor/call/call_flow.hpp"
#include "supervisor/call/correlation.hpp"

namespace agentlocator::call {

// What the caller should hear. `any` judges the protocol only.
enum class Expectation : std::uint8_t { any, echo, silence, speech };
[[nodiscard]] std::string_view to_string(Expectation expectation);

// From the mode the server names in its /version document: ECHO, SINK or AI. Anything else: any.
[[nodiscard]] Expectation expectation_of(std::string_view version_document);

constexpr double audible_seconds_min = 0.2;  // Of sound, for "speech": a click is no greeting.

struct Summary {
    std::string call_sid;
    Expectation expectation = Expectation::any;
    std::vector<std::string> reasons;  // Why it is not healthy; empty: it is.
    CallReport report;
    // Sums over the call's streams.
    std::uint64_t frames_sent = 0;
    std::uint64_t media_received = 0;
    std::uint64_t audio_bytes_received = 0;
    std::uint64_t audio_bytes_played = 0;
    std::uint64_t marks_received = 0;
    std::uint64_t marks_echoed = 0;
    std::uint64_t clears = 0;
    std::uint64_t digits_sent = 0;
    std::uint32_t underruns = 0;
    Duration media_gap_max{};
    Duration longest_hole{};
    PacingReport pacing;
    double audible_seconds = 0;  // Of what was heard, above the line's own noise.
    bool stuck = false;          // Silent for longer than the plan's silence_max.
    std::optional<Duration> open;
    std::optional<Duration> first_media;
    EchoFinding echo;
    LedgerCounts ledger;
    Histogram latency;
    Violations violations;

    [[nodiscard]] bool healthy() const { return reasons.empty(); }
};

struct SummaryPlan {
    Expectation expectation = Expectation::any;
    bool stream_expected = true;
    bool ledger = false;
    Faults faults;
    Duration silence_max{};  // The caller must not hear nothing for longer; 0: not judged.
};
[[nodiscard]] Summary summarize(std::string call_sid, CallReport report, const SummaryPlan& plan);

[[nodiscard]] std::string to_text(const Summary& summary);
[[nodiscard]] nlohmann::ordered_json to_json(const Summary& summary);

// Shared with the summary of a load run.
[[nodiscard]] std::string milliseconds_text(std::optional<Duration> value);
[[nodiscard]] nlohmann::ordered_json milliseconds_json(std::optional<Duration> value);
[[nodiscard]] nlohmann::ordered_json percentiles_json(const Histogram& histogram);
[[nodiscard]] std::string percentiles_text(const Histogram& histogram);
[[nodiscard]] nlohmann::ordered_json pacing_json(const PacingReport& pacing);
[[nodiscard]] std::string pacing_text(const PacingReport& pacing);
[[nodiscard]] nlohmann::ordered_json violations_json(const Violations& violations);
[[nodiscard]] std::string violations_text(const Violations& violations);
[[nodiscard]] nlohmann::ordered_json ledger_json(const LedgerCounts& counts, const Histogram& latency);

}  // namespace agentlocator::call
