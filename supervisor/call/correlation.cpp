#include "supervisor/call/correlation.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <numbers>

#include "common/ensure.hpp"
#include "supervisor/call/mulaw.hpp"

namespace agentlocator::call {
namespace {

constexpr double audible_rms = 8.0;  // One step of mu-law next to zero: below it there is nothing to compare.
constexpr std::size_t fft_size = 32'768;
static_assert(fft_size >= echo_window + echo_lag_max);

using Values = std::vector<std::complex<double>>;

struct Match {
    double value = 0;
    std::size_t lag = 0;
    bool judged = false;
};

// The best lag of one second of heard sound that begins at `start`.
Match match_window(std::span<const double> sent, std::span<const double> heard, std::size_t start) {
    const std::size_t width = std::min(echo_window, heard.size() - start);
    Values ours(fft_size);
    Values theirs(fft_size);
    double heard_energy = 0;
    for (std::size_t i = 0; i < width; ++i) {
        ours[i] = heard[start + i];
        heard_energy += heard[start + i] * heard[start + i];
    }
    // Segment index k stands for the moment start + k - echo_lag_max; before the call began there was silence.
    std::vector<double> energy(echo_lag_max + width + 1);
    for (std::size_t k = 0; k < echo_lag_max + width; ++k) {
        const std::size_t at = start + k;
        const double sample = at >= echo_lag_max && at - echo_lag_max < sent.size() ? sent[at - echo_lag_max] : 0.0;
        theirs[k] = sample;
        energy[k + 1] = energy[k] + sample * sample;
    }
    const double least = audible_rms * audible_rms * static_cast<double>(width);
    if (heard_energy < least || energy.back() < least) {
        return {};
    }
    fft(ours, false);
    fft(theirs, false);
    for (std::size_t i = 0; i < fft_size; ++i) {
        theirs[i] *= std::conj(ours[i]);
    }
    fft(theirs, true);
    Match best{0, 0, true};
    for (std::size_t k = 0; k <= echo_lag_max; ++k) {
        const double sent_energy = energy[k + width] - energy[k];
        if (sent_energy < least) {
            continue;
        }
        const double value =
            std::abs(theirs[k].real()) / static_cast<double>(fft_size) / std::sqrt(sent_energy * heard_energy);
        if (value > best.value) {
            best.value = std::min(value, 1.0);
            best.lag = echo_lag_max - k;
        }
    }
    return best;
}

std::vector<double> decode(std::span<const std::uint8_t> codes) {
    std::vector<double> samples;
    samples.reserve(codes.size());
    for (const std::uint8_t code : codes) {
        samples.push_back(decode_mulaw(code));
    }
    return samples;
}

}  // namespace

void fft(std::vector<std::complex<double>>& values, bool inverse) {
    const std::size_t size = values.size();
    ENSURE(std::has_single_bit(size));
    for (std::size_t i = 1, j = 0; i < size; ++i) {
        std::size_t bit = size >> 1;
        for (; (j & bit) != 0; bit >>= 1) {
            j ^= bit;
        }
        j ^= bit;
        if (i < j) {
            std::swap(values[i], values[j]);
        }
    }
    std::vector<std::complex<double>> turns(size / 2);
    for (std::size_t i = 0; i < turns.size(); ++i) {
        turns[i] = std::polar(
            1.0, (inverse ? 2.0 : -2.0) * std::numbers::pi * static_cast<double>(i) / static_cast<double>(size));
    }
    for (std::size_t half = 1; half < size; half *= 2) {
        const std::size_t stride = size / (2 * half);
        for (std::size_t block = 0; block < size; block += 2 * half) {
            for (std::size_t i = 0; i < half; ++i) {
                const auto turn = turns[i * stride];
                auto& low = values[block + i];
                auto& high = values[block + i + half];
                // Written out: std::complex's * checks for NaN and is three times slower without -ffast-math.
                const std::complex<double> product{high.real() * turn.real() - high.imag() * turn.imag(),
                                                   high.real() * turn.imag() + high.imag() * turn.real()};
                high = low - product;
                low += product;
            }
        }
    }
}

EchoFinding find_echo(std::span<const std::uint8_t> sent, std::span<const std::uint8_t> heard) {
    const std::vector<double> sent_samples = decode(sent);
    const std::vector<double> heard_samples = decode(heard);
    const std::size_t windows = (heard.size() + echo_window - 1) / echo_window;
    const std::size_t looked_at = std::min(windows, echo_windows_max);
    EchoFinding finding;
    for (std::size_t n = 0; n < looked_at; ++n) {
        const std::size_t start = n * windows / looked_at * echo_window;
        if (heard.size() - start < echo_window / 4) {
            continue;  // Too short to tell: a quarter second of noise may match by chance.
        }
        const Match match = match_window(sent_samples, heard_samples, start);
        finding.windows += match.judged ? 1 : 0;
        finding.echoed += match.judged && match.value >= echo_threshold ? 1 : 0;
        if (match.value > finding.peak) {
            finding.peak = match.value;
            finding.lag = std::chrono::milliseconds(match.lag / 8);
        }
    }
    return finding;
}

}  // namespace agentlocator::call
