#include "worker/voice/voice_rules.hpp"

#include <doctest/doctest.h>

using namespace agentlocator;

TEST_CASE("voice_rules: the defaults of the settings are the defaults of the machine, but for the breath") {
    const VoiceRules rules = voice_rules(parse_settings({}, {}).settings);
    const VoiceRules defaults;
    CHECK(rules.level_min == doctest::Approx(-50).epsilon(0.002));
    CHECK(rules.hangover_ms == defaults.hangover_ms);
    CHECK(rules.min_utterance_ms == defaults.min_utterance_ms);
    CHECK(rules.max_utterance_ms == defaults.max_utterance_ms);
    CHECK(rules.barge_in_frames == defaults.barge_in_frames);
    CHECK(rules.barge_in_window == defaults.barge_in_window);
    CHECK(rules.backchannel_ms == defaults.backchannel_ms);
    CHECK(rules.agent_mute_ms == defaults.agent_mute_ms);
    CHECK(rules.max_call_ms == defaults.max_call_ms);
    CHECK(rules.answer_delay_min_ms <= rules.answer_delay_max_ms);
}

TEST_CASE("voice_rules: the window of an interruption keeps its proportion and stays within what is remembered") {
    Settings settings = parse_settings({}, {}).settings;
    for (const auto& [frames, window] : {std::pair{1U, 2U}, std::pair{5U, 8U}, std::pair{20U, 32U}}) {
        settings.barge_in_voice_frames = frames;
        CHECK(voice_rules(settings).barge_in_window == window);
        CHECK(window <= 64);
    }
    settings.agent.resp_min = std::chrono::milliseconds(500);
    settings.agent.resp_max = std::chrono::milliseconds(100);
    CHECK(voice_rules(settings).answer_delay_min_ms == 100);
}
