#include "supervisor/call/correlation.hpp"

#include <doctest/doctest.h>

#include <cmath>

#include "supervisor/call/caller_audio.hpp"
#include "supervisor/call/histogram.hpp"
#include "supervisor/call/mulaw.hpp"

using namespace agentlocator;
using namespace agentlocator::call;

namespace {

std::vector<std::uint8_t> sound(CallerSound kind, std::uint64_t seed, double level, int seconds) {
    CallerAudioPlan plan;
    plan.sound = kind;
    plan.seed = seed;
    plan.level_dbfs = level;
    plan.tone_hz = 440;
    CallerAudio audio(plan);
    std::vector<std::uint8_t> out;
    Frame frame{};
    for (int i = 0; i < seconds * 50; ++i) {
        audio.next(frame);
        out.insert(out.end(), frame.begin(), frame.end());
    }
    return out;
}

std::vector<std::uint8_t> delayed(const std::vector<std::uint8_t>& sent, std::size_t samples) {
    std::vector<std::uint8_t> heard(samples, mulaw_silence);
    heard.insert(heard.end(), sent.begin(), sent.end());
    heard.resize(sent.size());
    return heard;
}

}  // namespace

TEST_CASE("fft: agrees with the sum it stands for, and its inverse undoes it") {
    Random random(7);
    std::vector<std::complex<double>> values;
    for (int i = 0; i < 64; ++i) {
        values.emplace_back(random.unit(), random.unit());
    }
    auto fast = values;
    fft(fast, false);
    for (std::size_t k = 0; k < values.size(); ++k) {
        std::complex<double> sum;
        for (std::size_t i = 0; i < values.size(); ++i) {
            sum += values[i] * std::polar(1.0, -2 * 3.14159265358979323846 * static_cast<double>(k * i) / 64);
        }
        CHECK(std::abs(sum - fast[k]) < 1e-9);
    }
    fft(fast, true);
    for (std::size_t i = 0; i < values.size(); ++i) {
        CHECK(std::abs(fast[i] / 64.0 - values[i]) < 1e-12);
    }
}

TEST_CASE("echo: an exact echo is 1.0 at its lag, loud or as quiet as line noise") {
    for (const double level : {-20.0, -54.0}) {
        CAPTURE(level);
        const auto sent = sound(CallerSound::noise, 3, level, 5);
        const EchoFinding finding = find_echo(sent, delayed(sent, 1234 * 8));
        CHECK(finding.peak > 0.99);
        CHECK(finding.lag == 1234ms);
        CHECK(finding.echoed == finding.windows);
    }
}

TEST_CASE("echo: other noise, a tone and silence stay below 0.1 over 20 seconds") {
    const auto sent = sound(CallerSound::noise, 3, -20, 20);
    const EchoFinding noise = find_echo(sent, sound(CallerSound::noise, 4, -20, 20));
    CHECK(noise.peak < 0.1);
    CHECK(noise.windows == 20);
    CHECK(noise.echoed == 0);
    CHECK(find_echo(sent, sound(CallerSound::tone, 0, -10, 20)).peak < 0.1);
    const EchoFinding silence = find_echo(sent, std::vector<std::uint8_t>(sent.size(), mulaw_silence));
    CHECK(silence.peak == 0);
    CHECK(silence.windows == 0);
    CHECK(find_echo({}, {}).peak == 0);
}

TEST_CASE("echo: two seconds of it in a longer call is found") {
    const auto sent = sound(CallerSound::noise, 3, -20, 20);
    auto heard = sound(CallerSound::tone, 0, -10, 20);
    std::copy(sent.begin() + 10 * 8000, sent.begin() + 12 * 8000, heard.begin() + 10 * 8000 + 800);
    const EchoFinding finding = find_echo(sent, heard);
    CHECK(finding.peak > 0.99);
    CHECK(finding.lag == 100ms);
    CHECK(finding.echoed == 2);
}

TEST_CASE("echo: the largest lag is found, one past it is not") {
    const auto sent = sound(CallerSound::noise, 3, -20, 6);
    CHECK(find_echo(sent, delayed(sent, echo_lag_max)).peak > 0.99);
    CHECK(find_echo(sent, delayed(sent, echo_lag_max + 1)).peak < 0.1);
}

TEST_CASE("caller audio: level, pitch and repeatability") {
    const auto rms = [](const std::vector<std::uint8_t>& codes) {
        double sum = 0;
        for (const std::uint8_t code : codes) {
            sum += std::pow(decode_mulaw(code), 2);
        }
        return 20 * std::log10(std::sqrt(sum / static_cast<double>(codes.size())) / 32768);
    };
    CHECK(rms(sound(CallerSound::noise, 1, -20, 2)) == doctest::Approx(-20).epsilon(0.02));
    CHECK(rms(sound(CallerSound::tone, 1, -10, 2)) == doctest::Approx(-13).epsilon(0.02));
    CHECK(sound(CallerSound::noise, 1, -20, 1) == sound(CallerSound::noise, 1, -20, 1));
    CHECK(sound(CallerSound::noise, 1, -20, 1) != sound(CallerSound::noise, 2, -20, 1));

    CallerAudioPlan plan;
    plan.sound = CallerSound::recording;
    plan.recording = std::make_shared<const std::vector<std::uint8_t>>(200, std::uint8_t{7});
    CallerAudio audio(plan);
    Frame frame{};
    audio.next(frame);
    CHECK(frame[159] == 7);
    audio.next(frame);
    CHECK(frame[39] == 7);
    CHECK(frame[40] == mulaw_silence);
}

TEST_CASE("histogram: percentiles are within a step") {
    Histogram histogram;
    CHECK(histogram.percentile(0.5) == 0us);
    for (int i = 1; i <= 10'000; ++i) {
        histogram.add(std::chrono::microseconds(i));
    }
    for (const double share : {0.01, 0.5, 0.9, 0.99, 0.999}) {
        const auto value = std::chrono::duration<double, std::micro>(histogram.percentile(share)).count();
        CHECK(value == doctest::Approx(share * 10'000).epsilon(0.016));
    }
    CHECK(histogram.percentile(1) == 10ms);
    histogram.add(10min);  // Beyond the last step: counted, and the maximum is exact.
    CHECK(histogram.max() == 10min);
    CHECK(histogram.count() == 10'001);
    Histogram both;
    both.merge(histogram);
    both.merge(histogram);
    CHECK(both.count() == 20'002);
    CHECK(both.percentile(0.5) == histogram.percentile(0.5));
}
