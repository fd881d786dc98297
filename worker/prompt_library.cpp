#include "worker/prompt_library.hpp"

#include <string>
#include <string_view>

#include "common/mulaw.hpp"

namespace agentlocator {
namespace {

constexpr unsigned format_pcm = 1;
constexpr unsigned format_mulaw = 7;
constexpr std::string_view valid = "valid: WAV, 8000 Hz, mono, mu-law or 16-bit PCM";

std::uint32_t little_endian(std::span<const std::uint8_t> bytes, std::size_t at, std::size_t count) {
    std::uint32_t value = 0;
    for (std::size_t i = 0; i < count; ++i) {
        value |= static_cast<std::uint32_t>(bytes[at + i]) << (8 * i);
    }
    return value;
}

bool tag(std::span<const std::uint8_t> bytes, std::size_t at, std::string_view text) {
    return at + text.size() <= bytes.size() &&
           std::string_view(reinterpret_cast<const char*>(bytes.data()) + at, text.size()) == text;
}

Error wrong(std::string detail) {
    return error(Errc::bad_config, std::move(detail) + "; " + std::string(valid));
}

}  // namespace

Result<std::vector<std::uint8_t>> read_prompt_wav(std::span<const std::uint8_t> file) {
    if (!tag(file, 0, "RIFF") || !tag(file, 8, "WAVE")) {
        return wrong("not a WAV file");
    }
    unsigned format = 0;
    for (std::size_t at = 12; at + 8 <= file.size();) {
        const std::size_t size = little_endian(file, at + 4, 4);
        const std::size_t body = at + 8;
        if (tag(file, at, "fmt ") && size >= 16 && body + 16 <= file.size()) {
            format = little_endian(file, body, 2);
            const std::uint32_t channels = little_endian(file, body + 2, 2);
            const std::uint32_t rate = little_endian(file, body + 4, 4);
            const std::uint32_t bits = little_endian(file, body + 14, 2);
            if (channels != 1 || rate != samples_per_second ||
                !((format == format_pcm && bits == 16) || (format == format_mulaw && bits == 8))) {
                return wrong("format " + std::to_string(format) + ", " + std::to_string(rate) + " Hz, " +
                             std::to_string(channels) + " channels, " + std::to_string(bits) + " bits");
            }
        } else if (tag(file, at, "data")) {
            if (format == 0) {
                return wrong("the data chunk comes before the format");
            }
            const std::span<const std::uint8_t> data = file.subspan(body, std::min(size, file.size() - body));
            if (data.empty()) {
                return wrong("no audio in it");
            }
            const std::size_t samples = format == format_mulaw ? data.size() : data.size() / 2;
            if (samples > prompt_seconds_max * samples_per_second) {
                return wrong("longer than " + std::to_string(prompt_seconds_max) + " seconds");
            }
            if (format == format_mulaw) {
                return std::vector<std::uint8_t>(data.begin(), data.end());
            }
            std::vector<std::uint8_t> mulaw(samples);
            for (std::size_t i = 0; i < samples; ++i) {
                mulaw[i] = pcm_to_mulaw(static_cast<std::int16_t>(little_endian(data, 2 * i, 2)));
            }
            return mulaw;
        }
        at = body + size + (size & 1U);  // Chunks are padded to even sizes.
    }
    return wrong("no data chunk");
}

}  // namespace agentlocator
