#include "worker/providers/wav_stream.hpp"

#include <algorithm>

namespace agentlocator {
namespace {

std::uint32_t little_endian(std::string_view bytes, std::size_t at, std::size_t size) {
    std::uint32_t value = 0;
    for (std::size_t i = size; i > 0; --i) {
        value = value << 8U | static_cast<unsigned char>(bytes[at + i - 1]);
    }
    return value;
}

void append(std::string& out, std::uint32_t value, std::size_t size) {
    for (std::size_t i = 0; i < size; ++i) {
        out.push_back(static_cast<char>(value >> (8 * i)));
    }
}

constexpr std::uint32_t format_pcm = 1;
constexpr std::uint32_t format_alaw = 6;
constexpr std::uint32_t format_mulaw = 7;
constexpr std::uint32_t format_extensible = 0xfffe;  // The real one is the first two bytes of the GUID.

}  // namespace

WavStream::State WavStream::feed(std::string_view bytes, std::string& sound) {
    if (state_ == State::header) {
        header_ += bytes;
        read_header();
        if (state_ != State::sound) {
            return state_;
        }
        const std::string rest = std::move(header_);
        header_.clear();
        return rest.empty() ? state_ : feed(rest, sound);
    }
    if (state_ != State::sound) {
        return state_;  // What follows the sound (LIST, id3) is not sound.
    }
    const auto take = endless_ ? bytes.size() : static_cast<std::size_t>(std::min<std::uint64_t>(left_, bytes.size()));
    sound += bytes.substr(0, take);
    if (!endless_) {
        left_ -= take;
        state_ = left_ == 0 ? State::ended : State::sound;
    }
    return state_;
}

void WavStream::read_header() {
    constexpr std::size_t riff_size = 12;
    if (header_.size() < riff_size) {
        return;
    }
    if (!header_.starts_with("RIFF") || header_.compare(8, 4, "WAVE") != 0) {
        state_ = State::bad;
        return;
    }
    std::size_t at = riff_size;
    while (header_.size() >= at + 8) {
        const std::string_view name(&header_[at], 4);
        const std::uint32_t size = little_endian(header_, at + 4, 4);
        if (name == "data") {
            endless_ = size == 0 || size == 0xffffffff;
            left_ = size;
            state_ = has_format_ ? State::sound : State::bad;
            header_.erase(0, at + 8);
            return;
        }
        const std::uint64_t padded = std::uint64_t{size} + (size & 1U);
        if (at + 8 + padded > header_bytes_max) {
            state_ = State::bad;
            return;
        }
        if (header_.size() < at + 8 + padded) {
            return;
        }
        if (name == "fmt " && !read_format(std::string_view(header_).substr(at + 8, size))) {
            state_ = State::bad;
            return;
        }
        at += 8 + static_cast<std::size_t>(padded);
    }
}

bool WavStream::read_format(std::string_view chunk) {
    if (chunk.size() < 16) {
        return false;
    }
    std::uint32_t tag = little_endian(chunk, 0, 2);
    if (tag == format_extensible && chunk.size() >= 26) {
        tag = little_endian(chunk, 24, 2);
    }
    format_.channels = static_cast<std::uint16_t>(little_endian(chunk, 2, 2));
    format_.rate = little_endian(chunk, 4, 4);
    const std::uint32_t bits = little_endian(chunk, 14, 2);
    has_format_ = format_.channels == 1;
    if (tag == format_pcm && bits == 16) {
        format_.encoding = WavFormat::Encoding::pcm16;
    } else if (tag == format_mulaw && bits == 8) {
        format_.encoding = WavFormat::Encoding::mulaw;
    } else if (tag == format_alaw && bits == 8) {
        format_.encoding = WavFormat::Encoding::alaw;
    } else {
        has_format_ = false;
    }
    return has_format_;
}

std::string make_wav(std::string_view sound, WavFormat format) {
    const bool wide = format.encoding == WavFormat::Encoding::pcm16;
    const std::uint32_t sample_bytes = wide ? 2 : 1;
    const auto size = static_cast<std::uint32_t>(sound.size());
    std::string out = "RIFF";
    append(out, 36 + size, 4);
    out += "WAVEfmt ";
    append(out, 16, 4);
    append(out, wide ? format_pcm : format_mulaw, 2);
    append(out, 1, 2);
    append(out, format.rate, 4);
    append(out, format.rate * sample_bytes, 4);
    append(out, sample_bytes, 2);
    append(out, 8 * sample_bytes, 2);
    out += "data";
    append(out, size, 4);
    out += sound;
    return out;
}

}  // namespace agentlocator
