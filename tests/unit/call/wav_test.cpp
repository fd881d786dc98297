#include "supervisor/call/wav.hpp"

#include <doctest/doctest.h>

#include <bit>
#include <cmath>
#include <numbers>

#include "supervisor/call/mulaw.hpp"

using namespace agentlocator;
using namespace agentlocator::call;

namespace {

std::string little(std::uint32_t value, int bytes) {
    std::string out;
    for (int i = 0; i < bytes; ++i) {
        out += static_cast<char>(value >> (8 * i) & 0xFF);
    }
    return out;
}

std::string chunk(const std::string& id, const std::string& data) {
    return id + little(static_cast<std::uint32_t>(data.size()), 4) + data +
           (data.size() % 2 != 0 ? std::string(1, '\0') : "");
}

std::string wav(unsigned tag, unsigned channels, std::uint32_t rate, unsigned bits, const std::string& data) {
    const std::string format = little(tag, 2) + little(channels, 2) + little(rate, 4) +
                               little(rate * channels * bits / 8, 4) + little(channels * bits / 8, 2) + little(bits, 2);
    const std::string body = "WAVE" + chunk("fmt ", format) + chunk("LIST", "odd") + chunk("data", data);
    return "RIFF" + little(static_cast<std::uint32_t>(body.size()), 4) + body;
}

Sound tone(std::uint32_t rate, double hz, double seconds) {
    Sound sound{rate, {}};
    for (std::size_t i = 0; i < static_cast<std::size_t>(rate * seconds); ++i) {
        sound.samples.push_back(
            static_cast<float>(0.5 * std::sin(2 * std::numbers::pi * hz * static_cast<double>(i) / rate)));
    }
    return sound;
}

// Energy of the middle half, against that of a tone of amplitude 0.5.
double relative_db(const std::vector<float>& samples) {
    double sum = 0;
    const std::size_t quarter = samples.size() / 4;
    for (std::size_t i = quarter; i < 3 * quarter; ++i) {
        sum += static_cast<double>(samples[i]) * samples[i];
    }
    return 10 * std::log10(sum / static_cast<double>(2 * quarter) / 0.125 + 1e-20);
}

}  // namespace

TEST_CASE("wav: every width is read, unsigned 8 bit and signed 24 bit among them") {
    const auto first = [](const std::string& file) {
        const auto sound = read_wav(file);
        REQUIRE(sound.has_value());
        REQUIRE(sound->samples.size() == 2);
        CHECK(sound->samples[1] == doctest::Approx(-1.0).epsilon(0.02));
        return sound->samples[0];
    };
    CHECK(first(wav(1, 1, 8000, 8, "\xC0" + std::string(1, '\0'))) == doctest::Approx(0.5));
    CHECK(first(wav(1, 1, 16000, 16, little(0x4000, 2) + little(0x8000, 2))) == doctest::Approx(0.5));
    CHECK(first(wav(1, 1, 44100, 24, little(0x400000, 3) + little(0x800000, 3))) == doctest::Approx(0.5));
    CHECK(first(wav(1, 1, 48000, 32, little(0x40000000, 4) + little(0x80000000, 4))) == doctest::Approx(0.5));
    CHECK(first(wav(3, 1, 48000, 32,
                    little(std::bit_cast<std::uint32_t>(0.5F), 4) + little(std::bit_cast<std::uint32_t>(-7.0F), 4))) ==
          doctest::Approx(0.5));
    CHECK(first(wav(7, 1, 8000, 8, std::string{static_cast<char>(encode_mulaw(16000)), '\0'})) ==
          doctest::Approx(16000.0 / 32768).epsilon(0.03));
}

TEST_CASE("wav: channels are mixed, an extensible header and a header of a pipe are understood") {
    const auto stereo = read_wav(wav(1, 2, 8000, 16, little(0x4000, 2) + little(0x2000, 2) + little(1, 1)));
    REQUIRE(stereo.has_value());
    REQUIRE(stereo->samples.size() == 1);  // The odd byte at the end is no sample.
    CHECK(stereo->samples[0] == doctest::Approx(0.375));

    const std::string extensible = little(0xFFFE, 2) + little(1, 2) + little(8000, 4) + little(16000, 4) +
                                   little(2, 2) + little(16, 2) + little(22, 2) + little(16, 2) + little(0, 4) +
                                   little(1, 2) + std::string(14, 'g');
    const auto wide =
        read_wav("RIFF" + little(0, 4) + "WAVE" + chunk("fmt ", extensible) + chunk("data", little(0x4000, 2)));
    REQUIRE(wide.has_value());
    CHECK(wide->samples.size() == 1);

    std::string piped = wav(1, 1, 8000, 16, little(0x4000, 2) + little(0x4000, 2));
    piped.replace(piped.size() - 8, 4, little(0xFFFFFFFF, 4));
    CHECK(read_wav(piped)->samples.size() == 2);
    piped.replace(piped.size() - 8, 4, little(0, 4));
    CHECK(read_wav(piped)->samples.size() == 2);
}

TEST_CASE("wav: what is no WAV is refused in words") {
    const std::string good = wav(1, 1, 8000, 16, little(0, 2));
    for (std::size_t size = 0; size < good.size() - 10; ++size) {
        CHECK(read_wav(std::string_view(good).substr(0, size)).has_error());
    }
    CHECK(read_wav("ID3").error().detail == "it is not a RIFF WAVE file");
    CHECK(read_wav(wav(0x55, 1, 8000, 16, "")).error().detail.starts_with("its format is tag 85"));
    CHECK(read_wav(wav(1, 1, 8000, 40, "")).has_error());
    CHECK(read_wav(wav(1, 0, 8000, 16, "")).has_error());
    CHECK(read_wav(wav(1, 1, wav_rate_min, 16, "")).has_value());
    CHECK(read_wav(wav(1, 1, wav_rate_min - 1, 16, "")).has_error());
    CHECK(read_wav(wav(1, 1, wav_rate_max, 16, "")).has_value());
    CHECK(read_wav(wav(1, 1, wav_rate_max + 1, 16, "")).has_error());
}

TEST_CASE("wav: what is written can be read") {
    const std::vector<std::int16_t> samples{0, 16384, -32768, 32767};
    const auto back = read_wav(write_wav(samples));
    REQUIRE(back.has_value());
    CHECK(back->rate == 8000);
    REQUIRE(back->samples.size() == 4);
    CHECK(back->samples[1] == doctest::Approx(0.5));
    CHECK(back->samples[2] == doctest::Approx(-1.0));
}

TEST_CASE("resampling: the voice band passes, what lies above 4 kHz does not fold into it") {
    for (const std::uint32_t rate : {11025U, 16000U, 22050U, 24000U, 44100U, 48000U, 96000U}) {
        CAPTURE(rate);
        const auto voice = to_telephone_rate(tone(rate, 1000, 0.5));
        REQUIRE(voice.has_value());
        CHECK(std::abs(static_cast<double>(voice->size()) - 4000) <= 8);
        CHECK(relative_db(*voice) == doctest::Approx(0).epsilon(0.05));
        CHECK(relative_db(*to_telephone_rate(tone(rate, 3400, 0.5))) > -0.5);
        CHECK(relative_db(*to_telephone_rate(tone(rate, 5000, 0.5))) < -80);
    }
    CHECK(relative_db(*to_telephone_rate(tone(6000, 1000, 0.5))) == doctest::Approx(0).epsilon(0.05));
    CHECK(to_telephone_rate(tone(8000, 1000, 0.5))->size() == 4000);
}
