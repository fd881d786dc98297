#include "worker/voice/voice_detector.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <numeric>

#include "signal.hpp"
#include "worker/voice/end_pointer.hpp"

using namespace agentlocator;
using namespace agentlocator::test;

namespace {

constexpr float level_min = -50;

std::span<const std::uint8_t, spectrum_samples> window(const std::vector<std::uint8_t>& audio, std::size_t frame) {
    return std::span<const std::uint8_t, spectrum_samples>(&audio[frame * frame_samples], spectrum_samples);
}

// One line for each frame: is it voice?
struct Ear {
    std::vector<bool> run(const Signal& signal) {
        std::vector<std::uint8_t> audio(vad_overlap, mulaw_silence);
        const auto more = mulaw(signal);
        audio.insert(audio.end(), more.begin(), more.end());
        std::vector<bool> out;
        for (std::size_t frame = 0; frame * frame_samples + spectrum_samples <= audio.size(); ++frame) {
            out.push_back(detect_voice(state, *memory, window(audio, frame), level_min).voice);
        }
        return out;
    }
    VadState state;
    std::unique_ptr<VadMemory> memory = std::make_unique<VadMemory>();
};

// Frames from..to (of 20 ms) that are voice.
long voiced(const std::vector<bool>& frames, std::size_t from, std::size_t to) {
    return std::count(frames.begin() + static_cast<long>(from), frames.begin() + static_cast<long>(to), true);
}

std::vector<bool> open_frames(const std::vector<bool>& frames, unsigned hangover = 25) {
    EarState ear;
    std::vector<bool> out;
    for (const bool frame : frames) {
        hear(ear, frame, {3, 5, hangover});
        out.push_back(ear.open);
    }
    return out;
}

}  // namespace

TEST_CASE("spectrum: the bins sum to the mean square, and a tone stands in its own bin") {
    std::array<float, spectrum_bins> power{};
    const auto tone = mulaw(sine(0.032, 1000, -20));
    power_spectrum(window(tone, 0), power);
    CHECK(std::accumulate(power.begin(), power.end(), 0.0F) == doctest::Approx(0.01).epsilon(0.03));
    CHECK(std::max_element(power.begin(), power.end()) - power.begin() == 32);
    CHECK(power[31] + power[32] + power[33] > 0.0098F);
    double sum = 0;
    const auto noise = mulaw(white(10, -30));
    for (std::size_t frame = 0; frame < 498; ++frame) {
        power_spectrum(window(noise, frame), power);
        sum += std::accumulate(power.begin(), power.end(), 0.0F);
    }
    CHECK(sum / 498 == doctest::Approx(0.001).epsilon(0.03));
}

TEST_CASE("spectrum: agrees with the definition on a random signal") {
    const auto audio = mulaw(white(0.032, -12, 5));
    std::array<float, spectrum_bins> power{};
    power_spectrum(window(audio, 0), power);
    double squares = 0;
    std::array<double, spectrum_samples> hann{};
    for (std::size_t i = 0; i < hann.size(); ++i) {
        hann[i] = 0.5 - 0.5 * std::cos(2 * std::numbers::pi * static_cast<double>(i) / 256);
        squares += hann[i] * hann[i];
    }
    for (std::size_t k = 0; k < spectrum_bins; ++k) {
        double re = 0;
        double im = 0;
        for (std::size_t i = 0; i < hann.size(); ++i) {
            const double sample = mulaw_to_pcm(audio[i]) / 32768.0 * hann[i];
            re += sample * std::cos(2 * std::numbers::pi * static_cast<double>(k * i) / 256);
            im -= sample * std::sin(2 * std::numbers::pi * static_cast<double>(k * i) / 256);
        }
        const double sides = k == 0 || k == 128 ? 1 : 2;
        REQUIRE(power[k] == doctest::Approx(sides * (re * re + im * im) / (256 * squares)).epsilon(1e-3));
    }
}

TEST_CASE("voice_detector: silence, line noise, loud noise and standing tones are no voice") {
    CHECK(voiced(Ear{}.run(Signal(80'000, 0)), 0, 498) == 0);
    CHECK(voiced(Ear{}.run(white(10, -62)), 0, 498) == 0);
    CHECK(voiced(Ear{}.run(white(10, -32)), 0, 498) == 0);
    const auto tone = open_frames(Ear{}.run(then(white(2, -62), sine(5, 440, -20))));
    CHECK(std::count(tone.begin(), tone.end(), true) == 0);
    // A key: two tones at once.
    const auto key = open_frames(Ear{}.run(then(white(2, -62), sine(0.2, 697, -20) + sine(0.2, 1209, -20))));
    CHECK(std::count(key.begin(), key.end(), true) == 0);
}

TEST_CASE("voice_detector: a voice is found over silence, line noise and loud noise; its pauses are not") {
    for (const double noise : {-90.0, -62.0, -45.0, -36.0}) {
        CAPTURE(noise);
        const Signal line = white(14, noise, 3);
        const Signal talk = then(Signal(32'000, 0), voice(3, -24));
        const auto frames = Ear{}.run(line + talk);
        CHECK(voiced(frames, 0, 195) == 0);
        CHECK(voiced(frames, 200, 350) > 60);  // Half of a syllable is faint.
        CHECK(voiced(frames, 360, 690) <= 2);
        const auto open = open_frames(frames);
        const auto first = std::find(open.begin(), open.end(), true) - open.begin();
        CHECK(first >= 200);
        CHECK(first <= 212);
    }
}

TEST_CASE("voice_detector: a jump of the background ends as one false start of at most 1.6 s") {
    for (const double before : {-62.0, -99.0}) {
        for (const std::uint32_t seed : {1U, 2U, 3U}) {
            const auto open = open_frames(Ear{}.run(then(white(5, before, seed), white(10, -30, seed + 10))));
            CHECK(std::count(open.begin(), open.end(), true) <= 80);
            CHECK_FALSE(open.back());
        }
    }
}

TEST_CASE("voice_detector: a louder note of music is no voice; over the same music a voice is found") {
    const auto chord = [](double seconds, double hertz, double dbfs) {
        Signal sum = sine(seconds, hertz, dbfs);
        for (const double interval : {1.25, 1.5, 2.0, 2.5, 3.0, 3.75, 4.5, 5.0, 6.0, 7.5}) {
            sum = std::move(sum) + sine(seconds, hertz * interval, dbfs);
        }
        return sum;
    };
    const auto music = [&](double quiet, double loud) {
        Signal out;
        for (int bar = 0; bar < 4; ++bar) {
            out = then(then(std::move(out), chord(1, 330, quiet)), chord(0.24, 392, loud));
        }
        return out;
    };
    Ear ear;
    const auto frames = ear.run(music(-50, -43));  // One line is 10 dB fainter than the eleven of them.
    CHECK(voiced(frames, 0, frames.size()) == 0);
    CHECK(ear.state.tonality > 0.15F);

    Ear noise;  // The same steps of a noise are found: it is the lines that make the difference.
    Signal steps;
    for (int bar = 0; bar < 4; ++bar) {
        steps = then(then(std::move(steps), white(1, -40)), white(0.24, -33));
    }
    const auto louder = noise.run(steps);
    CHECK(voiced(louder, 0, louder.size()) > 8);
    CHECK(noise.state.tonality < 0.05F);

    Ear over;
    const auto spoken = over.run(then(music(-50, -43), music(-50, -43) + voice(4.96, -24)));
    CHECK(voiced(spoken, 0, 248) == 0);
    CHECK(voiced(spoken, 248, 496) > 60);
}

TEST_CASE("voice_detector: fainter than the least level is no voice on any line") {
    CHECK(voiced(Ear{}.run(then(white(4, -80), voice(3, -60))), 0, 340) == 0);
}

TEST_CASE("voice_detector: steps that were not committed, and counts torn in the middle, change nothing") {
    const Signal signal = then(white(5, -50, 1) + then(Signal(16'000, 0), voice(2, -25)), white(15, -40, 2));
    Ear calm;
    const auto expected = calm.run(signal);
    std::vector<std::uint8_t> audio(vad_overlap, mulaw_silence);
    const auto more = mulaw(signal);
    audio.insert(audio.end(), more.begin(), more.end());
    Ear rough;
    std::mt19937 random(11);
    for (std::size_t frame = 0; frame < expected.size(); ++frame) {
        if (random() % 7 == 0) {  // A process does the step and dies before it is committed ...
            VadState lost = rough.state;
            static_cast<void>(detect_voice(lost, *rough.memory, window(audio, frame), level_min));
        }
        if (random() % 11 == 0) {  // ... or in the middle of counting.
            rough.memory->counts_of.store(0);
            rough.memory->band_counts[random() % vad_bands][random() % vad_band_bins] = 77;
            rough.memory->level_counts[random() % vad_level_bins] = 777;
        }
        REQUIRE(detect_voice(rough.state, *rough.memory, window(audio, frame), level_min).voice == expected[frame]);
    }
    CHECK(std::memcmp(rough.memory->level_counts.data(), calm.memory->level_counts.data(),
                      sizeof calm.memory->level_counts) == 0);
    CHECK(rough.memory->band_counts == calm.memory->band_counts);
}

TEST_CASE("voice_detector: memory of the slot's last call does not reach the next") {
    const Signal signal = then(white(3, -60, 1), voice(2, -25));
    Ear fresh;
    const auto expected = fresh.run(signal);
    Ear reused;
    static_cast<void>(reused.run(white(12, -20, 9)));
    reused.state = {};
    CHECK(reused.run(signal) == expected);
}

TEST_CASE("end_pointer: opens at the third of five voice frames and closes after the hangover, not before") {
    EarState ear;
    const EndPointing rules{3, 5, 25};
    for (const bool frame : {true, true, false, false, false, false, true, false, true, false}) {
        hear(ear, frame, rules);
        CHECK_FALSE(ear.open);
    }
    hear(ear, true, rules);  // true false true false true
    CHECK(ear.open);
    CHECK(ear.voiced == 3);
    for (int i = 0; i < 24; ++i) {
        hear(ear, false, rules);
    }
    hear(ear, true, rules);
    CHECK(ear.voiced == 4);
    for (int i = 0; i < 24; ++i) {
        hear(ear, false, rules);
    }
    CHECK(ear.open);
    hear(ear, false, rules);
    CHECK_FALSE(ear.open);
    // What was said before does not count towards the next beginning.
    hear(ear, true, rules);
    hear(ear, true, rules);
    CHECK_FALSE(ear.open);
}

TEST_CASE("end_pointer: a window of 64 frames is the widest") {
    EarState ear;
    for (int i = 0; i < 63; ++i) {
        hear(ear, true, {64, 64, 25});
    }
    CHECK_FALSE(ear.open);
    hear(ear, true, {64, 64, 25});
    CHECK(ear.open);
}
