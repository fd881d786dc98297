// How well the embedded engines do, on recordings and on our own voice. Prints one Markdown row a condition.
//
//   recognise_bench LIST...     each a file of bench/speech/testset.sh: recording <TAB> what is said
//
// For each list the grammar is all its texts. Every recording is brought to -24 dBFS, mixed with noise at the stated
// distance below the speech, passed through mu-law, and recognised. The last row is our own voice instead of a
// person's.
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <numeric>
#include <random>
#include <string>
#include <vector>

#include "common/mulaw.hpp"
#include "common/text.hpp"
#include "common/wav.hpp"
#include "speech/io/recogniser.hpp"
#include "speech/io/synthesis_engine.hpp"
#include "speech/text/front_end.hpp"

namespace {

using namespace agentlocator;
using namespace agentlocator::speech;

struct Recording {
    std::string text;
    std::vector<float> samples;
};

std::string read_file(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
}

std::vector<Recording> read_list(const std::string& path) {
    std::vector<Recording> list;
    std::ifstream file(path);
    for (std::string line; std::getline(file, line);) {
        const auto parts = split(line, '\t');
        const auto sound = parts.size() == 2 ? read_wav(read_file(std::string(parts[0]))) : Result<Sound>(Sound{});
        if (sound && sound->rate == telephone_rate && !sound->samples.empty()) {
            list.push_back({std::string(parts[1]), sound->samples});
        }
    }
    return list;
}

// Level of the part that is speech: the frames within 30 dB of the loudest.
double speech_level(const std::vector<float>& samples) {
    std::vector<double> frames;
    for (std::size_t at = 0; at + frame_samples <= samples.size(); at += frame_samples) {
        double sum = 0;
        for (std::size_t i = 0; i < frame_samples; ++i) {
            sum += static_cast<double>(samples[at + i]) * samples[at + i];
        }
        frames.push_back(sum / frame_samples);
    }
    const double loudest = frames.empty() ? 0 : *std::max_element(frames.begin(), frames.end());
    double sum = 0;
    std::size_t count = 0;
    for (const double frame : frames) {
        if (frame > loudest / 1000) {
            sum += frame;
            ++count;
        }
    }
    return std::sqrt(sum / static_cast<double>(std::max<std::size_t>(1, count)));
}

// 300 ms of line before and behind, as an utterance leaves our detector.
std::vector<std::uint8_t> caller_audio(const Recording& recording, double noise_below_db, std::mt19937& random) {
    constexpr double level = 0.0631;       // -24 dBFS
    constexpr double line_noise = 0.0008;  // -62 dBFS
    constexpr std::size_t margin = 2400;
    const double gain = level / std::max(1e-6, speech_level(recording.samples));
    const double noise = noise_below_db > 90 ? line_noise : level * std::pow(10.0, -noise_below_db / 20);
    std::normal_distribution<double> white(0, noise);
    std::vector<std::uint8_t> audio;
    for (std::size_t i = 0; i < recording.samples.size() + 2 * margin; ++i) {
        const bool inside = i >= margin && i - margin < recording.samples.size();
        const double speech = inside ? gain * static_cast<double>(recording.samples[i - margin]) : 0;
        audio.push_back(
            pcm_to_mulaw(static_cast<std::int16_t>(std::clamp((speech + white(random)) * 32767, -32767.0, 32767.0))));
    }
    return audio;
}

struct Score {
    std::size_t right = 0;
    std::size_t rejected = 0;
    std::size_t wrong = 0;
    double audio_seconds = 0;
    double cpu_seconds = 0;
};

double cpu_now() {
    return static_cast<double>(std::clock()) / CLOCKS_PER_SEC;
}

void recognise(Recogniser& recogniser, const ListenRequest& request, const std::string& text,
               const std::vector<std::uint8_t>& audio, Score& score) {
    const double before = cpu_now();
    auto recognition = recogniser.start(request);
    if (!recognition) {
        std::fprintf(stderr, "%s: %s\n", text.c_str(), recognition.error().detail.c_str());
        return;
    }
    for (std::size_t at = 0; at < audio.size(); at += frame_samples) {
        (*recognition)->audio(std::span(audio).subspan(at, std::min(frame_samples, audio.size() - at)));
    }
    const std::string heard = (*recognition)->finish();
    score.cpu_seconds += cpu_now() - before;
    score.audio_seconds += static_cast<double>(audio.size()) / telephone_rate;
    ++(heard == text ? score.right : heard.empty() ? score.rejected : score.wrong);
    if (heard != text && std::getenv("RECOGNISE_BENCH_ERRORS") != nullptr) {
        std::printf("    %s: %s\n", text.c_str(), heard.c_str());
    }
}

void print(const std::string& name, const std::string& condition, const Score& score) {
    const double all = static_cast<double>(score.right + score.rejected + score.wrong);
    std::printf("| %s | %s | %.0f | %.1f %% | %.1f %% | %.1f %% | %.3f |\n", name.c_str(), condition.c_str(), all,
                100 * static_cast<double>(score.right) / all, 100 * static_cast<double>(score.rejected) / all,
                100 * static_cast<double>(score.wrong) / all, score.cpu_seconds / score.audio_seconds);
    std::fflush(stdout);
}

// Phrases nobody can pronounce are left out, and said.
std::vector<Recording> usable(Recogniser& recogniser, std::vector<Recording> list) {
    std::erase_if(list, [&](const Recording& recording) {
        const bool known = recogniser.start({"en", {recording.text}}).has_value();
        if (!known) {
            std::fprintf(stderr, "left out, not in the dictionary: %s\n", recording.text.c_str());
        }
        return !known;
    });
    if (list.size() > speech_phrases_max) {
        list.resize(speech_phrases_max);
    }
    return list;
}

void measure(Recogniser& recogniser, SynthesisEngine& voice, const std::string& path) {
    const std::vector<Recording> list = usable(recogniser, read_list(path));
    ListenRequest request{"en", {}};
    for (const Recording& recording : list) {
        request.phrases.push_back(recording.text);
    }
    const std::string name = path.substr(path.find_last_of('/') + 1);
    for (const double noise : {99.0, 20.0, 15.0, 10.0}) {
        std::mt19937 random(1);  // NOLINT: the same noise in every run.
        Score score;
        for (const Recording& recording : list) {
            recognise(recogniser, request, recording.text, caller_audio(recording, noise, random), score);
        }
        print(name,
              noise > 90 ? "person, clean"
                         : "person, white noise " + std::to_string(static_cast<int>(noise)) + " dB below",
              score);
    }
    // As a dialogue asks: six possible answers, with the right one among them and without it.
    Score six;
    Score foreign;
    std::mt19937 random(2);  // NOLINT
    for (std::size_t i = 0; i < list.size(); ++i) {
        ListenRequest answers{"en", {}};
        for (std::size_t j = 1; j <= 6; ++j) {
            answers.phrases.push_back(list[(i + j * 17) % list.size()].text);
        }
        const auto audio = caller_audio(list[i], 99, random);
        recognise(recogniser, answers, "", audio, foreign);
        answers.phrases.back() = list[i].text;
        recognise(recogniser, answers, list[i].text, audio, six);
    }
    print(name + ", 6 of them", "person, clean", six);
    print(name + ", 6 others", "person, clean: none is right", foreign);
    Score own;
    for (const Recording& recording : list) {
        Recording spoken{recording.text, {}};
        for (const Clause& clause : make_clauses(recording.text, Language::english)) {
            (void)voice.speak(clause, [&](std::span<const std::uint8_t> audio) {
                for (const std::uint8_t code : audio) {
                    spoken.samples.push_back(static_cast<float>(mulaw_to_pcm(code)) / 32768.0F);
                }
                return true;
            });
        }
        recognise(recogniser, request, recording.text, caller_audio(spoken, 99, random), own);
    }
    print(name, "our own voice", own);
}

}  // namespace

int main(int argc, char** argv) {
    const char* rejection = std::getenv("EMBEDDED_STT_REJECTION");
    auto recogniser = open_recogniser({rejection == nullptr ? 11U : static_cast<unsigned>(std::atoi(rejection))});
    const char* variant = std::getenv("EMBEDDED_TTS_VARIANT");
    auto voice = open_synthesis_engine({variant == nullptr ? "f3" : variant, 150});
    if (!recogniser || !voice || argc < 2) {
        std::fprintf(stderr, "%s\n",
                     !recogniser ? recogniser.error().detail.c_str()
                     : !voice    ? voice.error().detail.c_str()
                                 : "give lists made by bench/speech/testset.sh");
        return 1;
    }
    std::printf("| grammar | spoken by | utterances | right | asked again | wrong | CPU s a second of audio |\n");
    std::printf("|---|---|---|---|---|---|---|\n");
    for (int i = 1; i < argc; ++i) {
        measure(**recogniser, **voice, argv[i]);
    }
    return 0;
}
