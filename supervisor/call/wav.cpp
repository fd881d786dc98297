#include "supervisor/call/wav.hpp"

#include <samplerate.h>

#include <algorithm>
#include <cmath>
#include <string>

#include "supervisor/call/mulaw.hpp"

namespace agentlocator::call {

Result<std::vector<float>> to_telephone_rate(const Sound& sound) {
    if (sound.rate == telephone_rate || sound.samples.empty()) {
        return sound.samples;
    }
    const double ratio = static_cast<double>(telephone_rate) / sound.rate;
    std::vector<float> out(static_cast<std::size_t>(std::ceil(static_cast<double>(sound.samples.size()) * ratio)) + 8);
    SRC_DATA job{};
    job.data_in = sound.samples.data();
    job.input_frames = static_cast<long>(sound.samples.size());
    job.data_out = out.data();
    job.output_frames = static_cast<long>(out.size());
    job.src_ratio = ratio;
    if (const int code = src_simple(&job, SRC_SINC_BEST_QUALITY, 1); code != 0) {
        return error(Errc::bad_message, std::string("it cannot be resampled: ") + src_strerror(code));
    }
    out.resize(static_cast<std::size_t>(job.output_frames_gen));
    return out;
}

std::vector<std::uint8_t> to_mulaw(std::span<const float> samples) {
    std::vector<std::uint8_t> out;
    out.reserve(samples.size());
    for (const float sample : samples) {
        out.push_back(encode_mulaw(static_cast<std::int16_t>(std::lrint(std::clamp(sample, -1.0F, 1.0F) * 32767.0F))));
    }
    return out;
}

}  // namespace agentlocator::call
