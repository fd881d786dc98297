#include "worker/providers/resampler.hpp"

#include <speex/speex_resampler.h>

#include "common/ensure.hpp"

namespace agentlocator {

void Resampler::Destroy::operator()(SpeexResamplerState_* state) const {
    speex_resampler_destroy(state);
}

Resampler::Resampler(std::uint32_t from, std::uint32_t to, int quality) : from_(from), to_(to) {
    ENSURE(from >= rate_min && from <= rate_max && to >= rate_min && to <= rate_max);
    if (from == to) {
        return;
    }
    int problem = RESAMPLER_ERR_SUCCESS;
    state_.reset(speex_resampler_init(1, from, to, quality, &problem));
    ENSURE(state_ != nullptr && problem == RESAMPLER_ERR_SUCCESS);  // Out of memory, as for `new`.
    speex_resampler_skip_zeros(state_.get());
}

Resampler::~Resampler() = default;
Resampler::Resampler(Resampler&&) noexcept = default;
Resampler& Resampler::operator=(Resampler&&) noexcept = default;

void Resampler::run(std::span<const std::int16_t> samples, std::vector<std::int16_t>& out) {
    constexpr std::size_t slack = 64;  // Rounding, and what the filter had kept back.
    while (!samples.empty()) {
        const std::size_t room = samples.size() * to_ / from_ + slack;
        const std::size_t before = out.size();
        out.resize(before + room);
        auto in_count = static_cast<spx_uint32_t>(samples.size());
        auto out_count = static_cast<spx_uint32_t>(room);
        speex_resampler_process_int(state_.get(), 0, samples.data(), &in_count, out.data() + before, &out_count);
        out.resize(before + out_count);
        given_ += out_count;
        samples = samples.subspan(in_count);
        if (in_count == 0 && out_count == 0) {
            return;  // Cannot happen with room in both; never spin on it.
        }
    }
}

void Resampler::push(std::span<const std::int16_t> samples, std::vector<std::int16_t>& out) {
    if (state_ == nullptr) {
        out.insert(out.end(), samples.begin(), samples.end());
        return;
    }
    taken_ += samples.size();
    run(samples, out);
}

void Resampler::finish(std::vector<std::int16_t>& out) {
    if (state_ == nullptr) {
        return;
    }
    const std::uint64_t due = taken_ * to_ / from_;
    const std::vector<std::int16_t> zeros(static_cast<std::size_t>(speex_resampler_get_input_latency(state_.get())) +
                                          1);
    run(zeros, out);
    if (given_ > due) {  // The zeros' own share.
        const auto excess = static_cast<std::size_t>(given_ - due);
        out.resize(out.size() > excess ? out.size() - excess : 0);
    }
    taken_ = given_ = 0;
    speex_resampler_reset_mem(state_.get());
    speex_resampler_skip_zeros(state_.get());
}

}  // namespace agentlocator
