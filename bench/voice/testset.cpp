// Mixes recordings into a labelled set (bench/voice/make_testset.sh): single utterances at three levels, streams of
// turns over clean and noisy lines, and lines where nobody speaks. Everything goes through mu-law once.
//
// Labels: 10 ms pieces louder than 30 dB below the recording's loud parts are speech; gaps under 100 ms are closed and
// islands under 30 ms dropped. Good to a few tens of milliseconds.
#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <numbers>
#include <random>
#include <string>
#include <vector>

#include "common/mulaw.hpp"

namespace {

using Audio = std::vector<double>;  // 8 kHz, full scale 1.
using Bytes = std::vector<unsigned char>;
constexpr double rate = 8000;

struct Span {
    int from_ms;
    int to_ms;
};
struct Recording {
    std::string path;
    Audio audio;
    std::vector<Span> speech;
};

double rms(const Audio& audio, std::size_t from, std::size_t to) {
    double sum = 0;
    for (std::size_t i = from; i < to; ++i) {
        sum += audio[i] * audio[i];
    }
    return std::sqrt(sum / static_cast<double>(std::max<std::size_t>(1, to - from)));
}
double gain_for(double dbfs, double now) {
    return std::pow(10, dbfs / 20) / std::max(now, 1e-9);
}
std::size_t samples(double ms) {
    return static_cast<std::size_t>(ms * rate / 1000);
}

// 16 kHz to 8 kHz: a windowed sinc of 63 taps that ends at 3.6 kHz.
Audio halve(const Audio& in) {
    constexpr int reach = 31;
    Audio out(in.size() / 2);
    for (std::size_t i = 0; i < out.size(); ++i) {
        for (int k = -reach; k <= reach; ++k) {
            const auto at = static_cast<long>(2 * i) + k;
            if (at < 0 || at >= static_cast<long>(in.size())) {
                continue;
            }
            const double x = 2 * std::numbers::pi * 3600 / 16'000 * k;
            const double sinc = k == 0 ? 3600.0 / 8000 : std::sin(x) / (std::numbers::pi * k);
            const double window = 0.54 + 0.46 * std::cos(std::numbers::pi * k / (reach + 1));
            out[i] += sinc * window * in[static_cast<std::size_t>(at)];
        }
    }
    return out;
}

bool read_wav(const std::string& path, Audio& audio) {
    std::ifstream file(path, std::ios::binary);
    const Bytes bytes{std::istreambuf_iterator<char>(file), {}};
    const auto number = [&](std::size_t at, int count) {
        unsigned value = 0;
        for (int i = 0; i < count; ++i) {
            value |= static_cast<unsigned>(bytes[at + static_cast<std::size_t>(i)]) << (8 * i);
        }
        return value;
    };
    unsigned hertz = 0;
    for (std::size_t at = 12; at + 24 <= bytes.size();) {
        const std::string tag(bytes.begin() + static_cast<long>(at), bytes.begin() + static_cast<long>(at) + 4);
        const std::size_t size = number(at + 4, 4);
        if (tag == "fmt ") {
            if (number(at + 8, 2) != 1 || number(at + 10, 2) != 1 || number(at + 22, 2) != 16) {
                return false;
            }
            hertz = number(at + 12, 4);
        } else if (tag == "data") {
            for (std::size_t i = at + 8; i + 1 < std::min(bytes.size(), at + 8 + size); i += 2) {
                audio.push_back(static_cast<std::int16_t>(number(i, 2)) / 32768.0);
            }
            break;
        }
        at += 8 + size + size % 2;
    }
    if (hertz == 16'000) {
        audio = halve(audio);
        hertz = 8000;
    }
    return hertz == 8000 && !audio.empty();
}

std::vector<Span> label(const Audio& audio) {
    constexpr int piece = 10;
    std::vector<double> level;
    for (std::size_t at = 0; at + samples(piece) <= audio.size(); at += samples(piece)) {
        level.push_back(20 * std::log10(std::max(rms(audio, at, at + samples(piece)), 1e-6)));
    }
    if (level.size() < 5) {
        return {};
    }
    std::vector<double> sorted = level;
    std::sort(sorted.begin(), sorted.end());
    const double loud = sorted[sorted.size() * 9 / 10];
    const double quiet = sorted[sorted.size() / 20];
    const double threshold = std::min(std::max(loud - 30, quiet + 8), loud - 12);
    std::vector<Span> spans;
    for (int i = 0; i < static_cast<int>(level.size()); ++i) {
        if (level[static_cast<std::size_t>(i)] <= threshold) {
            continue;
        }
        if (!spans.empty() && i * piece - spans.back().to_ms < 100) {
            spans.back().to_ms = (i + 1) * piece;
        } else {
            spans.push_back({i * piece, (i + 1) * piece});
        }
    }
    std::erase_if(spans, [](Span span) { return span.to_ms - span.from_ms < 30; });
    // A short sound far from the rest, at either end, is a click or a breath.
    while (spans.size() > 1 && spans.back().to_ms - spans.back().from_ms < 60 &&
           spans.back().from_ms - spans[spans.size() - 2].to_ms >= 150) {
        spans.pop_back();
    }
    while (spans.size() > 1 && spans[0].to_ms - spans[0].from_ms < 60 && spans[1].from_ms - spans[0].to_ms >= 150) {
        spans.erase(spans.begin());
    }
    return spans;
}

double speech_level(const Recording& recording) {
    double squares = 0;
    std::size_t count = 0;
    for (const Span span : recording.speech) {
        const std::size_t from = samples(span.from_ms);
        const std::size_t to = std::min(samples(span.to_ms), recording.audio.size());
        squares += std::pow(rms(recording.audio, from, to), 2) * static_cast<double>(to - from);
        count += to - from;
    }
    return std::sqrt(squares / static_cast<double>(std::max<std::size_t>(1, count)));
}

class Maker {
public:
    Maker(std::string folder, std::vector<Recording> speech, std::vector<Audio> music)
        : folder_(std::move(folder)), speech_(std::move(speech)), music_(std::move(music)) {
        std::filesystem::create_directories(folder_);
        manifest_.open(folder_ + "/manifest.tsv");
        manifest_ << "file\tset\tnoise\tstart_ms\tend_ms\tsegments\n";
    }

    void run() {
        make_utterances();
        make_turns();
        make_silences();
    }

private:
    static Audio white(std::size_t count, std::mt19937& random) {
        Audio out(count);
        for (double& sample : out) {  // Twelve uniform numbers: the same on every machine, unlike normal_distribution.
            double sum = -6;
            for (int i = 0; i < 12; ++i) {
                sum += static_cast<double>(random()) / 4294967296.0;
            }
            sample = sum;
        }
        return out;
    }
    Audio noise(const std::string& kind, std::size_t count, std::uint32_t seed) {
        std::mt19937 random(seed);
        Audio out = white(count, random);
        if (kind == "pink") {
            std::array<double, 3> low{};
            for (double& sample : out) {
                low[0] = 0.99 * low[0] + 0.1 * sample;
                low[1] = 0.93 * low[1] + 0.3 * sample;
                low[2] = 0.6 * low[2] + 0.9 * sample;
                sample = low[0] + low[1] + low[2] + 0.2 * sample;
            }
        } else if (kind == "hum") {
            for (std::size_t i = 0; i < count; ++i) {
                double sum = 0.1 * out[i];
                for (const int harmonic : {1, 2, 3, 5, 7}) {
                    sum += std::sin(2 * std::numbers::pi * 50 * harmonic * static_cast<double>(i) / rate) / harmonic;
                }
                out[i] = sum;
            }
        } else if (kind == "music") {
            const Audio& piece = music_[seed % music_.size()];
            const std::size_t from = piece.size() / 4 + (std::size_t{seed} * 4001) % (piece.size() / 4);
            for (std::size_t i = 0; i < count; ++i) {
                out[i] = piece[(from + i) % piece.size()];
            }
        } else if (kind == "babble") {
            std::fill(out.begin(), out.end(), 0);
            for (int talker = 0; talker < 6; ++talker) {
                for (std::size_t at = 0; at < count;) {
                    const Recording& recording = speech_[random() % speech_.size()];
                    const double gain = 0.1 / std::max(speech_level(recording), 1e-6);
                    for (std::size_t i = 0; i < recording.audio.size() && at < count; ++i, ++at) {
                        out[at] += gain * recording.audio[i];
                    }
                }
            }
        }
        const double level = rms(out, 0, out.size());
        for (double& sample : out) {
            sample /= std::max(level, 1e-9);
        }
        return out;
    }
    static void add(Audio& to, const Audio& what, double gain, std::size_t at = 0) {
        for (std::size_t i = 0; i < what.size() && at + i < to.size(); ++i) {
            to[at + i] += gain * what[i];
        }
    }
    void write(const std::string& name, const Audio& audio) {
        std::ofstream file(folder_ + "/" + name + ".ulaw", std::ios::binary);
        for (const double sample : audio) {
            const double clipped = std::clamp(std::round(sample * 32768), -32767.0, 32767.0);
            file.put(static_cast<char>(agentlocator::pcm_to_mulaw(static_cast<std::int16_t>(clipped))));
        }
    }
    void row(const std::string& name, const std::string& set, const std::string& noise, const std::vector<Span>& speech,
             int offset) {
        manifest_ << name << '\t' << set << '\t' << noise << '\t';
        if (speech.empty()) {
            manifest_ << "-\t-\t\n";
            return;
        }
        manifest_ << speech.front().from_ms + offset << '\t' << speech.back().to_ms + offset << '\t';
        for (std::size_t i = 0; i < speech.size(); ++i) {
            manifest_ << (i == 0 ? "" : ",") << speech[i].from_ms + offset << '-' << speech[i].to_ms + offset;
        }
        manifest_ << '\n';
    }

    void make_utterances() {
        constexpr std::array levels{-19.0, -24.0, -30.0};
        const std::size_t step = std::max<std::size_t>(1, speech_.size() / 90);
        for (std::size_t i = 0; i < speech_.size(); i += step) {
            const Recording& recording = speech_[i];
            Audio out(samples(500) + recording.audio.size() + samples(1500));
            add(out, recording.audio, gain_for(levels[i / step % 3], speech_level(recording)), samples(500));
            add(out, noise("white", out.size(), static_cast<std::uint32_t>(i)), std::pow(10, -62.0 / 20));
            const std::string name = "utterance" + std::to_string(i);
            write(name, out);
            row(name, "utterance", "none", recording.speech, 500);
        }
    }
    void make_turns() {
        struct Line {
            const char* noise;
            double below_db;  // Under the speech.
            double level;
        };
        constexpr std::array<Line, 12> lines{{{"none", 99, -24},
                                              {"none", 99, -36},
                                              {"none", 99, -14},
                                              {"white", 20, -24},
                                              {"white", 10, -24},
                                              {"white", 5, -24},
                                              {"pink", 10, -24},
                                              {"hum", 10, -24},
                                              {"babble", 15, -24},
                                              {"babble", 10, -24},
                                              {"music", 15, -24},
                                              {"music", 10, -24}}};
        constexpr std::size_t streams = 3;
        constexpr std::size_t turns = 6;
        for (std::size_t stream = 0; stream < streams; ++stream) {
            std::mt19937 random(static_cast<std::uint32_t>(50 + stream));
            std::vector<const Recording*> said;
            std::vector<std::size_t> at;
            std::size_t end = samples(1000);
            for (std::size_t i = 0; i < turns; ++i) {
                said.push_back(&speech_[random() % speech_.size()]);
                at.push_back(end);
                end += said.back()->audio.size() + samples(1600 + 1000 * (random() % 100) / 100.0);
            }
            for (const Line& line : lines) {
                Audio out(end);
                for (std::size_t i = 0; i < turns; ++i) {
                    add(out, said[i]->audio, gain_for(line.level, speech_level(*said[i])), at[i]);
                }
                const auto seed = static_cast<std::uint32_t>(1000 + 10 * stream);
                add(out, noise("white", end, seed), std::pow(10, -62.0 / 20));
                if (line.below_db < 90) {
                    add(out, noise(line.noise, end, seed + static_cast<std::uint32_t>(line.below_db)),
                        std::pow(10, (line.level - line.below_db) / 20));
                }
                const std::string name =
                    "turns" + std::to_string(stream) + "_" + line.noise +
                    std::to_string(static_cast<int>(line.below_db < 90 ? line.below_db : -line.level));
                write(name, out);
                for (std::size_t i = 0; i < turns; ++i) {
                    row(name, "turns", line.noise, said[i]->speech, static_cast<int>(at[i] / 8));
                }
            }
        }
    }
    void silence(const std::string& name, Audio audio, double dbfs) {
        const double gain = gain_for(dbfs, rms(audio, 0, audio.size()));
        for (double& sample : audio) {
            sample *= gain;
        }
        write(name, audio);
        row(name, "nobody", name, {}, 0);
    }
    static Audio bursts(const std::vector<double>& hertz, double on_ms, double off_ms, int count) {
        Audio out;
        for (int i = 0; i < count; ++i) {
            for (std::size_t k = 0; k < samples(on_ms); ++k) {
                double sum = 0;
                for (const double tone : hertz) {
                    sum += std::sin(2 * std::numbers::pi * tone * static_cast<double>(k) / rate);
                }
                out.push_back(sum);
            }
            out.resize(out.size() + samples(off_ms));
        }
        return out;
    }
    void make_silences() {
        const std::size_t count = samples(8000);
        silence("silence", Audio(count), -99);
        silence("line62", noise("white", count, 1), -62);
        silence("white45", noise("white", count, 2), -45);
        silence("white32", noise("white", count, 3), -32);
        silence("pink30", noise("pink", count, 4), -30);
        silence("hum30", noise("hum", count, 5), -30);
        silence("babble40", noise("babble", count, 6), -40);
        silence("keys20", bursts({770, 1336}, 125, 250, 16), -20);
        silence("ringback20", bursts({440, 480}, 1000, 1000, 4), -20);
        silence("busy20", bursts({400}, 500, 500, 8), -20);
        Audio clicks(count);
        std::mt19937 random(9);
        for (std::size_t at = 100; at + 160 < count; at += samples(500)) {
            const Audio burst = white(160, random);
            for (std::size_t i = 0; i < burst.size(); ++i) {
                clicks[at + i] = burst[i] * std::exp(-static_cast<double>(i) / 25);
            }
        }
        silence("clicks25", clicks, -35);
        for (std::size_t i = 0; i < music_.size(); ++i) {
            silence("music" + std::to_string(i), noise("music", count, static_cast<std::uint32_t>(i)), -24);
        }
    }

    const std::string folder_;
    const std::vector<Recording> speech_;
    const std::vector<Audio> music_;
    std::ofstream manifest_;
};

std::vector<std::string> lines_of(const char* path) {
    std::ifstream file(path);
    std::vector<std::string> all;
    for (std::string line; std::getline(file, line);) {
        all.push_back(line);
    }
    return all;
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 4) {
        return 2;
    }
    std::vector<Recording> speech;
    for (const std::string& path : lines_of(argv[2])) {
        Recording recording{path, {}, {}};
        if (read_wav(path, recording.audio) && recording.audio.size() < samples(8000)) {
            recording.speech = label(recording.audio);
            if (!recording.speech.empty()) {
                speech.push_back(std::move(recording));
            }
        }
    }
    std::vector<Audio> music;
    for (const std::string& path : lines_of(argv[3])) {
        if (Audio audio; read_wav(path, audio)) {
            music.push_back(std::move(audio));
        }
    }
    if (speech.size() < 60 || music.empty()) {
        std::fprintf(stderr, "too few recordings: %zu of speech, %zu of music\n", speech.size(), music.size());
        return 1;
    }
    std::printf("%zu recordings of speech, %zu of music\n", speech.size(), music.size());
    Maker(argv[1], std::move(speech), std::move(music)).run();
    return 0;
}
