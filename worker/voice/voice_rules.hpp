#pragma once
// The knobs of turn-taking, as the settings give them (common/config_table.cpp has their meaning and ranges).
#include <chrono>
#include <cstdint>

#include "common/config.hpp"

namespace agentlocator {

struct VoiceRules {
    // When the caller speaks.
    float level_min = -50;  // dBFS.
    unsigned start_frames = 3;
    unsigned start_window = 5;
    std::uint32_t hangover_ms = 500;
    std::uint32_t min_utterance_ms = 120;  // Of voice.
    std::uint32_t max_utterance_ms = 15'000;
    // When both do.
    bool barge_in = true;
    unsigned barge_in_frames = 5;
    unsigned barge_in_window = 8;
    float barge_in_raise_db = 3;
    std::uint32_t barge_in_grace_ms = 400;
    std::uint32_t backchannel_ms = 500;  // Less voice than this over our speech is a "mm-hm": the speech goes on.
    std::uint32_t refractory_ms = 750;
    // When the agent answers. The delay counts from the caller's last voice.
    std::uint32_t answer_delay_min_ms = 0;
    std::uint32_t answer_delay_max_ms = 0;
    std::uint32_t thinking_hint_ms = 0;
    std::uint32_t agent_mute_ms = 8000;
    // When nobody speaks.
    std::uint32_t answer_within_ms = 6000;
    std::uint32_t max_call_ms = 1'800'000;
};

[[nodiscard]] VoiceRules voice_rules(const Settings& settings);

}  // namespace agentlocator
