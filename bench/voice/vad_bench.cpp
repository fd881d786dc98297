// Judges the voice detector and the end pointer on a labelled set of telephone speech (bench/voice/make_testset.sh).
//
//   vad_bench DIR [--hangover MS] [--start N,OF] [--raise DB] [--files]
//
// Definitions. Decision time: the end of the frame. A start is false when no utterance lies within [start - 100 ms,
// end + 300 ms] of it. Stuck: the end of a turn was not noticed before the next began (or the file ended). Split: an
// end between an utterance's true start and end. Lost: no start within the window and the pointer not open at it. End
// delay: the last end that belongs to the utterance, minus its true end. A frame is speech if its middle lies in a
// labelled segment; frames within 60 ms outside of one are not judged.
#include <time.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <map>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

#include "worker/voice/end_pointer.hpp"
#include "worker/voice/voice_detector.hpp"

using namespace agentlocator;

namespace {

struct Segment {
    int from;
    int to;
};
struct Utterance {
    Segment span;
    std::vector<Segment> segments;
};
struct Recording {
    std::string name;
    std::string set;
    std::string noise;
    std::vector<Utterance> utterances;
    std::vector<std::uint8_t> audio;
};
struct Event {
    int at;
    bool start;
};
struct Options {
    std::string folder;
    int hangover_ms = 500;
    unsigned start_frames = 3;
    unsigned start_window = 5;
    float raise = 0;
    bool files = false;
};

std::vector<std::string> split(const std::string& text, char by) {
    std::vector<std::string> parts;
    std::stringstream in(text);
    for (std::string part; std::getline(in, part, by);) {
        parts.push_back(part);
    }
    return parts;
}

std::vector<Recording> load(const std::string& folder) {
    std::vector<Recording> all;
    std::map<std::string, std::size_t> index;
    std::ifstream manifest(folder + "/manifest.tsv");
    std::string line;
    std::getline(manifest, line);
    while (std::getline(manifest, line)) {
        const std::vector<std::string> field = split(line, '\t');
        if (field.size() < 4) {
            continue;
        }
        const std::string& name = field[0];
        const auto [at, fresh] = index.try_emplace(name, all.size());
        if (fresh) {
            std::ifstream audio(folder + "/" + name + ".ulaw", std::ios::binary);
            all.push_back({name, field[1], field[2], {}, {std::istreambuf_iterator<char>(audio), {}}});
        }
        if (field[3] != "-") {
            Utterance utterance{{std::stoi(field.at(3)), std::stoi(field.at(4))}, {}};
            for (const std::string& part : split(field.at(5), ',')) {
                utterance.segments.push_back({std::stoi(part), std::stoi(part.substr(part.find('-') + 1))});
            }
            all[at->second].utterances.push_back(std::move(utterance));
        }
    }
    return all;
}

struct Heard {
    std::vector<Event> events;
    std::vector<bool> voice;
};

Heard listen(const Recording& recording, const Options& options) {
    auto memory = std::make_unique<VadMemory>();
    VadState vad;
    EarState ear;
    Heard heard;
    std::vector<std::uint8_t> padded(vad_overlap, mulaw_silence);
    padded.insert(padded.end(), recording.audio.begin(), recording.audio.end());
    for (std::size_t at = 0; at + spectrum_samples <= padded.size(); at += frame_samples) {
        const VadFrame frame = detect_voice(
            vad, *memory, std::span<const std::uint8_t, spectrum_samples>(&padded[at], spectrum_samples), -50);
        const bool voice = frame.voice && frame.level > frame.threshold + options.raise - 2;
        heard.voice.push_back(voice);
        const int now = static_cast<int>((at / frame_samples + 1) * 20);
        const bool was = ear.open;
        hear(ear, voice, {options.start_frames, options.start_window, static_cast<unsigned>(options.hangover_ms / 20)});
        if (ear.open != was) {
            heard.events.push_back({now, ear.open});
        }
    }
    return heard;
}

int quantile(std::vector<int>& values, double share) {
    if (values.empty()) {
        return 0;
    }
    std::sort(values.begin(), values.end());
    const double at = share * static_cast<double>(values.size() - 1);
    const auto low = static_cast<std::size_t>(at);
    const auto high = std::min(low + 1, values.size() - 1);
    return static_cast<int>(std::lround(values[low] + (at - static_cast<double>(low)) * (values[high] - values[low])));
}

struct Tally {
    int utterances = 0, stuck = 0, lost = 0, splits = 0, false_starts = 0, noise_starts = 0;
    double between_minutes = 0, noise_minutes = 0;
    std::vector<int> onset, end;
    long speech = 0, speech_missed = 0, other = 0, other_wrong = 0, noise_frames = 0, noise_voice = 0;
};

void judge_turns(const Recording& recording, const Heard& heard, Tally& tally) {
    const int length = static_cast<int>(recording.audio.size() / 8);
    int covered = 0;
    int covered_to = 0;
    for (std::size_t i = 0; i < recording.utterances.size(); ++i) {
        const Segment span = recording.utterances[i].span;
        const int next = i + 1 < recording.utterances.size() ? recording.utterances[i + 1].span.from : length;
        ++tally.utterances;
        bool open = false;
        int started = -1;
        int ended = -1;
        for (const Event& event : heard.events) {
            if (event.at > next) {
                break;
            }
            if (event.at < span.from - 100) {
                open = event.start;
                continue;
            }
            if (event.start && started < 0 && event.at <= span.to + 300) {
                started = event.at;
            }
            if (!event.start && event.at > span.from && event.at < span.to) {
                ++tally.splits;
            }
            if (!event.start && event.at >= span.to) {
                ended = event.at;
            }
        }
        if (started >= 0) {
            tally.onset.push_back(started - span.from);
        } else if (!open) {
            ++tally.lost;
        }
        if (ended >= 0) {
            tally.end.push_back(ended - span.to);
        } else if (started >= 0 || open) {
            ++tally.stuck;
        }
        const int from = std::max(covered_to, span.from - 100);
        covered_to = std::min(length, span.to + 300);
        covered += covered_to - from;
    }
    for (const Event& event : heard.events) {
        const bool near =
            std::any_of(recording.utterances.begin(), recording.utterances.end(), [&](const Utterance& utterance) {
                return event.at >= utterance.span.from - 100 && event.at <= utterance.span.to + 300;
            });
        tally.false_starts += event.start && !near ? 1 : 0;
    }
    tally.between_minutes += (length - covered) / 60'000.0;
    for (std::size_t frame = 0; frame < heard.voice.size(); ++frame) {
        const int middle = static_cast<int>(frame) * 20 + 10;
        bool inside = false;
        bool close = false;
        for (const Utterance& utterance : recording.utterances) {
            for (const Segment& segment : utterance.segments) {
                inside = inside || (middle >= segment.from && middle < segment.to);
                close = close || (middle >= segment.from - 60 && middle < segment.to + 60);
            }
        }
        if (inside) {
            ++tally.speech;
            tally.speech_missed += heard.voice[frame] ? 0 : 1;
        } else if (!close) {
            ++tally.other;
            tally.other_wrong += heard.voice[frame] ? 1 : 0;
        }
    }
}

void judge(const Recording& recording, const Heard& heard, Tally& tally) {
    if (!recording.utterances.empty()) {
        return judge_turns(recording, heard, tally);
    }
    tally.noise_minutes += static_cast<double>(recording.audio.size()) / 8000 / 60;
    tally.noise_frames += static_cast<long>(heard.voice.size());
    tally.noise_voice += std::count(heard.voice.begin(), heard.voice.end(), true);
    tally.noise_starts +=
        static_cast<int>(std::count_if(heard.events.begin(), heard.events.end(), [](Event e) { return e.start; }));
}

double percent(long part, long whole) {
    return whole == 0 ? 0 : 100.0 * static_cast<double>(part) / static_cast<double>(whole);
}

void print(const char* name, Tally tally) {
    if (tally.utterances > 0) {
        std::printf(
            "%-14s utterances %3d  stuck %d  lost %d  splits %.3f  onset p50/p95 %d/%d ms  end p50/p95 %d/%d ms  "
            "false starts/min %.1f  frames missed %.0f %%, wrong %.1f %%\n",
            name, tally.utterances, tally.stuck, tally.lost, static_cast<double>(tally.splits) / tally.utterances,
            quantile(tally.onset, 0.5), quantile(tally.onset, 0.95), quantile(tally.end, 0.5),
            quantile(tally.end, 0.95), tally.false_starts / tally.between_minutes,
            percent(tally.speech_missed, tally.speech), percent(tally.other_wrong, tally.other));
    }
    if (tally.noise_frames > 0) {
        std::printf("%-14s noise only: speech frames %.1f %%  starts %d, %.1f/min\n", name,
                    percent(tally.noise_voice, tally.noise_frames), tally.noise_starts,
                    tally.noise_starts / tally.noise_minutes);
    }
}

double cpu_seconds() {
    timespec now{};
    ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

Options parse(int argc, char** argv) {
    Options options;
    for (int i = 1; i < argc; ++i) {
        const std::string word = argv[i];
        if (word == "--hangover" && i + 1 < argc) {
            options.hangover_ms = std::atoi(argv[++i]);
        } else if (word == "--start" && i + 1 < argc) {
            options.start_frames = static_cast<unsigned>(std::atoi(argv[++i]));
            const char* const comma = std::strchr(argv[i], ',');
            options.start_window =
                comma == nullptr ? options.start_frames : static_cast<unsigned>(std::atoi(comma + 1));
        } else if (word == "--raise" && i + 1 < argc) {
            options.raise = static_cast<float>(std::atof(argv[++i]));
        } else if (word == "--files") {
            options.files = true;
        } else {
            options.folder = word;
        }
    }
    return options;
}

}  // namespace

int main(int argc, char** argv) {
    const Options options = parse(argc, argv);
    const std::vector<Recording> recordings = load(options.folder);
    if (recordings.empty()) {
        std::fprintf(stderr, "usage: vad_bench DIR [--hangover MS] [--start N,OF] [--raise DB] [--files]\n");
        return 2;
    }
    Tally all;
    std::map<std::string, Tally> groups;
    std::size_t frames = 0;
    double spent = 0;
    for (const Recording& recording : recordings) {
        const double before = cpu_seconds();
        const Heard heard = listen(recording, options);
        spent += cpu_seconds() - before;
        frames += heard.voice.size();
        judge(recording, heard, all);
        judge(recording, heard, groups[recording.set + " " + recording.noise]);
        if (options.files) {
            Tally one;
            judge(recording, heard, one);
            print(recording.name.c_str(), one);
        }
    }
    for (const auto& [name, tally] : groups) {
        print(name.c_str(), tally);
    }
    print("ALL", all);
    std::printf("CPU %.2f us/frame over %zu frames\n", 1e6 * spent / static_cast<double>(frames), frames);
}
