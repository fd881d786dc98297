#include "speech/resampler.hpp"

#include <speex/speex_resampler.h>

#include <cstddef>

#include "common/ensure.hpp"

namespace agentlocator::speech {

void Resampler::Destroy::operator()(SpeexResamplerState_* state) const {
    speex_resampler_destroy(state);
}

Resampler::Resampler(std::uint32_t from, std::uint32_t to, int quality) : from_(from), to_(to) {
    if (from != to) {
        int code = 0;
        state_.reset(speex_resampler_init(1, from, to, quality, &code));
        ENSURE(state_ != nullptr);  // Fails for a rate of zero only, which no caller of ours passes.
        restart();
    }
}

Resampler::~Resampler() = default;

void Resampler::restart() {
    if (state_) {
        speex_resampler_reset_mem(state_.get());
        speex_resampler_skip_zeros(state_.get());
    }
}

void Resampler::process(std::span<const std::int16_t> in, std::vector<std::int16_t>& out) {
    if (!state_) {
        out.insert(out.end(), in.begin(), in.end());
        return;
    }
    while (!in.empty()) {
        const std::size_t before = out.size();
        out.resize(before + in.size() * to_ / from_ + 16);
        auto taken = static_cast<spx_uint32_t>(in.size());
        auto made = static_cast<spx_uint32_t>(out.size() - before);
        speex_resampler_process_int(state_.get(), 0, in.data(), &taken, out.data() + before, &made);
        out.resize(before + made);
        if (taken == 0 && made == 0) {
            return;
        }
        in = in.subspan(taken);
    }
}

void Resampler::flush(std::vector<std::int16_t>& out) {
    if (state_) {
        const std::vector<std::int16_t> zeros(
            static_cast<std::size_t>(speex_resampler_get_input_latency(state_.get())));
        process(zeros, out);
    }
}

}  // namespace agentlocator::speech
