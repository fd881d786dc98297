#include "supervisor/call/caller_audio.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "supervisor/call/mulaw.hpp"

namespace agentlocator::call {
namespace {

std::uint8_t to_code(double sample) {
    return encode_mulaw(static_cast<std::int16_t>(std::lrint(std::clamp(sample, -32768.0, 32767.0))));
}

}  // namespace

CallerAudio::CallerAudio(CallerAudioPlan plan) : plan_(std::move(plan)), random_(plan_.seed) {}

void CallerAudio::next(Frame& frame) {
    const double amplitude = 32768.0 * std::pow(10.0, plan_.level_dbfs / 20.0);
    for (std::uint8_t& code : frame) {
        const std::uint64_t at = position_++;
        switch (plan_.sound) {
            case CallerSound::silence:
                code = mulaw_silence;
                break;
            case CallerSound::noise:
                // Uniform: white, and its RMS is the half width over the root of three.
                code = to_code(amplitude * std::numbers::sqrt3 * (2.0 * random_.unit() - 1.0));
                break;
            case CallerSound::tone:
                code = to_code(amplitude * std::sin(2.0 * std::numbers::pi * plan_.tone_hz *
                                                    static_cast<double>(at % (8000 * 1000)) / 8000.0));
                break;
            case CallerSound::recording: {
                const std::size_t from = at + plan_.recording_offset;
                code = from < plan_.recording->size() ? (*plan_.recording)[from] : mulaw_silence;
                break;
            }
        }
    }
}

}  // namespace agentlocator::call
