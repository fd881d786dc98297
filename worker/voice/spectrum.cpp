#include "worker/voice/spectrum.hpp"

#include <cmath>

#include "common/mulaw.hpp"

namespace agentlocator {
namespace {

constexpr std::size_t half = spectrum_samples / 2;  // The real signal is transformed as this many complex values.
constexpr std::size_t half_bits = 7;
static_assert(std::size_t{1} << half_bits == half);

struct Complex {
    float re;
    float im;
};
constexpr Complex operator+(Complex a, Complex b) {
    return {a.re + b.re, a.im + b.im};
}
constexpr Complex operator-(Complex a, Complex b) {
    return {a.re - b.re, a.im - b.im};
}
constexpr Complex operator*(Complex a, Complex b) {
    return {a.re * b.re - a.im * b.im, a.re * b.im + a.im * b.re};
}

struct Tables {
    std::array<float, 256> linear;               // mu-law code to a sample in -1..1.
    std::array<float, spectrum_samples> hann;    // Scaled for the mean square.
    std::array<std::uint8_t, half> reversed;     // Bit reversal.
    std::array<Complex, half / 2> twiddle;       // exp(-2 pi i k / 128)
    std::array<Complex, half / 2 + 1> untangle;  // exp(-2 pi i k / 256)

    Tables() {
        constexpr double pi = 3.14159265358979323846;
        for (std::size_t i = 0; i < linear.size(); ++i) {
            linear[i] = static_cast<float>(mulaw_to_pcm(static_cast<std::uint8_t>(i)) / 32768.0);
        }
        double squares = 0;
        std::array<double, spectrum_samples> window{};
        for (std::size_t i = 0; i < window.size(); ++i) {
            window[i] = 0.5 - 0.5 * std::cos(2 * pi * static_cast<double>(i) / spectrum_samples);
            squares += window[i] * window[i];
        }
        // Parseval: sum of |X|^2 over all 256 bins is 256 times the energy; one side holds half of it.
        const double scale = std::sqrt(2.0 / (spectrum_samples * squares));
        for (std::size_t i = 0; i < window.size(); ++i) {
            hann[i] = static_cast<float>(window[i] * scale);
        }
        for (std::size_t i = 0; i < half; ++i) {
            std::size_t r = 0;
            for (std::size_t bit = 0; bit < half_bits; ++bit) {
                r |= (i >> bit & 1U) << (half_bits - 1 - bit);
            }
            reversed[i] = static_cast<std::uint8_t>(r);
        }
        for (std::size_t k = 0; k < twiddle.size(); ++k) {
            const double angle = -2 * pi * static_cast<double>(k) / half;
            twiddle[k] = {static_cast<float>(std::cos(angle)), static_cast<float>(std::sin(angle))};
        }
        for (std::size_t k = 0; k < untangle.size(); ++k) {
            const double angle = -2 * pi * static_cast<double>(k) / spectrum_samples;
            untangle[k] = {static_cast<float>(std::cos(angle)), static_cast<float>(std::sin(angle))};
        }
    }
};

const Tables tables;

void transform(std::array<Complex, half>& x) {
    for (std::size_t i = 0; i < half; i += 2) {  // The first stage has no factors.
        const Complex a = x[i];
        const Complex b = x[i + 1];
        x[i] = a + b;
        x[i + 1] = a - b;
    }
    for (std::size_t size = 4; size <= half; size *= 2) {
        const std::size_t stride = half / size;
        for (std::size_t from = 0; from < half; from += size) {
            for (std::size_t k = 0; k < size / 2; ++k) {
                const Complex a = x[from + k];
                const Complex b = x[from + k + size / 2] * tables.twiddle[k * stride];
                x[from + k] = a + b;
                x[from + k + size / 2] = a - b;
            }
        }
    }
}

float square(Complex a) {
    return a.re * a.re + a.im * a.im;
}

}  // namespace

void power_spectrum(std::span<const std::uint8_t, spectrum_samples> mulaw, std::array<float, spectrum_bins>& power) {
    std::array<Complex, half> x;
    for (std::size_t i = 0; i < half; ++i) {
        const std::size_t at = 2 * std::size_t{tables.reversed[i]};
        x[i] = {tables.linear[mulaw[at]] * tables.hann[at], tables.linear[mulaw[at + 1]] * tables.hann[at + 1]};
    }
    transform(x);
    // Even and odd samples went in as real and imaginary parts; this takes their spectra apart and joins them.
    power[0] = 0.5F * (x[0].re + x[0].im) * (x[0].re + x[0].im);
    power[half] = 0.5F * (x[0].re - x[0].im) * (x[0].re - x[0].im);
    for (std::size_t k = 1; k <= half / 2; ++k) {
        const Complex a = x[k];
        const Complex b = {x[half - k].re, -x[half - k].im};
        const Complex even = {0.5F * (a.re + b.re), 0.5F * (a.im + b.im)};
        const Complex odd = Complex{0.5F * (a.im - b.im), -0.5F * (a.re - b.re)} * tables.untangle[k];
        power[k] = square(even + odd);
        power[half - k] = square(even - odd);
    }
}

}  // namespace agentlocator
