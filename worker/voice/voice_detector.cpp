#include "worker/voice/voice_detector.hpp"

#include <algorithm>
#include <bit>
#include <cmath>

namespace agentlocator {
namespace {

constexpr float lowest_db = -100;  // Digital silence.
constexpr float band_bin_db = 1.25F;
constexpr float level_bin_db = 0.5F;

// Bins of 31.25 Hz: 156 Hz to 3.4 kHz, what a telephone carries.
constexpr std::array<std::size_t, vad_bands + 1> band_edges{5, 10, 15, 21, 29, 39, 53, 74, 110};

constexpr float background_share = 0.31F;  // Of the frames are no louder than the background.
constexpr std::uint32_t start_frames = 10;
constexpr std::size_t steady_frames = 30;  // 0.6 s.
constexpr float steady_deviation = 0.9F;   // dB.
constexpr float tone_share = 0.99F;
constexpr std::uint8_t tone_frames = 2;

// Music: bins that are louder than their neighbours are the same as 80 ms before. Of speech, which glides, and of
// noise, 50 % are, by chance; of music 55 to 80 %.
constexpr std::size_t line_first_bin = 8;  // 250 Hz to 3.2 kHz.
constexpr std::size_t line_reach = 4;      // Neighbours on each side: 125 Hz, the distance of a voice's harmonics.
constexpr float tonality_share = 0.2F;     // Of the newest frame in the average: a tenth of a second.
constexpr float speech_tonality = 0.05F;
constexpr float music_tonality = 0.15F;
constexpr float music_margin = 5;           // dB that a voice must stand out more to start while there is music ...
constexpr float silent_background = -56;    // ... behind it: nobody hears music fainter than this, dBFS, ...
constexpr std::uint8_t between_words = 25;  // Frames: within an utterance nothing more is asked than without music.
constexpr float audible_background = -50;   // ... or misses it when it is as loud as that.

float decibels(float power) {
    return power > 1e-10F ? 10 * std::log10(power) : lowest_db;
}

std::uint8_t bin_of(float db, float width, std::size_t bins) {
    const float at = (db - lowest_db) / width;
    return at <= 0 ? 0 : static_cast<std::uint8_t>(std::min(static_cast<std::size_t>(at), bins - 1));
}

struct Features {
    std::array<float, vad_bands> bands{};
    float level = 0;
    bool tone = false;
    std::array<std::uint8_t, 2> peaks{};
    std::array<std::uint32_t, vad_line_words> lines{};  // Bins that are louder than the mean of their neighbours.
};

// A bin's logarithm of base 2, times 2^23: the bits of a float are that, with straight lines between powers of two.
float rough_log(float power) {
    constexpr float digital_silence = 1e-9F;
    return static_cast<float>(std::bit_cast<std::uint32_t>(power + digital_silence));
}

std::array<std::uint32_t, vad_line_words> find_lines(const std::array<float, spectrum_bins>& power) {
    constexpr std::size_t count = 32 * vad_line_words;
    constexpr std::size_t width = 2 * line_reach + 1;
    static_assert(line_first_bin >= line_reach && line_first_bin + count + line_reach <= spectrum_bins);
    std::array<float, count + width - 1> logs;
    for (std::size_t i = 0; i < logs.size(); ++i) {
        logs[i] = rough_log(power[line_first_bin - line_reach + i]);
    }
    std::array<std::uint32_t, vad_line_words> lines{};
    for (std::size_t i = 0; i < count; ++i) {
        float sum = 0;
        for (std::size_t k = 0; k < width; ++k) {
            sum += logs[i + k];
        }
        const bool louder = static_cast<float>(width) * logs[i + line_reach] > sum;
        lines[i / 32] |= (louder ? 1U : 0U) << i % 32;
    }
    return lines;
}

// The strongest bin and what it and its neighbours hold; they are taken out.
float take_peak(std::array<float, spectrum_bins>& power, std::uint8_t& at) {
    const auto begin = power.begin() + band_edges.front();
    const auto end = power.begin() + band_edges.back();
    const auto peak = std::max_element(begin, end);
    at = static_cast<std::uint8_t>(peak - power.begin());
    float sum = 0;
    for (auto bin = peak - 2; bin <= peak + 2; ++bin) {  // A Hann window spreads a line over so many.
        if (bin >= begin && bin < end) {
            sum += *bin;
            *bin = 0;
        }
    }
    return sum;
}

Features measure(std::span<const std::uint8_t, spectrum_samples> window) {
    std::array<float, spectrum_bins> power;
    power_spectrum(window, power);
    Features features;
    float total = 0;
    for (std::size_t band = 0; band < vad_bands; ++band) {
        float sum = 0;
        for (std::size_t bin = band_edges[band]; bin < band_edges[band + 1]; ++bin) {
            sum += power[bin];
        }
        total += sum;
        features.bands[band] = decibels(sum / static_cast<float>(band_edges[band + 1] - band_edges[band]));
    }
    features.level = decibels(total);
    features.lines = find_lines(power);
    const float first = take_peak(power, features.peaks[0]);
    const float second = take_peak(power, features.peaks[1]);
    features.tone = first + second >= tone_share * total && total > 0;
    if (first >= tone_share * total) {
        features.peaks[1] = features.peaks[0];  // One tone alone; the second peak is only what noise has left.
    }
    std::sort(features.peaks.begin(), features.peaks.end());
    return features;
}

void count(VadMemory& memory, std::uint32_t frame, int by) {
    const auto& bands = memory.band_history[frame % memory.band_history.size()];
    for (std::size_t band = 0; band < vad_bands; ++band) {
        std::uint8_t& bin = memory.band_counts[band][bands[band]];
        bin = static_cast<std::uint8_t>(bin + by);
    }
}
void count_level(VadMemory& memory, std::uint32_t frame, int by) {
    std::uint16_t& bin = memory.level_counts[memory.level_history[frame % memory.level_history.size()]];
    bin = static_cast<std::uint16_t>(bin + by);
}
constexpr int add = 1;
constexpr int take_away = -1;

// Another process may have died in the middle of counting: counts that are not those of `frames` are made anew.
void make_counts_right(VadMemory& memory, std::uint32_t frames) {
    if (memory.counts_of.load(std::memory_order_relaxed) == frames + 1) {
        return;
    }
    memory.band_counts = {};
    memory.level_counts = {};
    for (std::uint32_t frame = frames > vad_band_window ? frames - vad_band_window : 0; frame < frames; ++frame) {
        count(memory, frame, add);
    }
    for (std::uint32_t frame = frames > vad_level_window ? frames - vad_level_window : 0; frame < frames; ++frame) {
        count_level(memory, frame, add);
    }
}

void take_in(VadMemory& memory, std::uint32_t frames, const Features& features) {
    memory.counts_of.store(0, std::memory_order_relaxed);
    std::atomic_signal_fence(std::memory_order_seq_cst);  // A process sees its own stores in order; so does its heir.
    auto& bands = memory.band_history[frames % memory.band_history.size()];
    for (std::size_t band = 0; band < vad_bands; ++band) {
        bands[band] = bin_of(features.bands[band], band_bin_db, vad_band_bins);
    }
    memory.level_history[frames % memory.level_history.size()] = bin_of(features.level, level_bin_db, vad_level_bins);
    count(memory, frames, add);
    count_level(memory, frames, add);
    if (frames >= vad_band_window) {
        count(memory, frames - vad_band_window, take_away);
    }
    if (frames >= vad_level_window) {
        count_level(memory, frames - vad_level_window, take_away);
    }
    std::atomic_signal_fence(std::memory_order_seq_cst);
    memory.counts_of.store(frames + 2, std::memory_order_release);
}

// The level below which `share` of the counted frames lie, inside its bin by proportion.
template <typename Count, std::size_t Bins>
float percentile(const std::array<Count, Bins>& counts, std::uint32_t total, float share, float width) {
    const float wanted = share * static_cast<float>(total);
    float below = 0;
    for (std::size_t bin = 0; bin < Bins; ++bin) {
        const auto here = static_cast<float>(counts[bin]);
        if (below + here >= wanted && here > 0) {
            return lowest_db + width * (static_cast<float>(bin) + (wanted - below) / here);
        }
        below += here;
    }
    return 0;
}

bool steady(const VadMemory& memory, std::uint32_t frames) {
    if (frames < steady_frames) {
        return false;
    }
    float sum = 0;
    float squares = 0;
    for (std::uint32_t i = 0; i < steady_frames; ++i) {
        const auto level =
            level_bin_db * static_cast<float>(memory.level_history[(frames - 1 - i) % memory.level_history.size()]);
        sum += level;
        squares += level * level;
    }
    const float mean = sum / static_cast<float>(steady_frames);
    return squares / static_cast<float>(steady_frames) - mean * mean < steady_deviation * steady_deviation;
}

// True while a tone or a pair of them stands still.
bool standing_tone(VadState& state, const Features& features) {
    const auto near = [](std::uint8_t a, std::uint8_t b) { return std::abs(int{a} - int{b}) <= 1; };
    if (!features.tone) {
        state.tone_frames = 0;
    } else if (state.tone_frames > 0 && near(features.peaks[0], state.tone_peaks[0]) &&
               near(features.peaks[1], state.tone_peaks[1])) {
        state.tone_frames = static_cast<std::uint8_t>(std::min<int>(state.tone_frames + 1, 255));
    } else {
        state.tone_frames = 1;
    }
    state.tone_peaks = features.peaks;
    return state.tone_frames >= tone_frames;
}

// dB that a voice must stand out more to start, because there is music on the line.
float margin_over_music(VadState& state, VadMemory& memory, std::uint32_t frame, const Features& features,
                        float background) {
    memory.line_history[frame % memory.line_history.size()] = features.lines;
    if (frame >= vad_line_window) {
        const auto& before = memory.line_history[(frame - vad_line_window) % memory.line_history.size()];
        int same = 0;
        for (std::size_t i = 0; i < vad_line_words; ++i) {
            same += std::popcount(~(features.lines[i] ^ before[i]));
        }
        const float now = static_cast<float>(same) / (16.0F * vad_line_words) - 1;
        state.tonality += tonality_share * (now - state.tonality);
    }
    const float music = std::clamp((state.tonality - speech_tonality) / (music_tonality - speech_tonality), 0.0F, 1.0F);
    const float behind =
        std::clamp((background - silent_background) / (audible_background - silent_background), 0.0F, 1.0F);
    return music_margin * music * behind;
}

}  // namespace

VadFrame detect_voice(VadState& state, VadMemory& memory, std::span<const std::uint8_t, spectrum_samples> window,
                      float level_min) {
    const Features features = measure(window);
    make_counts_right(memory, state.frames);
    take_in(memory, state.frames, features);
    ++state.frames;
    const std::uint32_t bands_counted = std::min<std::uint32_t>(state.frames, vad_band_window);
    const std::uint32_t levels_counted = std::min<std::uint32_t>(state.frames, vad_level_window);

    float score = 0;
    int hot = 0;
    for (std::size_t band = 0; band < vad_bands; ++band) {
        float floor = percentile(memory.band_counts[band], bands_counted, background_share, band_bin_db);
        if (state.frames <= start_frames) {
            floor = std::min(floor, features.bands[band]);
        }
        const float over = features.bands[band] - floor;
        score += std::clamp(over - 2.5F, 0.0F, 12.0F) / vad_bands;
        hot += over > 5.5F ? 1 : 0;
    }
    const float background = percentile(memory.level_counts, levels_counted, background_share, level_bin_db);
    const float quiet = percentile(memory.level_counts, levels_counted, 0.05F, level_bin_db);
    const float loud = percentile(memory.level_counts, levels_counted, 0.97F, level_bin_db);
    const float least = std::min(5.9F, 2.7F + background - quiet);
    const float margin = margin_over_music(state, memory, state.frames - 1, features, background);
    VadFrame result;
    result.level = features.level;
    result.threshold = background + std::clamp(0.425F * (loud - background), least, 18.0F) +
                       (state.unvoiced >= between_words ? margin : 0);
    const bool tone = standing_tone(state, features);
    const bool stands_out = state.in_speech ? features.level > result.threshold - 2 && score > 1.0F && hot >= 1
                                            : features.level > result.threshold && score > 2.9F && hot >= 2;
    result.voice = stands_out && features.level > level_min && !tone && !steady(memory, state.frames);
    state.in_speech = result.voice;
    state.unvoiced = result.voice ? std::uint8_t{0} : static_cast<std::uint8_t>(std::min(state.unvoiced + 1, 255));
    return result;
}

}  // namespace agentlocator
