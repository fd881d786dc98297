#include "worker/agent/turn_latency.hpp"

#include "common/log_line.hpp"

namespace agentlocator {
namespace {

std::int64_t to_ms(Duration duration) {
    return std::chrono::duration_cast<std::chrono::milliseconds>(duration).count();
}

}  // namespace

std::int64_t TurnLatency::since_voice(const std::optional<TimePoint>& at) const {
    return at && last_voice ? std::max<std::int64_t>(1, to_ms(*at - *last_voice)) : 0;
}

// Stages overlap: a model may think about what the recogniser only believes so far. What they share counts once.
Duration TurnLatency::services() const {
    Duration services{};
    std::optional<TimePoint> counted;  // Up to here.
    for (const auto& [from, to] : {std::pair{end_of_turn, text},
                                   {asked_model, first_sentence ? first_sentence : first_token},
                                   {asked_voice, first_audio}}) {
        if (!from || !to) {
            continue;
        }
        const TimePoint begin = counted ? std::max(*from, *counted) : *from;
        services += std::max(Duration::zero(), *to - begin);
        counted = counted ? std::max(*counted, *to) : *to;
    }
    return services;
}

std::string TurnLatency::providers() const {
    std::string out;
    for (const auto& [stage, name] :
         {std::pair<const char*, const std::string&>{"stt=", stt}, {"llm=", llm}, {"tts=", tts}}) {
        if (!name.empty()) {
            out += (out.empty() ? "" : " ") + std::string(stage) + name;
        }
    }
    return out;
}

std::string TurnLatency::line(std::string_view call_sid, std::uint32_t turn) const {
    return log_line("turn_answered", {{"call", call_sid},
                                      {"turn", turn},
                                      {"end_of_turn_ms", since_voice(end_of_turn)},
                                      {"stt_ms", since_voice(text)},
                                      {"llm_ms", since_voice(first_token)},
                                      {"tts_ms", since_voice(first_audio)},
                                      {"sent_ms", since_voice(first_sent)},
                                      {"stt", stt},
                                      {"llm", llm},
                                      {"tts", tts}});
}

void TurnLatency::count(AgentMetrics& metrics) const {
    const auto add = [&](LatencyHistogram& histogram, const std::optional<TimePoint>& at) {
        if (at && last_voice) {
            histogram.add(*at - *last_voice);
        }
    };
    add(metrics.end_of_turn, end_of_turn);
    add(metrics.stt, text);
    add(metrics.llm, first_token);
    add(metrics.tts, first_audio);
}

}  // namespace agentlocator
