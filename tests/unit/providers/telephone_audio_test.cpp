#include "worker/providers/telephone_audio.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <numbers>

#include "common/mulaw.hpp"

using namespace agentlocator;

namespace {

std::string sine(double hertz, std::uint32_t rate, double seconds, double level = 10'000) {
    std::string bytes;
    const auto count = static_cast<std::size_t>(seconds * rate);
    for (std::size_t i = 0; i < count; ++i) {
        const double value = level * std::sin(2 * std::numbers::pi * hertz * static_cast<double>(i) / rate);
        const auto sample = static_cast<std::uint16_t>(static_cast<std::int16_t>(value));
        bytes.push_back(static_cast<char>(sample & 0xffU));
        bytes.push_back(static_cast<char>(sample >> 8U));
    }
    return bytes;
}

std::vector<std::uint8_t> convert(std::string_view bytes, WavFormat raw, std::size_t step, bool* good = nullptr) {
    ToTelephone converter(raw);
    std::vector<std::uint8_t> out;
    bool fine = true;
    for (std::size_t at = 0; at < bytes.size() && fine; at += step) {
        fine = converter.feed(bytes.substr(at, step), out);
    }
    fine = fine && converter.finish(out);
    if (good != nullptr) {
        *good = fine;
    } else {
        CHECK(fine);
    }
    return out;
}

// Of the middle: a sine that begins and ends at once holds every frequency there.
double level(const std::vector<std::uint8_t>& mulaw) {
    const std::span<const std::uint8_t> all(mulaw);
    return std::sqrt(static_cast<double>(mulaw_mean_square(all.subspan(all.size() / 8, all.size() * 3 / 4))));
}

constexpr WavFormat pcm24{WavFormat::Encoding::pcm16, 24'000, 1};
constexpr WavFormat mulaw8{WavFormat::Encoding::mulaw, 8000, 1};

}  // namespace

TEST_CASE("telephone_audio: mu-law passes as it is, in any split") {
    const std::string sound("\x00\x7f\xff\x80xyz", 7);
    for (std::size_t step = 1; step <= sound.size(); ++step) {
        const auto out = convert(sound, mulaw8, step);
        CHECK(std::string(out.begin(), out.end()) == sound);
    }
}

TEST_CASE("telephone_audio: a WAV header is taken off though raw sound was promised") {
    const std::string sound(480, '\x55');
    for (const WavFormat::Encoding encoding : {WavFormat::Encoding::mulaw}) {
        const std::string wav = make_wav(sound, {encoding, 8000, 1});
        for (std::size_t step = 1; step <= wav.size(); ++step) {
            const auto out = convert(wav, pcm24, step);
            CHECK(std::string(out.begin(), out.end()) == sound);
        }
    }
}

TEST_CASE("telephone_audio: sound that begins like a header and is none is played whole") {
    for (const std::string sound : {"R", "RI", "RIF", "RIFTxx"}) {
        const auto out = convert(sound, mulaw8, 1);
        CHECK(std::string(out.begin(), out.end()) == sound);
    }
}

TEST_CASE("telephone_audio: every split of 16-bit sound gives the same, odd bytes too") {
    const std::string sound = sine(440, 24'000, 0.05);
    const auto whole = convert(sound, pcm24, sound.size());
    CHECK(whole.size() == 400);
    for (const std::size_t step : {1UL, 3UL, 7UL, 481UL}) {
        CHECK(convert(sound, pcm24, step) == whole);
    }
}

TEST_CASE("telephone_audio: a second stays a second at every rate a service may use") {
    for (const std::uint32_t rate : {8000U, 11'025U, 16'000U, 22'050U, 24'000U, 44'100U, 48'000U}) {
        CAPTURE(rate);
        const auto out = convert(sine(1000, rate, 1.0), {WavFormat::Encoding::pcm16, rate, 1}, 1024);
        CHECK(out.size() == 8000);
        CHECK(level(out) == doctest::Approx(10'000 / std::numbers::sqrt2).epsilon(0.03));
    }
}

TEST_CASE("telephone_audio: what the telephone cannot carry is filtered, not folded down") {
    // 5 kHz would be heard as 3 kHz at 8000 Hz without an anti-alias filter.
    const auto alias = convert(sine(5000, 24'000, 0.5), pcm24, 4096);
    const auto passed = convert(sine(1000, 24'000, 0.5), pcm24, 4096);
    CHECK(level(alias) < level(passed) / 300);  // -50 dB: below the noise of mu-law.
}

TEST_CASE("telephone_audio: sound we cannot play is refused") {
    bool good = true;
    std::string stereo = make_wav(std::string(400, 'x'), {WavFormat::Encoding::pcm16, 24'000, 1});
    stereo[22] = 2;
    convert(stereo, pcm24, 100, &good);
    CHECK_FALSE(good);
    convert("RIFF____MP3 ....", pcm24, 4, &good);
    CHECK_FALSE(good);
    convert(make_wav("xx", {WavFormat::Encoding::pcm16, 96'000, 1}), pcm24, 64, &good);
    CHECK_FALSE(good);
    convert("RIFF", mulaw8, 4, &good);  // Ended inside the header.
    CHECK_FALSE(good);
}

TEST_CASE("wav_stream: chunks before the sound are stepped over, what follows it is not sound") {
    const std::string plain = make_wav("abcdef", mulaw8);
    std::string list = "LIST";
    list += std::string("\x05\0\0\0", 4) + "INFOx" + std::string(1, '\0');  // Odd sizes are padded.
    const std::string wav = plain.substr(0, 12) + list + plain.substr(12) + "junk";
    WavStream stream;
    std::string sound;
    CHECK(stream.feed(wav, sound) == WavStream::State::ended);
    CHECK(sound == "abcdef");
    CHECK(stream.format().rate == 8000);
    CHECK(stream.feed("more", sound) == WavStream::State::ended);
    CHECK(sound == "abcdef");
}

TEST_CASE("wav_stream: a size of zero or of all ones means until the end") {
    for (const char fill : {'\0', '\xff'}) {
        std::string wav = make_wav("abcdef", mulaw8);
        wav.replace(40, 4, std::string(4, fill));
        WavStream stream;
        std::string sound;
        CHECK(stream.feed(wav, sound) == WavStream::State::sound);
        CHECK(stream.feed("ghi", sound) == WavStream::State::sound);
        CHECK(sound == "abcdefghi");
    }
}

TEST_CASE("wav_stream: a header may have its longest length and not more") {
    const std::string plain = make_wav("ab", mulaw8);
    const auto with_junk = [&](std::size_t bytes) {
        std::string junk = "JUNK";
        for (int i = 0; i < 4; ++i) {
            junk.push_back(static_cast<char>(bytes >> (8 * i)));
        }
        WavStream stream;
        std::string sound;
        return stream.feed(plain.substr(0, 12) + junk + std::string(bytes, 'j') + plain.substr(12), sound);
    };
    CHECK(with_junk(WavStream::header_bytes_max - 12 - 8 - 24) == WavStream::State::ended);
    CHECK(with_junk(WavStream::header_bytes_max) == WavStream::State::bad);
}

TEST_CASE("utterance_wav: the caller's second becomes a second at the recogniser's rate") {
    std::vector<std::uint8_t> mulaw;
    for (int i = 0; i < 8000; ++i) {
        mulaw.push_back(pcm_to_mulaw(static_cast<std::int16_t>(8000 * std::sin(i * 0.3))));
    }
    for (const std::uint32_t rate : {8000U, 16'000U}) {
        const std::string wav = utterance_wav(mulaw, rate);
        CHECK(wav.size() == 44 + 2 * rate);
        CHECK(wav.substr(0, 4) == "RIFF");
        WavStream stream;
        std::string sound;
        CHECK(stream.feed(wav, sound) == WavStream::State::ended);
        CHECK(stream.format().rate == rate);
        CHECK(sound.size() == 2 * rate);
    }
}
