#pragma once
// Synthetic telephone signals for the tests of the ear, in mu-law.
#include <cmath>
#include <cstdint>
#include <numbers>
#include <random>
#include <vector>

#include "common/mulaw.hpp"

namespace agentlocator::test {

using Signal = std::vector<double>;  // Full scale is 1.

inline double rms_of(double dbfs) {
    return std::pow(10, dbfs / 20);
}

inline Signal white(double seconds, double dbfs, std::uint32_t seed = 1) {
    std::mt19937 random(seed);
    std::normal_distribution<double> normal(0, rms_of(dbfs));
    Signal out(static_cast<std::size_t>(seconds * 8000));
    for (double& sample : out) {
        sample = normal(random);
    }
    return out;
}

inline Signal sine(double seconds, double hertz, double dbfs) {
    Signal out(static_cast<std::size_t>(seconds * 8000));
    for (std::size_t i = 0; i < out.size(); ++i) {
        out[i] = std::sqrt(2) * rms_of(dbfs) * std::sin(2 * std::numbers::pi * hertz * static_cast<double>(i) / 8000);
    }
    return out;
}

// A talker of sorts: harmonics of a gliding pitch under two moving formants, four syllables a second.
inline Signal voice(double seconds, double dbfs) {
    Signal out(static_cast<std::size_t>(seconds * 8000));
    double phase = 0;
    double squares = 0;
    for (std::size_t i = 0; i < out.size(); ++i) {
        const double t = static_cast<double>(i) / 8000;
        const double pitch = 120 + 25 * std::sin(2 * std::numbers::pi * 0.7 * t);
        phase += 2 * std::numbers::pi * pitch / 8000;
        const double low = 500 + 200 * std::sin(2 * std::numbers::pi * 2 * t);
        const double high = 1600 + 500 * std::sin(2 * std::numbers::pi * 3 * t);
        const double syllable = std::max(0.0, std::sin(2 * std::numbers::pi * 4 * t) + 0.5);
        for (int harmonic = 1; harmonic * pitch < 3400; ++harmonic) {
            const double at = harmonic * pitch;
            const double gain =
                std::exp(-std::pow((at - low) / 150, 2)) + 0.5 * std::exp(-std::pow((at - high) / 200, 2));
            out[i] += syllable * gain * std::sin(harmonic * phase);
        }
        squares += out[i] * out[i];
    }
    const double gain = rms_of(dbfs) / std::sqrt(squares / static_cast<double>(out.size()));
    for (double& sample : out) {
        sample *= gain;
    }
    return out;
}

inline Signal operator+(Signal a, const Signal& b) {
    for (std::size_t i = 0; i < a.size() && i < b.size(); ++i) {
        a[i] += b[i];
    }
    return a;
}
inline Signal then(Signal a, const Signal& b) {
    a.insert(a.end(), b.begin(), b.end());
    return a;
}

inline std::vector<std::uint8_t> mulaw(const Signal& signal) {
    std::vector<std::uint8_t> out;
    out.reserve(signal.size());
    for (const double sample : signal) {
        const double scaled = std::max(-32767.0, std::min(32767.0, std::round(sample * 32768)));
        out.push_back(pcm_to_mulaw(static_cast<std::int16_t>(scaled)));
    }
    return out;
}

}  // namespace agentlocator::test
