#pragma once
// One rate to another as samples come, by speexdsp. Pure: samples in, samples out.
//
// Towards the caller quality 3 (-1 dB at 3.4 kHz, -92 dB of alias, 655 us a second of audio from 22050 Hz), towards the
// recogniser quality 5 (flat). Linear interpolation folds everything above 4 kHz into the voice.
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

struct SpeexResamplerState_;

namespace agentlocator::speech {

inline constexpr int quality_to_caller = 3;
inline constexpr int quality_to_recogniser = 5;

class Resampler {
public:
    Resampler(std::uint32_t from, std::uint32_t to, int quality);
    ~Resampler();
    Resampler(Resampler&&) noexcept = default;
    Resampler& operator=(Resampler&&) noexcept = default;

    // Forgets what it holds: the next sample is the first of a new utterance, without the filter's own delay.
    void restart();
    void process(std::span<const std::int16_t> in, std::vector<std::int16_t>& out);
    // What the filter still holds of the utterance.
    void flush(std::vector<std::int16_t>& out);

private:
    struct Destroy {
        void operator()(SpeexResamplerState_* state) const;
    };
    std::unique_ptr<SpeexResamplerState_, Destroy> state_;  // Empty: both rates are the same.
    std::uint32_t from_;
    std::uint32_t to_;
};

}  // namespace agentlocator::speech
