#pragma once
// The header of a WAV file as it streams in: bytes in, then the format and the bytes of the sound. Chunks other than
// "fmt " and "data" are stepped over; a data size of 0 or 0xffffffff means "until the end of the stream", as servers
// write it that do not know the length yet. Pure.
#include <cstdint>
#include <string>
#include <string_view>

namespace agentlocator {

struct WavFormat {
    enum class Encoding : std::uint8_t { pcm16, mulaw, alaw } encoding = Encoding::pcm16;
    std::uint32_t rate = 0;
    std::uint16_t channels = 1;
};

class WavStream {
public:
    static constexpr std::size_t header_bytes_max = 64 * 1024;  // Real ones have 44; some carry a LIST of texts.

    enum class State { header, sound, ended, bad };

    // Takes bytes; what of them is sound is appended to `sound`.
    State feed(std::string_view bytes, std::string& sound);
    [[nodiscard]] State state() const { return state_; }
    [[nodiscard]] const WavFormat& format() const { return format_; }  // From State::sound on.

private:
    void read_header();
    [[nodiscard]] bool read_format(std::string_view chunk);

    State state_ = State::header;
    std::string header_;
    WavFormat format_;
    bool has_format_ = false;
    bool endless_ = false;
    std::uint64_t left_ = 0;  // Of the data chunk.
};

// A whole WAV file, mono: PCM16 of the samples' bytes (little-endian), or mu-law.
[[nodiscard]] std::string make_wav(std::string_view sound, WavFormat format);

}  // namespace agentlocator
