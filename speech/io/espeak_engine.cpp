#include <array>
#include <optional>
#include <vector>

#include "common/mulaw.hpp"
#include "speech/io/synthesis_engine.hpp"
#include "speech/resampler.hpp"

#if AGENTLOCATOR_HAVE_ESPEAK

#include <espeak-ng/speak_lib.h>

namespace agentlocator::speech {
namespace {

constexpr int buffer_milliseconds = 60;  // Shorter ones are ignored; this is how much is made at a time.
constexpr int volume = 80;               // At 100 Hebrew clips.

// The library calls back into whatever is speaking; it has no pointer to give us before the first event.
class EspeakEngine;
EspeakEngine* speaking = nullptr;

class EspeakEngine final : public SynthesisEngine {
public:
    EspeakEngine(int rate, VoiceOptions options)
        : options_(std::move(options)),
          rate_(static_cast<std::uint32_t>(rate)),
          resampler_(rate_, samples_per_second, quality_to_caller) {}
    ~EspeakEngine() override { espeak_Terminate(); }
    EspeakEngine(const EspeakEngine&) = delete;
    EspeakEngine& operator=(const EspeakEngine&) = delete;

    [[nodiscard]] Result<void> speak(const Clause& clause, const Sink& sink) override {
        if (auto chosen = choose_voice(clause.language); !chosen) {
            return chosen;
        }
        sink_ = &sink;
        stopped_ = false;
        resampler_.restart();
        speaking = this;
        const std::string text = clause.text + mark_of(clause.end);
        const auto code = espeak_Synth(text.c_str(), text.size() + 1, 0, POS_CHARACTER, 0,
                                       espeakCHARS_UTF8 | espeakPHONEMES, nullptr, nullptr);
        speaking = nullptr;
        if (code != EE_OK) {
            return error(Errc::io, "eSpeak NG returned " + std::to_string(code));
        }
        if (!stopped_) {
            pcm_.clear();
            resampler_.flush(pcm_);
            send();
        }
        return {};
    }

    static int on_samples(short* wav, int count, espeak_EVENT* events) { return speaking->take(wav, count, events); }

private:
    static const char* mark_of(ClauseEnd end) {
        switch (end) {
            case ClauseEnd::none:
                return "";
            case ClauseEnd::comma:
                return ",";
            case ClauseEnd::full_stop:
                return ".";
            case ClauseEnd::question:
                return "?";
            case ClauseEnd::exclamation:
                return "!";
        }
        return "";
    }

    [[nodiscard]] Result<void> choose_voice(Language language) {
        if (voice_ == language) {
            return {};
        }
        voice_.reset();
        const std::string name = std::string(language == Language::hebrew ? "he" : "en-us") +
                                 (options_.variant.empty() ? "" : "+" + options_.variant);
        if (espeak_SetVoiceByName(name.c_str()) != EE_OK) {
            return error(Errc::not_found, "eSpeak NG has no voice " + name + "; is espeak-ng-data installed whole?");
        }
        // A voice may bring a speed of its own.
        espeak_SetParameter(espeakRATE, static_cast<int>(options_.words_per_minute), 0);
        espeak_SetParameter(espeakVOLUME, volume, 0);
        voice_ = language;
        return {};
    }

    // Nonzero stops the synthesis at once. A block of no samples is not the end; only a null block is.
    int take(short* wav, int count, espeak_EVENT* events) {
        for (; events != nullptr && events->type != espeakEVENT_LIST_TERMINATED; ++events) {
            if (events->type == espeakEVENT_SAMPLERATE && events->id.number > 0) {
                set_rate(static_cast<std::uint32_t>(events->id.number));
            }
        }
        if (wav == nullptr || count <= 0 || stopped_) {
            return stopped_ ? 1 : 0;
        }
        pcm_.clear();
        resampler_.process({wav, static_cast<std::size_t>(count)}, pcm_);
        send();
        return stopped_ ? 1 : 0;
    }

    void set_rate(std::uint32_t rate) {
        if (rate != rate_) {
            rate_ = rate;
            resampler_ = Resampler(rate, samples_per_second, quality_to_caller);
        }
    }

    void send() {
        mulaw_.clear();
        for (const std::int16_t sample : pcm_) {
            mulaw_.push_back(pcm_to_mulaw(sample));
        }
        stopped_ = !(*sink_)(mulaw_);
    }

    VoiceOptions options_;
    std::uint32_t rate_;
    Resampler resampler_;
    std::optional<Language> voice_;
    const Sink* sink_ = nullptr;
    bool stopped_ = false;
    std::vector<std::int16_t> pcm_;
    std::vector<std::uint8_t> mulaw_;
};

}  // namespace

Result<std::unique_ptr<SynthesisEngine>> open_synthesis_engine(const VoiceOptions& options) {
    // The path is given: without one the library also looks into the environment and the home folder. Without the last
    // flag it ends the process when the data is not there.
    constexpr int dont_exit = 0x8000;  // espeakINITIALIZE_DONT_EXIT
    const int rate =
        espeak_Initialize(AUDIO_OUTPUT_SYNCHRONOUS, buffer_milliseconds, AGENTLOCATOR_ESPEAK_DATA, dont_exit);
    if (rate <= 0) {
        return error(Errc::not_found, std::string("eSpeak NG finds no data in " AGENTLOCATOR_ESPEAK_DATA
                                                  "; install the package espeak-ng-data"));
    }
    espeak_SetSynthCallback(&EspeakEngine::on_samples);
    return std::unique_ptr<SynthesisEngine>(std::make_unique<EspeakEngine>(rate, options));
}

}  // namespace agentlocator::speech

#else

namespace agentlocator::speech {

Result<std::unique_ptr<SynthesisEngine>> open_synthesis_engine(const VoiceOptions&) {
    return error(Errc::not_found, "this build has no eSpeak NG; install libespeak-ng-dev and build again");
}

}  // namespace agentlocator::speech

#endif
