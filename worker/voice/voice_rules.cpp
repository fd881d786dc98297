#include "worker/voice/voice_rules.hpp"

#include <algorithm>
#include <cmath>

namespace agentlocator {
namespace {

template <class Milliseconds>
std::uint32_t count(Milliseconds duration) {
    return static_cast<std::uint32_t>(duration.count());
}

}  // namespace

VoiceRules voice_rules(const Settings& settings) {
    VoiceRules rules;
    // The root mean square of 16-bit samples, as a level below full scale.
    rules.level_min = 20 * std::log10(static_cast<float>(settings.vad_rms) / 32768);
    rules.hangover_ms = count(settings.vad_hangover);
    rules.min_utterance_ms = count(settings.min_utterance);
    rules.max_utterance_ms = count(settings.max_utterance);
    rules.barge_in = settings.barge_in;
    rules.barge_in_frames = settings.barge_in_voice_frames;
    rules.barge_in_window = (settings.barge_in_voice_frames * 8 + 4) / 5;  // 5 of 8, and in this proportion.
    rules.barge_in_raise_db = static_cast<float>(settings.barge_in_raise_db);
    rules.barge_in_grace_ms = count(settings.barge_in_grace);
    rules.backchannel_ms = count(settings.backchannel);
    rules.refractory_ms = count(settings.reply_refractory);
    rules.answer_delay_min_ms = count(std::min(settings.agent.resp_min, settings.agent.resp_max));
    rules.answer_delay_max_ms = count(settings.agent.resp_max);
    rules.thinking_hint_ms = count(settings.thinking_hint);
    rules.agent_mute_ms = count(settings.agent_mute);
    rules.answer_within_ms = count(settings.silence_prompt);
    rules.max_call_ms = count(settings.max_call);
    return rules;
}

}  // namespace agentlocator
