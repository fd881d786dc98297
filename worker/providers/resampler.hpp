#pragma once
// Sample rate conversion with an anti-alias filter, by speexdsp: quality 3 towards the telephone (-92 dB of aliases,
// -1 dB at 3.4 kHz), 5 towards a recogniser, which is flat. One stream; the zeros of the filter's start are skipped and
// its tail is flushed, so that n samples in give n * to / from samples out.
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

struct SpeexResamplerState_;

namespace agentlocator {

class Resampler {
public:
    static constexpr std::uint32_t rate_min = 8000;
    static constexpr std::uint32_t rate_max = 48'000;
    static constexpr int to_telephone = 3;
    static constexpr int to_recogniser = 5;

    // Rates within rate_min .. rate_max; equal rates copy.
    Resampler(std::uint32_t from, std::uint32_t to, int quality);
    ~Resampler();
    Resampler(Resampler&&) noexcept;
    Resampler& operator=(Resampler&&) noexcept;

    // Appends to `out`.
    void push(std::span<const std::int16_t> samples, std::vector<std::int16_t>& out);
    void finish(std::vector<std::int16_t>& out);

private:
    struct Destroy {
        void operator()(SpeexResamplerState_* state) const;
    };
    void run(std::span<const std::int16_t> samples, std::vector<std::int16_t>& out);

    std::uint32_t from_;
    std::uint32_t to_;
    std::uint64_t taken_ = 0;
    std::uint64_t given_ = 0;
    std::unique_ptr<SpeexResamplerState_, Destroy> state_;
};

}  // namespace agentlocator
