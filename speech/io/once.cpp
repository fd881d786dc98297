#include "speech/io/once.hpp"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <optional>

#include "common/mulaw.hpp"
#include "common/speech_message.hpp"
#include "common/text.hpp"
#include "common/wav.hpp"
#include "speech/io/recogniser.hpp"
#include "speech/io/synthesis_engine.hpp"
#include "speech/resampler.hpp"
#include "speech/text/front_end.hpp"

namespace agentlocator::speech {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t text_bytes_max = 256 * 1024;        // A chapter; `say` is for sentences.
constexpr std::size_t file_bytes_max = 64 * 1024 * 1024;  // Ten minutes in studio quality.
constexpr std::size_t recording_seconds_max = 600;

ExitCode fail(const std::string& command, const std::string& text, ExitCode code = ExitCode::failed) {
    std::fprintf(stderr, "agentlocator %s: %s\n", command.c_str(), text.c_str());
    return code;
}

Result<std::string> read_all(const std::string& path, std::size_t bytes_max) {
    std::string text;
    std::FILE* const file = path == "-" ? stdin : std::fopen(path.c_str(), "rb");
    if (file == nullptr) {
        return error(Errc::not_found, path + ": " + std::strerror(errno));
    }
    char buffer[65'536];
    std::size_t count = 0;
    while (text.size() <= bytes_max && (count = std::fread(buffer, 1, sizeof buffer, file)) > 0) {
        text.append(buffer, count);
    }
    const bool broken = std::ferror(file) != 0;
    if (file != stdin) {
        std::fclose(file);
    }
    if (broken) {
        return error(Errc::io, path + ": cannot be read; is it a file?");
    }
    if (text.size() > bytes_max) {
        return error(Errc::too_large, path + " has more than " + std::to_string(bytes_max) + " bytes");
    }
    return text;
}

bool write_out(const std::string& path, const std::string& bytes) {
    std::FILE* const file = path == "-" ? stdout : std::fopen(path.c_str(), "wb");
    if (file == nullptr) {
        return false;
    }
    const bool whole = std::fwrite(bytes.data(), 1, bytes.size(), file) == bytes.size() && std::fflush(file) == 0;
    return (file == stdout || std::fclose(file) == 0) && whole;
}

// Level in dB below full scale; what a meter on the line would show.
double level_dbfs(const std::vector<std::uint8_t>& mulaw) {
    constexpr double full_scale = 32768.0;
    return 10 * std::log10(std::max(1.0, static_cast<double>(mulaw_mean_square(mulaw))) / (full_scale * full_scale));
}

std::optional<Language> chosen_language(const std::string& command, const std::string& flag, const Settings& settings) {
    const std::string& tag = flag.empty() ? settings.agent.language : flag;
    const auto language = parse_language(tag);
    if (!language) {
        (void)fail(command, "language \"" + tag + "\" is not known; valid: he, en");
    }
    return language;
}

void print(const std::string& text, bool to_stderr) {
    std::fputs((text + "\n").c_str(), to_stderr ? stderr : stdout);
}

// The caller's audio out of a recording of any rate.
Result<std::vector<std::uint8_t>> telephone_audio(const std::string& path) {
    const auto file = read_all(path, file_bytes_max);
    if (!file) {
        return file.error();
    }
    const auto sound = read_wav(*file);
    if (!sound) {
        return error(Errc::bad_message, path + ": " + sound.error().detail);
    }
    if (sound->samples.size() / sound->rate > recording_seconds_max) {
        return error(Errc::too_large, path + " is longer than " + std::to_string(recording_seconds_max) + " s");
    }
    std::vector<std::int16_t> samples;
    for (const float sample : sound->samples) {
        samples.push_back(static_cast<std::int16_t>(std::lrint(std::clamp(sample, -1.0F, 1.0F) * 32767.0F)));
    }
    Resampler resampler(sound->rate, telephone_rate, quality_to_recogniser);
    std::vector<std::int16_t> narrow;
    resampler.process(samples, narrow);
    resampler.flush(narrow);
    std::vector<std::uint8_t> mulaw;
    for (const std::int16_t sample : narrow) {
        mulaw.push_back(pcm_to_mulaw(sample));
    }
    return mulaw;
}

}  // namespace

ExitCode say_once(const SayCommand& command, const Settings& settings) {
    const auto language = chosen_language("say", command.language, settings);
    if (!language) {
        return ExitCode::usage;
    }
    const auto text = command.text == "-" ? read_all("-", text_bytes_max) : Result<std::string>(command.text);
    if (!text) {
        return fail("say", text.error().detail);
    }
    const std::vector<Clause> clauses = make_clauses(*text, *language);
    if (clauses.empty()) {
        return fail("say", "there is nothing to be spoken in the text");
    }
    auto engine = open_synthesis_engine({settings.speech.voice_variant, settings.speech.words_per_minute});
    if (!engine) {
        return fail("say", engine.error().detail, ExitCode::unavailable);
    }
    std::vector<std::uint8_t> audio;
    std::string phonemes;
    for (std::size_t i = 0; i < clauses.size(); ++i) {
        phonemes += (i == 0 ? "" : " ") + clauses[i].text;
        const auto spoken = (*engine)->speak(clauses[i], [&audio](std::span<const std::uint8_t> made) {
            audio.insert(audio.end(), made.begin(), made.end());
            return true;
        });
        if (!spoken) {
            return fail("say", spoken.error().detail);
        }
        if (i + 1 < clauses.size()) {
            const auto pause = std::chrono::duration_cast<std::chrono::milliseconds>(pause_after(clauses[i].end));
            audio.insert(audio.end(), static_cast<std::size_t>(pause.count()) * telephone_rate / 1000, mulaw_silence);
        }
    }
    if (!command.out.empty() && !write_out(command.out, write_mulaw_wav(audio))) {
        return fail("say", command.out + ": " + std::strerror(errno));
    }
    const double seconds = static_cast<double>(audio.size()) / telephone_rate;
    const bool aside = command.out == "-";  // stdout is the audio.
    if (command.json) {
        const Json document{{"seconds", seconds},
                            {"level_dbfs", std::round(level_dbfs(audio) * 10) / 10},
                            {"clauses", clauses.size()},
                            {"phonemes", phonemes},
                            {"out", command.out}};
        print(document.dump(2, ' ', false, Json::error_handler_t::replace), aside);
        return ExitCode::ok;
    }
    if (command.phonemes) {
        print(phonemes, aside);
    }
    char summary[128];
    std::snprintf(summary, sizeof summary, "%.2f s of speech, %zu clauses, level %.1f dBFS", seconds, clauses.size(),
                  level_dbfs(audio));
    print(summary + (command.out.empty() || aside ? std::string() : ", written to " + command.out), aside);
    return ExitCode::ok;
}

ExitCode hear_once(const HearCommand& command, const Settings& settings) {
    const auto language = chosen_language("hear", command.language, settings);
    if (!language) {
        return ExitCode::usage;
    }
    const std::string tag = *language == Language::hebrew ? "he" : "en";
    const ListenRequest request{tag, command.phrases.empty() ? default_phrases(tag) : command.phrases};
    if (const auto checked = parse_listen_request(encode(request)); !checked) {
        return fail("hear", checked.error().detail, ExitCode::usage);
    }
    const auto audio = telephone_audio(command.file);
    if (!audio) {
        return fail("hear", audio.error().detail);
    }
    auto recogniser = open_recogniser({settings.speech.rejection});
    if (!recogniser) {
        return fail("hear", recogniser.error().detail, ExitCode::unavailable);
    }
    auto recognition = (*recogniser)->start(request);
    if (!recognition) {
        return fail("hear", recognition.error().detail);
    }
    for (std::size_t from = 0; from < audio->size(); from += frame_samples) {
        (*recognition)->audio(std::span(*audio).subspan(from, std::min(frame_samples, audio->size() - from)));
    }
    const std::string heard = (*recognition)->finish();
    if (command.json) {
        const Json document{{"heard", heard},
                            {"rejected", heard.empty()},
                            {"seconds", static_cast<double>(audio->size()) / telephone_rate},
                            {"level_dbfs", std::round(level_dbfs(*audio) * 10) / 10},
                            {"language", tag},
                            {"phrases", request.phrases}};
        print(document.dump(2, ' ', false, Json::error_handler_t::replace), false);
    } else {
        print(heard.empty() ? "(none of the phrases)" : heard, false);
    }
    return heard.empty() ? ExitCode::failed : ExitCode::ok;
}

}  // namespace agentlocator::speech
