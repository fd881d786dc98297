#include "supervisor/call/load_summary.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace agentlocator::call {
namespace {

using Json = nlohmann::ordered_json;

double share_of(Duration part, Duration whole) {
    return whole > Duration::zero() ? std::chrono::duration<double>(part) / std::chrono::duration<double>(whole) : 0;
}

}  // namespace

void LoadSummary::add(const Summary& call) {
    ++ended;
    healthy += call.healthy() ? 1 : 0;
    const auto& streams = call.report.streams;
    lost += streams.empty() || std::any_of(streams.begin(), streams.end(),
                                           [](const StreamReport& stream) {
                                               return stream.end == StreamEnd::lost ||
                                                      stream.end == StreamEnd::broken ||
                                                      stream.end == StreamEnd::not_opened;
                                           })
                ? 1
                : 0;
    stuck += call.stuck ? 1 : 0;
    if (!call.healthy() && first_reason.empty()) {
        first_reason = call.reasons.front();
    }
    frames_sent += call.frames_sent;
    media_received += call.media_received;
    marks_echoed += call.marks_echoed;
    underruns += call.underruns;
    media_gap_max = std::max(media_gap_max, call.media_gap_max);
    for (const auto& [histogram, value] :
         {std::pair{&answered, call.report.answered}, {&opened, call.open}, {&first_media, call.first_media}}) {
        if (value) {
            histogram->add(*value);
        }
    }
    latency.merge(call.latency);
    pacing.merge(call.pacing);
    ledger.sent += call.ledger.sent;
    ledger.answered += call.ledger.answered;
    ledger.repeated += call.ledger.repeated;
    ledger.reordered += call.ledger.reordered;
    ledger.corrupt += call.ledger.corrupt;
    violations.merge(call.violations);
}

Json to_json(const LoadSummary& summary) {
    Json json = {{"healthy", summary.is_healthy()},
                 {"calls", summary.asked},
                 {"calls_started", summary.started},
                 {"calls_ended", summary.ended},
                 {"calls_healthy", summary.healthy},
                 {"calls_lost", summary.lost},
                 {"calls_stuck", summary.stuck},
                 {"calls_at_once_max", summary.most_at_once},
                 {"first_reason", summary.first_reason},
                 {"frames_sent", summary.frames_sent},
                 {"media_received", summary.media_received},
                 {"marks_echoed", summary.marks_echoed},
                 {"underruns", summary.underruns},
                 {"media_gap_max_ms", milliseconds_json(summary.media_gap_max)},
                 {"pacing", pacing_json(summary.pacing)},
                 {"answered_ms", percentiles_json(summary.answered)},
                 {"stream_open_ms", percentiles_json(summary.opened)},
                 {"first_audio_ms", percentiles_json(summary.first_media)}};
    if (summary.ledger.sent > 0) {
        json["frames"] = ledger_json(summary.ledger, summary.latency);
    }
    json["generator"] = {{"wall_ms", milliseconds_json(summary.wall)},
                         {"cpu_ms", milliseconds_json(summary.cpu)},
                         {"clock_late_max_ms", milliseconds_json(summary.clock_latest)}};
    json["violations"] = violations_json(summary.violations);
    return json;
}

std::string to_text(const LoadSummary& summary) {
    std::string text = std::to_string(summary.ended) + " of " + std::to_string(summary.asked) + " calls, " +
                       std::to_string(summary.healthy) + " healthy, " + std::to_string(summary.lost) + " lost, " +
                       std::to_string(summary.stuck) + " stuck, " + std::to_string(summary.most_at_once) + " at once\n";
    if (!summary.first_reason.empty()) {
        text += "  ! first failure    " + summary.first_reason + "\n";
    }
    text += "  answered in        " + percentiles_text(summary.answered) + "\n";
    text += "  stream open in     " + percentiles_text(summary.opened) + "\n";
    text += "  first audio after  " + percentiles_text(summary.first_media) + "\n";
    text += "  frames             " + std::to_string(summary.frames_sent) + " sent, " +
            std::to_string(summary.media_received) + " media received, " + std::to_string(summary.marks_echoed) +
            " marks echoed\n";
    text += "  continuity         largest gap between media " + milliseconds_text(summary.media_gap_max) + ", " +
            std::to_string(summary.underruns) + " underruns\n";
    text += "  pacing             " + pacing_text(summary.pacing) + "\n";
    if (summary.ledger.sent > 0) {
        text += "  numbered frames    " + std::to_string(summary.ledger.sent) + " sent, " +
                std::to_string(summary.ledger.lost()) + " lost, " + std::to_string(summary.ledger.repeated) +
                " repeated, " + std::to_string(summary.ledger.reordered) + " reordered, " +
                std::to_string(summary.ledger.corrupt) + " corrupt\n";
        text += "  echo latency       " + percentiles_text(summary.latency) + "\n";
    }
    const auto percent = static_cast<int>(100 * share_of(summary.cpu, summary.wall) + 0.5);
    text += "  this program       " + std::to_string(percent) + " % of one core, clock late by at most " +
            milliseconds_text(summary.clock_latest) + "\n";
    text += summary.violations.total() == 0 ? "  violations         none\n"
                                            : "  violations\n" + violations_text(summary.violations);
    return text;
}

}  // namespace agentlocator::call
