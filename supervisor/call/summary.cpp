#include "supervisor/call/summary.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "common/ws_mode.hpp"
#include "supervisor/call/mulaw.hpp"

namespace agentlocator::call {
namespace {

using Json = nlohmann::ordered_json;

constexpr double audible_rms = 100;      // -50 dB of full scale: above the hiss of a line.
constexpr double echo_frames_min = 0.9;  // Of the frames sent, when there is no sound to correlate.

std::string number(double value, int digits) {
    std::array<char, 64> text{};
    (void)std::snprintf(text.data(), text.size(), "%.*f", digits, value);
    return text.data();
}

double to_ms(Duration value) {
    return std::chrono::duration<double, std::milli>(value).count();
}

double rounded(double value, double steps) {
    return std::round(value * steps) / steps;
}

double audible_seconds_of(const std::vector<std::uint8_t>& heard) {
    std::size_t frames = 0;
    for (std::size_t at = 0; at + frame_bytes <= heard.size(); at += frame_bytes) {
        double sum = 0;
        for (std::size_t i = 0; i < frame_bytes; ++i) {
            const double sample = decode_mulaw(heard[at + i]);
            sum += sample * sample;
        }
        frames += std::sqrt(sum / frame_bytes) >= audible_rms ? 1 : 0;
    }
    return static_cast<double>(frames) / 50.0;
}

void add_up(Summary& total, const StreamReport& stream) {
    total.frames_sent += stream.frames_sent;
    total.media_received += stream.media_received;
    total.audio_bytes_received += stream.audio_bytes_received;
    total.audio_bytes_played += stream.audio_bytes_played;
    total.marks_received += stream.marks_received;
    total.marks_echoed += stream.marks_echoed;
    total.clears += stream.clears;
    total.digits_sent += stream.digits_sent;
    total.underruns += stream.underruns;
    total.media_gap_max = std::max(total.media_gap_max, stream.media_gap_max);
    total.longest_hole = std::max(total.longest_hole, stream.longest_hole);
    total.pacing.merge(stream.pacing);
    total.audible_seconds += audible_seconds_of(stream.heard);
    total.open = total.open ? total.open : stream.open;
    total.first_media = total.first_media ? total.first_media : stream.first_media;
    const EchoFinding echo = find_echo(stream.sent, stream.heard);
    total.echo.windows += echo.windows;
    total.echo.echoed += echo.echoed;
    if (echo.peak > total.echo.peak) {
        total.echo.peak = echo.peak;
        total.echo.lag = echo.lag;
    }
    total.ledger.sent += stream.ledger.sent;
    total.ledger.answered += stream.ledger.answered;
    total.ledger.repeated += stream.ledger.repeated;
    total.ledger.reordered += stream.ledger.reordered;
    total.ledger.corrupt += stream.ledger.corrupt;
    total.latency.merge(stream.latency);
    total.violations.merge(stream.violations);
}

void judge_audio(Summary& summary, bool ledger) {
    auto& reasons = summary.reasons;
    switch (summary.expectation) {
        case Expectation::any:
            break;
        case Expectation::silence:
            if (summary.media_received > 0) {
                reasons.push_back("audio came back where silence was expected");
            }
            break;
        case Expectation::echo:
            if (ledger || summary.echo.windows == 0) {  // Numbered frames, or a silent caller: count instead.
                if (static_cast<double>(summary.media_received) <
                    echo_frames_min * static_cast<double>(summary.frames_sent)) {
                    reasons.push_back("no echo: " + std::to_string(summary.media_received) + " frames came back of " +
                                      std::to_string(summary.frames_sent));
                }
            } else if (summary.echo.peak < echo_threshold) {
                reasons.push_back("no echo: correlation " + number(summary.echo.peak, 2));
            }
            break;
        case Expectation::speech:
            if (summary.echo.peak >= echo_threshold) {
                reasons.push_back("the caller hears himself: correlation " + number(summary.echo.peak, 2) + " at " +
                                  std::to_string(summary.echo.lag.count()) + " ms");
            }
            if (summary.audible_seconds < audible_seconds_min) {
                reasons.push_back("nothing was said: " + number(summary.audible_seconds, 2) + " s of sound");
            }
            break;
    }
}

void judge_silence(Summary& summary, Duration silence_max) {
    summary.stuck = silence_max > Duration::zero() && summary.pacing.silence_max > silence_max;
    if (summary.stuck) {
        summary.reasons.push_back("the caller heard nothing for " +
                                  number(to_ms(summary.pacing.silence_max) / 1000, 1) + " s");
    }
}

void judge_streams(Summary& summary, const SummaryPlan& plan) {
    if (summary.report.streams.empty() && plan.stream_expected) {
        summary.reasons.push_back("no stream was opened");
    }
    for (const StreamReport& stream : summary.report.streams) {
        const bool lost = stream.end == StreamEnd::lost && !plan.faults.excuse_loss();
        if (lost || stream.end == StreamEnd::broken || stream.end == StreamEnd::not_opened) {
            summary.reasons.push_back("a stream ended badly: " + std::string(to_string(stream.end)) + " (" +
                                      stream.end_detail + ")");
        }
    }
    const LedgerCounts& frames = summary.ledger;
    if (plan.ledger && summary.expectation == Expectation::echo &&
        frames.lost() + frames.repeated + frames.reordered + frames.corrupt > 0) {
        summary.reasons.push_back("frames lost " + std::to_string(frames.lost()) + ", repeated " +
                                  std::to_string(frames.repeated) + ", reordered " + std::to_string(frames.reordered) +
                                  ", corrupt " + std::to_string(frames.corrupt));
    }
}

}  // namespace

std::string_view to_string(Expectation expectation) {
    switch (expectation) {
        case Expectation::any:
            return "none";
        case Expectation::echo:
            return "echo";
        case Expectation::silence:
            return "silence";
        case Expectation::speech:
            return "speech";
    }
    return "";
}

Expectation expectation_of(std::string_view version_document) {
    const auto document = nlohmann::json::parse(version_document, nullptr, false);
    if (!document.is_object()) {
        return Expectation::any;
    }
    for (const char* key : {"ws_mode", "mode"}) {
        if (document.contains(key) && document[key].is_string()) {
            const auto mode = parse_ws_mode(document[key].get_ref<const std::string&>());
            return !mode                   ? Expectation::any
                   : *mode == WsMode::echo ? Expectation::echo
                   : *mode == WsMode::sink ? Expectation::silence
                                           : Expectation::speech;
        }
    }
    return Expectation::any;
}

Summary summarize(std::string call_sid, CallReport report, const SummaryPlan& plan) {
    Summary summary;
    summary.call_sid = std::move(call_sid);
    summary.expectation = plan.expectation;
    summary.report = std::move(report);
    summary.violations = summary.report.violations;
    for (const StreamReport& stream : summary.report.streams) {
        add_up(summary, stream);
    }
    if (!summary.report.hint.empty()) {
        summary.reasons.push_back(summary.report.hint);
    }
    judge_streams(summary, plan);
    judge_audio(summary, plan.ledger);
    judge_silence(summary, plan.silence_max);
    if (summary.violations.total() > 0) {
        const std::uint64_t total = summary.violations.total();
        summary.reasons.push_back(std::to_string(total) + (total == 1 ? " violation" : " violations") +
                                  " of the protocol");
    }
    return summary;
}

std::string milliseconds_text(std::optional<Duration> value) {
    return value ? number(to_ms(*value), *value < 10ms ? 2 : 1) + " ms" : "never";
}

Json milliseconds_json(std::optional<Duration> value) {
    return value ? Json(rounded(to_ms(*value), 1000)) : Json(nullptr);
}

Json percentiles_json(const Histogram& histogram) {
    Json json = {{"count", histogram.count()}};
    for (const auto& [name, share] : {std::pair{"p50", 0.5}, {"p90", 0.9}, {"p99", 0.99}, {"p999", 0.999}}) {
        json[name] = milliseconds_json(histogram.percentile(share));
    }
    json["max"] = milliseconds_json(histogram.max());
    return json;
}

std::string percentiles_text(const Histogram& histogram) {
    if (histogram.count() == 0) {
        return "none";
    }
    return "p50 " + milliseconds_text(histogram.percentile(0.5)) + ", p90 " +
           milliseconds_text(histogram.percentile(0.9)) + ", p99 " + milliseconds_text(histogram.percentile(0.99)) +
           ", p99.9 " + milliseconds_text(histogram.percentile(0.999)) + ", max " + milliseconds_text(histogram.max());
}

Json pacing_json(const PacingReport& pacing) {
    const auto lead = [&](double share) {
        return pacing.lead.count() == 0 ? Json(nullptr) : milliseconds_json(pacing.lead.percentile(share));
    };
    return {{"late_ms", percentiles_json(pacing.late)},
            {"lead_ms",
             {{"count", pacing.lead.count()},
              {"min", lead(0)},
              {"p1", lead(0.01)},
              {"p50", lead(0.5)},
              {"max", milliseconds_json(pacing.lead_max)}}},
            {"silence_max_ms", milliseconds_json(pacing.silence_max)}};
}

std::string pacing_text(const PacingReport& pacing) {
    return "frames late by " + percentiles_text(pacing.late) +
           (pacing.lead.count() == 0 ? std::string()
                                     : "; ahead by " + milliseconds_text(pacing.lead.percentile(0)) +
                                           " at least, p50 " + milliseconds_text(pacing.lead.percentile(0.5))) +
           ", at most " + milliseconds_text(pacing.lead_max) + "; longest silence " +
           milliseconds_text(pacing.silence_max);
}

Json violations_json(const Violations& violations) {
    Json list = Json::array();
    for (const Violation& violation : violations.list()) {
        list.push_back({{"code", static_cast<int>(violation.rule)},
                        {"what", violation.what},
                        {"count", violation.count},
                        {"excerpt", violation.excerpt}});
    }
    return list;
}

std::string violations_text(const Violations& violations) {
    std::string text;
    for (const Violation& violation : violations.list()) {
        const int code = static_cast<int>(violation.rule);
        text += "  " + (code == 0 ? std::string("-----") : std::to_string(code)) + "  " + violation.what +
                (violation.count > 1 ? " (" + std::to_string(violation.count) + " times)" : "") + "\n";
        if (!violation.excerpt.empty()) {
            text += "         " + violation.excerpt + "\n";
        }
    }
    return text;
}

Json ledger_json(const LedgerCounts& counts, const Histogram& latency) {
    return {{"sent", counts.sent},
            {"answered", counts.answered},
            {"lost", counts.lost()},
            {"repeated", counts.repeated},
            {"reordered", counts.reordered},
            {"corrupt", counts.corrupt},
            {"latency_ms", percentiles_json(latency)}};
}

Json to_json(const Summary& summary) {
    Json json = {{"healthy", summary.healthy()},
                 {"reasons", summary.reasons},
                 {"call_sid", summary.call_sid},
                 {"expect", to_string(summary.expectation)},
                 {"answered_ms", milliseconds_json(summary.report.answered)},
                 {"stream_open_ms", milliseconds_json(summary.open)},
                 {"first_audio_ms", milliseconds_json(summary.first_media)},
                 {"frames_sent", summary.frames_sent},
                 {"media_received", summary.media_received},
                 {"seconds_received", rounded(static_cast<double>(summary.audio_bytes_received) / 8000, 1000)},
                 {"seconds_played", rounded(static_cast<double>(summary.audio_bytes_played) / 8000, 1000)},
                 {"seconds_audible", summary.audible_seconds},
                 {"marks_received", summary.marks_received},
                 {"marks_echoed", summary.marks_echoed},
                 {"clears", summary.clears},
                 {"digits_sent", summary.digits_sent},
                 {"media_gap_max_ms", milliseconds_json(summary.media_gap_max)},
                 {"underruns", summary.underruns},
                 {"longest_hole_ms", milliseconds_json(summary.longest_hole)},
                 {"pacing", pacing_json(summary.pacing)},
                 {"echo",
                  {{"correlation", rounded(summary.echo.peak, 10'000)},
                   {"lag_ms", summary.echo.lag.count()},
                   {"seconds_judged", summary.echo.windows},
                   {"seconds_echoed", summary.echo.echoed}}}};
    if (summary.ledger.sent > 0) {
        json["frames"] = ledger_json(summary.ledger, summary.latency);
    }
    json["streams"] = Json::array();
    for (const StreamReport& stream : summary.report.streams) {
        json["streams"].push_back({{"end", to_string(stream.end)},
                                   {"detail", stream.end_detail},
                                   {"close_code", stream.close_code == 0 ? Json(nullptr) : Json(stream.close_code)},
                                   {"open_ms", milliseconds_json(stream.open)},
                                   {"frames_sent", stream.frames_sent},
                                   {"media_received", stream.media_received}});
    }
    json["events"] = Json::array();
    for (const CallEvent& event : summary.report.events) {
        json["events"].push_back({{"at_ms", milliseconds_json(event.at)}, {"text", event.text}});
    }
    json["violations"] = violations_json(summary.violations);
    return json;
}

std::string to_text(const Summary& summary) {
    const auto line = [](std::string_view name, const std::string& value) {
        return "  " + std::string(name) + std::string(name.size() < 18 ? 18 - name.size() : 1, ' ') + value + "\n";
    };
    std::string text = "call " + summary.call_sid + (summary.healthy() ? ": healthy\n" : ": NOT HEALTHY\n");
    for (const std::string& reason : summary.reasons) {
        text += "  ! " + reason + "\n";
    }
    text += line("answered in", milliseconds_text(summary.report.answered));
    text += line("stream open in", milliseconds_text(summary.open));
    text += line("first audio after", milliseconds_text(summary.first_media));
    text += line("sent",
                 std::to_string(summary.frames_sent) + " frames, " + std::to_string(summary.digits_sent) + " digits");
    text += line("received", std::to_string(summary.media_received) + " media, " +
                                 number(static_cast<double>(summary.audio_bytes_received) / 8000, 2) + " s");
    text += line("heard", number(static_cast<double>(summary.audio_bytes_played) / 8000, 2) + " s played, " +
                              number(summary.audible_seconds, 2) + " s audible");
    text +=
        line("marks", std::to_string(summary.marks_received) + " received, " + std::to_string(summary.marks_echoed) +
                          " echoed, " + std::to_string(summary.clears) + " clears");
    text += line("continuity", "largest gap between media " + milliseconds_text(summary.media_gap_max) + ", " +
                                   std::to_string(summary.underruns) + " underruns, longest " +
                                   milliseconds_text(summary.longest_hole));
    text += line("pacing", pacing_text(summary.pacing));
    text += line("echo", summary.echo.windows == 0 ? "nothing to compare"
                                                   : "correlation " + number(summary.echo.peak, 3) + " at " +
                                                         std::to_string(summary.echo.lag.count()) + " ms, in " +
                                                         std::to_string(summary.echo.echoed) + " of " +
                                                         std::to_string(summary.echo.windows) + " s");
    if (summary.ledger.sent > 0) {
        const LedgerCounts& frames = summary.ledger;
        text += line("numbered frames", std::to_string(frames.sent) + " sent, " + std::to_string(frames.lost()) +
                                            " lost, " + std::to_string(frames.repeated) + " repeated, " +
                                            std::to_string(frames.reordered) + " reordered, " +
                                            std::to_string(frames.corrupt) + " corrupt");
        text += line("echo latency", percentiles_text(summary.latency));
    }
    for (const CallEvent& event : summary.report.events) {
        text += line("at " + milliseconds_text(event.at), event.text);
    }
    text += summary.violations.total() == 0 ? line("violations", "none")
                                            : line("violations", "") + violations_text(summary.violations);
    return text;
}

}  // namespace agentlocator::call
