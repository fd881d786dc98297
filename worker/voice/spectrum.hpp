#pragma once
// Power spectrum of 256 real samples at 8 kHz: Hann window, 129 bins of 31.25 Hz. Pure; no allocation.
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace agentlocator {

inline constexpr std::size_t spectrum_samples = 256;
inline constexpr std::size_t spectrum_bins = spectrum_samples / 2 + 1;

// `mulaw`: 256 codes. Scaled so that the sum over all bins is the mean square of the windowed signal, full scale being
// 1 (a white noise of RMS 0.1 sums to about 0.01).
void power_spectrum(std::span<const std::uint8_t, spectrum_samples> mulaw, std::array<float, spectrum_bins>& power);

}  // namespace agentlocator
