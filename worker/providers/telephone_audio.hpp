#pragma once
// Whatever a speech service sends, as mu-law 8 kHz without a header; and a caller's mu-law as what recognisers take.
// Bytes in any split. A RIFF header is found by looking, not by trusting the content type: played as sound it is a
// click at the start of every sentence. Pure.
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "worker/providers/resampler.hpp"
#include "worker/providers/wav_stream.hpp"

namespace agentlocator {

class ToTelephone {
public:
    // `raw`: what the bytes are when they are not a WAV file.
    explicit ToTelephone(WavFormat raw) : raw_(raw) {}

    // False: the bytes are a WAV file that cannot be played (stereo, 24 bits, MP3 inside).
    [[nodiscard]] bool feed(std::string_view bytes, std::vector<std::uint8_t>& mulaw);
    // End of the sentence: what the filter still holds.
    [[nodiscard]] bool finish(std::vector<std::uint8_t>& mulaw);

private:
    enum class Kind : std::uint8_t { unknown, raw, wav };
    [[nodiscard]] bool convert(std::string_view sound, WavFormat format, std::vector<std::uint8_t>& mulaw);
    void emit(const std::vector<std::int16_t>& samples, std::vector<std::uint8_t>& mulaw) const;

    WavFormat raw_;
    Kind kind_ = Kind::unknown;
    std::string first_;  // Until it is known whether it is a header.
    WavStream wav_;
    std::optional<char> odd_byte_;  // Half a sample, carried to the next piece.
    std::optional<Resampler> resampler_;
    std::vector<std::int16_t> samples_;
};

// The whole utterance as one WAV file, PCM16 mono at `rate` (8000 or more).
[[nodiscard]] std::string utterance_wav(std::span<const std::uint8_t> mulaw, std::uint32_t rate);

}  // namespace agentlocator
