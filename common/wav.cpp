#include "common/wav.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <optional>

#include "common/mulaw.hpp"

namespace agentlocator {
namespace {

// WAVE format tags (Microsoft mmreg.h).
constexpr unsigned format_pcm = 1;
constexpr unsigned format_float = 3;
constexpr unsigned format_mulaw = 7;
constexpr unsigned format_extensible = 0xFFFE;

std::uint32_t little(std::string_view bytes, std::size_t at, std::size_t count) {
    std::uint32_t value = 0;
    for (std::size_t i = 0; i < count; ++i) {
        value |= static_cast<std::uint32_t>(static_cast<std::uint8_t>(bytes[at + i])) << (8 * i);
    }
    return value;
}

void append_little(std::string& out, std::uint32_t value, int count) {
    for (int i = 0; i < count; ++i) {
        out += static_cast<char>(value >> (8 * i) & 0xFF);
    }
}

struct Format {
    unsigned tag = 0;
    unsigned channels = 0;
    std::uint32_t rate = 0;
    unsigned sample_bytes = 0;
};

Result<Format> read_format(std::string_view chunk) {
    if (chunk.size() < 16) {
        return error(Errc::bad_message, "its format chunk is cut short");
    }
    Format format{little(chunk, 0, 2), little(chunk, 2, 2), little(chunk, 4, 4), little(chunk, 14, 2) / 8};
    if (format.tag == format_extensible && chunk.size() >= 26) {
        format.tag = little(chunk, 24, 2);  // The sub-format begins with the plain tag.
    }
    const unsigned width = format.sample_bytes;
    const bool known = (format.tag == format_pcm && width >= 1 && width <= 4) ||
                       (format.tag == format_float && width == 4) || (format.tag == format_mulaw && width == 1);
    if (!known) {
        return error(Errc::bad_message, "its format is tag " + std::to_string(format.tag) + " with " +
                                            std::to_string(width * 8) +
                                            " bits; known are PCM of 8 to 32 bits, 32-bit float and mu-law");
    }
    if (format.channels == 0 || format.rate < wav_rate_min || format.rate > wav_rate_max) {
        return error(Errc::bad_message, "it has " + std::to_string(format.channels) + " channels at " +
                                            std::to_string(format.rate) + " Hz; valid are 1000 to 768000 Hz");
    }
    return format;
}

float read_sample(const Format& format, std::string_view data, std::size_t at) {
    const std::uint32_t raw = little(data, at, format.sample_bytes);
    if (format.tag == format_float) {
        const auto value = std::bit_cast<float>(raw);
        return std::isfinite(value) ? std::clamp(value, -1.0F, 1.0F) : 0.0F;
    }
    if (format.tag == format_mulaw) {
        return static_cast<float>(mulaw_to_pcm(static_cast<std::uint8_t>(raw))) / 32768.0F;
    }
    if (format.sample_bytes == 1) {
        return (static_cast<float>(raw) - 128.0F) / 128.0F;  // 8-bit PCM alone is unsigned.
    }
    const auto left = static_cast<std::int32_t>(raw << (32 - 8 * format.sample_bytes));
    return static_cast<float>(left) / 2147483648.0F;
}

}  // namespace

Result<Sound> read_wav(std::string_view file) {
    if (file.size() < 12 || file.substr(0, 4) != "RIFF" || file.substr(8, 4) != "WAVE") {
        return error(Errc::bad_message, "it is not a RIFF WAVE file");
    }
    std::optional<Format> format;
    for (std::size_t at = 12; at + 8 <= file.size();) {
        const std::string_view id = file.substr(at, 4);
        // Programs that write to a pipe leave a size of zero or 4 GiB: what is there counts.
        const std::size_t size = std::min<std::size_t>(little(file, at + 4, 4), file.size() - at - 8);
        const std::string_view chunk = file.substr(at + 8, size);
        if (id == "fmt ") {
            auto read = read_format(chunk);
            if (!read) {
                return read.error();
            }
            format = *read;
        } else if (id == "data") {
            if (!format) {
                return error(Errc::bad_message, "its data comes before its format");
            }
            const std::string_view data = size == 0 ? file.substr(at + 8) : chunk;
            const std::size_t step = std::size_t{format->sample_bytes} * format->channels;
            Sound sound{format->rate, {}};
            sound.samples.reserve(data.size() / step);
            for (std::size_t i = 0; i + step <= data.size(); i += step) {
                float sum = 0;
                for (unsigned c = 0; c < format->channels; ++c) {
                    sum += read_sample(*format, data, i + std::size_t{c} * format->sample_bytes);
                }
                sound.samples.push_back(sum / static_cast<float>(format->channels));
            }
            return sound;
        }
        at += 8 + size + (size & 1U);  // Chunks are padded to an even size.
    }
    return error(Errc::bad_message, "it has no data chunk");
}

namespace {

// Everything before the samples. A format that is not PCM has a longer format chunk and says how many samples there are
// (Microsoft, "New Multimedia Data Types", 1994).
std::string header(unsigned format, unsigned sample_bytes, std::uint32_t samples) {
    const bool pcm = format == format_pcm;
    const std::uint32_t bytes = samples * sample_bytes;
    std::string out = "RIFF";
    append_little(out, (pcm ? 36 : 50) + bytes + (bytes & 1U), 4);
    out += "WAVEfmt ";
    append_little(out, pcm ? 16 : 18, 4);
    append_little(out, format, 2);
    append_little(out, 1, 2);
    append_little(out, telephone_rate, 4);
    append_little(out, telephone_rate * sample_bytes, 4);
    append_little(out, sample_bytes, 2);
    append_little(out, sample_bytes * 8, 2);
    if (!pcm) {
        append_little(out, 0, 2);
        out += "fact";
        append_little(out, 4, 4);
        append_little(out, samples, 4);
    }
    out += "data";
    append_little(out, bytes, 4);
    return out;
}

}  // namespace

std::string write_wav(std::span<const std::int16_t> samples) {
    std::string out = header(format_pcm, 2, static_cast<std::uint32_t>(samples.size()));
    out.reserve(out.size() + samples.size() * 2);
    for (const std::int16_t sample : samples) {
        append_little(out, static_cast<std::uint16_t>(sample), 2);
    }
    return out;
}

std::string write_mulaw_wav(std::span<const std::uint8_t> samples) {
    std::string out = header(format_mulaw, 1, static_cast<std::uint32_t>(samples.size()));
    out.append(samples.begin(), samples.end());
    out.append(samples.size() & 1U, '\0');  // Chunks are padded to an even size.
    return out;
}

}  // namespace agentlocator
