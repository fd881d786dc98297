#pragma once
// Does the caller hear himself? Normalised cross-correlation of what was heard against what was sent. Pure.
// One figure over a whole call would hide an echo of one second in a minute, so each second of heard sound is looked
// for by itself in what was sent before it, at every lag up to echo_lag_max, and the best match counts. An echo gives
// 1.0; independent white noise stays below 0.1 (about 5.5 / sqrt(8000) over a minute); speech against other speech
// reaches 0.3. The FFT is ours: thirty lines, where FFTW would bring the GPL and kissfft a library for each precision.
#include <complex>
#include <cstdint>
#include <span>
#include <vector>

#include "common/time.hpp"

namespace agentlocator::call {

constexpr std::size_t echo_window = 8000;      // Samples: one second.
constexpr std::size_t echo_lag_max = 24'000;   // Three seconds: a jitter buffer, a proxy and a full queue.
constexpr std::size_t echo_windows_max = 600;  // Of a longer call, this many seconds evenly spread.
constexpr double echo_threshold = 0.5;         // Above: the caller hears himself.

struct EchoFinding {
    double peak = 0;  // 0..1, of the best second.
    std::chrono::milliseconds lag{};
    std::uint32_t windows = 0;  // Seconds in which something was heard and something had been sent.
    std::uint32_t echoed = 0;   // Of those, over echo_threshold.
};

// Both in mu-law, on one clock: index i of each is the same moment of the call.
[[nodiscard]] EchoFinding find_echo(std::span<const std::uint8_t> sent, std::span<const std::uint8_t> heard);

// In place, radix 2; the size must be a power of two. The inverse is not scaled.
void fft(std::vector<std::complex<double>>& values, bool inverse);

}  // namespace agentlocator::call
