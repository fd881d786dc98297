#pragma once
// What the caller says: one frame of mu-law for each 20 ms. Pure and repeatable from its seed.
#include <cstdint>
#include <memory>
#include <vector>

#include "supervisor/call/playback.hpp"
#include "supervisor/call/random.hpp"

namespace agentlocator::call {

enum class CallerSound : std::uint8_t { silence, noise, tone, recording };

struct CallerAudioPlan {
    CallerSound sound = CallerSound::noise;
    std::uint64_t seed = 1;
    double level_dbfs = -20;  // RMS of noise, peak of a tone, against full scale.
    double tone_hz = 1000;
    // Shared by the calls of a load run. Silence follows its end.
    std::shared_ptr<const std::vector<std::uint8_t>> recording;
    std::size_t recording_offset = 0;
};

class CallerAudio {
public:
    explicit CallerAudio(CallerAudioPlan plan);
    void next(Frame& frame);

private:
    CallerAudioPlan plan_;
    Random random_;
    std::uint64_t position_ = 0;  // Samples produced.
};

}  // namespace agentlocator::call
