#pragma once
// When each stage of one turn was ready, measured from the caller's last voice; the line of it. Pure.
#include <optional>
#include <string>

#include "worker/agent/agent_services.hpp"

namespace agentlocator {

struct TurnLatency {
    std::optional<TimePoint> last_voice;   // utterance_ended minus the silence already waited.
    std::optional<TimePoint> end_of_turn;  // utterance_ended arrived.
    std::optional<TimePoint> text;
    std::optional<TimePoint> asked_model;
    std::optional<TimePoint> first_token;
    std::optional<TimePoint> first_sentence;  // The model had said enough to be spoken.
    std::optional<TimePoint> asked_voice;
    std::optional<TimePoint> first_audio;
    std::optional<TimePoint> first_sent;
    std::string stt;
    std::string llm;
    std::string tts;

    [[nodiscard]] std::int64_t since_voice(const std::optional<TimePoint>& at) const;  // ms, 0: not known.
    // For how long services had work of ours in hand. The rest, up to the first frame, is our own share; the media
    // thread, which sends that frame, counts it.
    [[nodiscard]] Duration services() const;
    [[nodiscard]] std::string providers() const;  // "stt=embedded llm=openai tts=embedded"
    [[nodiscard]] std::string line(std::string_view call_sid, std::uint32_t turn) const;
    void count(AgentMetrics& metrics) const;  // All but what the media thread counts.
};

}  // namespace agentlocator
