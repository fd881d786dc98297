#include "worker/providers/telephone_audio.hpp"

#include "common/mulaw.hpp"

namespace agentlocator {
namespace {

constexpr std::uint32_t telephone_rate = 8000;

// G.711 A-law to PCM16 (ITU-T G.711, table 1a).
std::int16_t alaw_to_pcm(std::uint8_t code) {
    const unsigned value = code ^ 0x55U;
    const unsigned exponent = (value >> 4U) & 7U;
    int magnitude = static_cast<int>((value & 15U) << 4U) + 8;
    if (exponent > 0) {
        magnitude = (magnitude + 0x100) << (exponent - 1);
    }
    return static_cast<std::int16_t>((value & 0x80U) != 0 ? magnitude : -magnitude);
}

}  // namespace

bool ToTelephone::feed(std::string_view bytes, std::vector<std::uint8_t>& mulaw) {
    if (kind_ == Kind::unknown) {
        constexpr std::string_view riff = "RIFF";
        first_ += bytes;
        if (first_.size() < riff.size() && riff.starts_with(first_)) {
            return true;
        }
        kind_ = first_.starts_with(riff) ? Kind::wav : Kind::raw;
        const std::string all = std::move(first_);
        first_.clear();
        return feed(all, mulaw);
    }
    if (kind_ == Kind::raw) {
        return convert(bytes, raw_, mulaw);
    }
    std::string sound;
    if (wav_.feed(bytes, sound) == WavStream::State::bad) {
        return false;
    }
    return sound.empty() || convert(sound, wav_.format(), mulaw);
}

bool ToTelephone::convert(std::string_view sound, WavFormat format, std::vector<std::uint8_t>& mulaw) {
    if (format.rate < Resampler::rate_min || format.rate > Resampler::rate_max) {
        return false;
    }
    if (format.encoding == WavFormat::Encoding::mulaw && format.rate == telephone_rate) {
        mulaw.insert(mulaw.end(), sound.begin(), sound.end());
        return true;
    }
    samples_.clear();
    if (format.encoding == WavFormat::Encoding::pcm16) {
        samples_.reserve(sound.size() / 2 + 1);
        for (const char byte : sound) {
            if (!odd_byte_) {
                odd_byte_ = byte;
                continue;
            }
            const auto low = static_cast<unsigned char>(*odd_byte_);
            const auto high = static_cast<unsigned char>(byte);
            samples_.push_back(static_cast<std::int16_t>(static_cast<std::uint16_t>(low | high << 8U)));
            odd_byte_.reset();
        }
    } else {
        const bool alaw = format.encoding == WavFormat::Encoding::alaw;
        for (const char byte : sound) {
            const auto code = static_cast<std::uint8_t>(byte);
            samples_.push_back(alaw ? alaw_to_pcm(code) : mulaw_to_pcm(code));
        }
    }
    if (!resampler_) {
        resampler_.emplace(format.rate, telephone_rate, Resampler::to_telephone);
    }
    std::vector<std::int16_t> out;
    resampler_->push(samples_, out);
    emit(out, mulaw);
    return true;
}

bool ToTelephone::finish(std::vector<std::uint8_t>& mulaw) {
    if (kind_ == Kind::unknown && !first_.empty()) {  // Three bytes that happen to begin like a header.
        kind_ = Kind::raw;
        if (!convert(first_, raw_, mulaw)) {
            return false;
        }
    }
    if (resampler_) {
        std::vector<std::int16_t> out;
        resampler_->finish(out);
        emit(out, mulaw);
    }
    return kind_ != Kind::wav || wav_.state() != WavStream::State::header;
}

void ToTelephone::emit(const std::vector<std::int16_t>& samples, std::vector<std::uint8_t>& mulaw) const {
    for (const std::int16_t sample : samples) {
        mulaw.push_back(pcm_to_mulaw(sample));
    }
}

std::string utterance_wav(std::span<const std::uint8_t> mulaw, std::uint32_t rate) {
    std::vector<std::int16_t> samples;
    samples.reserve(mulaw.size());
    for (const std::uint8_t code : mulaw) {
        samples.push_back(mulaw_to_pcm(code));
    }
    if (rate != telephone_rate) {
        Resampler resampler(telephone_rate, rate, Resampler::to_recogniser);
        std::vector<std::int16_t> out;
        resampler.push(samples, out);
        resampler.finish(out);
        samples = std::move(out);
    }
    std::string bytes;
    bytes.reserve(samples.size() * 2);
    for (const std::int16_t sample : samples) {
        const auto value = static_cast<std::uint16_t>(sample);
        bytes.push_back(static_cast<char>(value & 0xffU));
        bytes.push_back(static_cast<char>(value >> 8U));
    }
    return make_wav(bytes, {WavFormat::Encoding::pcm16, rate, 1});
}

}  // namespace agentlocator
