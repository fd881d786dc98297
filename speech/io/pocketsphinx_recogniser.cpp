#include "speech/io/recogniser.hpp"

#if AGENTLOCATOR_HAVE_POCKETSPHINX

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <iterator>
#include <optional>
#include <set>
#include <sstream>
#include <string_view>
#include <utility>
#include <vector>

#include "common/io/unique_fd.hpp"
#include "common/mulaw.hpp"
#include "common/text.hpp"
#include "speech/grammar.hpp"
#include "speech/telephone_model.hpp"
#include "speech/text/front_end.hpp"

// Its headers are C and convert as C does.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wold-style-cast"
#pragma GCC diagnostic ignored "-Wpedantic"
#include <pocketsphinx.h>
#include <sphinxbase/err.h>
#include <sphinxbase/fsg_model.h>
#pragma GCC diagnostic pop

namespace agentlocator::speech {
namespace {

constexpr std::size_t decoder_words_max = 1000;  // Words are never taken out of a decoder; then a fresh one is made.
constexpr std::size_t idle_decoders_max = 4;     // 25 MB; a call in a menu needs one for a second or two.
constexpr char install_text[] = "; install the package pocketsphinx-en-us for spoken answers, or use the keypad";

// A line that is digitally silent between words is no silence that the model knows: every sample gets a faint noise, of
// the level of an idle line (-62 dBFS). None is put in front: the front end takes the first frames for the noise of the
// line.
constexpr int floor_amplitude = 45;  // Uniform: its RMS is that by the root of three.

std::optional<std::string> read_text(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    if (!file) {
        return std::nullopt;
    }
    return std::string(std::istreambuf_iterator<char>(file), {});
}

// A text where the library wants the name of a file.
UniqueFd memory_file(const char* name, std::string_view text) {
    UniqueFd fd(::memfd_create(name, MFD_CLOEXEC));
    if (fd && ::write(fd.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size())) {
        fd.reset();
    }
    return fd;
}

// What differs from the installed model. The library lets these files win over what a program sets.
struct MemoryFiles {
    UniqueFd parameters;
    UniqueFd means;
    UniqueFd variances;
    UniqueFd words;
};

std::string path_of(const UniqueFd& fd) {
    return "/proc/self/fd/" + std::to_string(fd.get());
}

std::string noise_word(std::string_view phone) {
    return "noise_" + std::string(phone);
}

struct FreeDecoder {
    void operator()(ps_decoder_t* decoder) const { ps_free(decoder); }
};
struct FreeConfig {
    void operator()(cmd_ln_t* config) const { cmd_ln_free_r(config); }
};

struct Decoder {
    std::unique_ptr<cmd_ln_t, FreeConfig> config;
    std::unique_ptr<ps_decoder_t, FreeDecoder> search;
    std::set<std::string, std::less<>> words;  // Those of grammars, by name and pronunciation.
};

class SphinxRecogniser final : public Recogniser {
public:
    SphinxRecogniser(std::string model, std::string dictionary, MemoryFiles files, unsigned rejection)
        : model_(std::move(model)),
          dictionary_text_(std::move(dictionary)),
          dictionary_(dictionary_text_),
          files_(std::move(files)),
          phone_weight_(std::pow(10.0, -static_cast<double>(rejection))) {}

    [[nodiscard]] Result<std::unique_ptr<Recognition>> start(const ListenRequest& request) override;

    void give_back(std::unique_ptr<Decoder> decoder) {
        if (idle_.size() < idle_decoders_max && decoder->words.size() < decoder_words_max) {
            idle_.push_back(std::move(decoder));
        }
    }

    [[nodiscard]] Result<std::unique_ptr<Decoder>> make_decoder() {
        auto decoder = std::make_unique<Decoder>();
        decoder->config.reset(cmd_ln_init(nullptr, ps_args(), 1, "-hmm", model_.c_str(), "-dict",
                                          path_of(files_.words).c_str(), "-featparams",
                                          path_of(files_.parameters).c_str(), "-mean", path_of(files_.means).c_str(),
                                          "-var", path_of(files_.variances).c_str(), nullptr));
        if (decoder->config) {
            decoder->search.reset(ps_init(decoder->config.get()));
        }
        if (!decoder->search) {
            return error(Errc::io, "pocketsphinx cannot load the model in " + model_ + install_text);
        }
        return decoder;
    }

private:
    [[nodiscard]] Result<void> set_grammar(Decoder& decoder, const Grammar& grammar) const;
    static void add_words(Decoder& decoder, const Grammar& grammar);

    std::string model_;
    std::string dictionary_text_;
    PronunciationDictionary dictionary_;
    MemoryFiles files_;
    double phone_weight_;
    std::vector<std::unique_ptr<Decoder>> idle_;
};

class SphinxRecognition final : public Recognition {
public:
    SphinxRecognition(SphinxRecogniser& owner, std::unique_ptr<Decoder> decoder, Grammar grammar,
                      std::vector<std::string> phrases)
        : owner_(owner), decoder_(std::move(decoder)), grammar_(std::move(grammar)), phrases_(std::move(phrases)) {
        // The decoder goes on with the mean and the noise of the utterances before, a slow average over telephone
        // lines: begun afresh each time, the first words on a noisy line are wrong.
        ps_start_utt(decoder_->search.get());
    }
    ~SphinxRecognition() override {
        if (!ended_) {
            ps_end_utt(decoder_->search.get());
        }
        owner_.give_back(std::move(decoder_));
    }
    SphinxRecognition(const SphinxRecognition&) = delete;
    SphinxRecognition& operator=(const SphinxRecognition&) = delete;

    void audio(std::span<const std::uint8_t> mulaw) override {
        pcm_.clear();
        for (const std::uint8_t code : mulaw) {
            pcm_.push_back(mulaw_to_pcm(code));
        }
        heard_ = heard_ || !pcm_.empty();
        feed();
    }
    [[nodiscard]] std::string partial() override { return phrase(); }
    [[nodiscard]] std::string finish() override {
        ps_end_utt(decoder_->search.get());
        ended_ = true;
        return phrase();
    }

private:
    void feed() {
        for (std::int16_t& sample : pcm_) {
            floor_ = floor_ * 1'664'525U + 1'013'904'223U;  // Numerical Recipes' generator: its high bits will do.
            const int noise = static_cast<int>((floor_ >> 16) % (2 * floor_amplitude + 1)) - floor_amplitude;
            sample = static_cast<std::int16_t>(std::clamp(sample + noise, -32768, 32767));
        }
        if (!pcm_.empty()) {
            ps_process_raw(decoder_->search.get(), pcm_.data(), pcm_.size(), 0, 0);
        }
    }
    [[nodiscard]] std::string phrase() {
        int32 score = 0;
        const char* words = heard_ ? ps_get_hyp(decoder_->search.get(), &score) : nullptr;
        if (words == nullptr) {
            return {};
        }
        std::vector<std::string_view> names;
        for (const std::string_view name : split(words, ' ')) {
            names.push_back(name.substr(0, name.find('(')));  // Without the number of the variant.
        }
        const auto index = grammar_.phrase_of(names);
        return index ? phrases_[*index] : std::string();
    }

    SphinxRecogniser& owner_;
    std::unique_ptr<Decoder> decoder_;
    Grammar grammar_;
    std::vector<std::string> phrases_;
    std::vector<std::int16_t> pcm_;
    std::uint32_t floor_ = 1;
    bool heard_ = false;
    bool ended_ = false;
};

void SphinxRecogniser::add_words(Decoder& decoder, const Grammar& grammar) {
    for (const GrammarWord& word : grammar.words) {
        for (const std::string& phones : word.pronunciations) {
            if (!decoder.words.insert(word.name + " " + phones).second) {
                continue;
            }
            std::string name = word.name;
            for (int variant = 2; ps_lookup_word(decoder.search.get(), name.c_str()) != nullptr; ++variant) {
                name = word.name + "(" + std::to_string(variant) + ")";
            }
            ps_add_word(decoder.search.get(), name.c_str(), phones.c_str(), 0);
        }
    }
}

// Two branches from the first state to the last: the phrases, all alike, and any sequence of phones, each of which
// costs the weight that the setting names.
Result<void> SphinxRecogniser::set_grammar(Decoder& decoder, const Grammar& grammar) const {
    int states = 3;  // First, last, within the noise.
    for (const auto& phrase : grammar.phrases) {
        states += phrase.size() > 1 ? static_cast<int>(phrase.size()) - 1 : 0;
    }
    constexpr int first = 0;
    constexpr int last = 1;
    constexpr int noise = 2;
    logmath_t* const log = ps_get_logmath(decoder.search.get());
    constexpr float language_weight = 6.5F;  // The library's default.
    fsg_model_t* const model = fsg_model_init("answers", log, language_weight, states);
    model->start_state = first;
    model->final_state = last;
    int next_state = noise + 1;
    for (const auto& phrase : grammar.phrases) {
        int from = first;
        for (std::size_t i = 0; i < phrase.size(); ++i) {
            const int to = i + 1 == phrase.size() ? last : next_state++;
            const int word = fsg_model_word_add(model, grammar.words[phrase[i]].name.c_str());
            fsg_model_trans_add(model, from, to, 0, word);
            from = to;
        }
    }
    const int weight = logmath_log(log, phone_weight_);
    for (const std::string_view phone : all_phones()) {
        const int word = fsg_model_word_add(model, noise_word(phone).c_str());
        fsg_model_trans_add(model, first, noise, weight, word);
        fsg_model_trans_add(model, noise, noise, weight, word);
        fsg_model_trans_add(model, noise, last, weight, word);
        fsg_model_trans_add(model, first, last, weight, word);
    }
    const bool set =
        ps_set_fsg(decoder.search.get(), "answers", model) == 0 && ps_set_search(decoder.search.get(), "answers") == 0;
    fsg_model_free(model);  // The decoder has a count of its own.
    if (!set) {
        return error(Errc::bad_message, "pocketsphinx does not take these phrases");
    }
    return {};
}

Result<std::unique_ptr<Recognition>> SphinxRecogniser::start(const ListenRequest& request) {
    const auto language = parse_language(request.language);
    if (!language) {
        return error(Errc::bad_message, "language \"" + request.language + "\" is not recognised; valid: en, he");
    }
    auto grammar = make_grammar(*language, request.phrases, dictionary_);
    if (!grammar) {
        return grammar.error();
    }
    std::unique_ptr<Decoder> decoder;
    if (idle_.empty()) {
        auto made = make_decoder();
        if (!made) {
            return made.error();
        }
        decoder = std::move(*made);
    } else {
        decoder = std::move(idle_.back());
        idle_.pop_back();
    }
    add_words(*decoder, *grammar);
    if (auto set = set_grammar(*decoder, *grammar); !set) {
        return set.error();
    }
    return std::unique_ptr<Recognition>(
        std::make_unique<SphinxRecognition>(*this, std::move(decoder), std::move(*grammar), request.phrases));
}

}  // namespace

Result<std::unique_ptr<Recogniser>> open_recogniser(const RecogniserOptions& options) {
    err_set_logfp(nullptr);  // It reports every word to stderr.
    const std::string folder = AGENTLOCATOR_POCKETSPHINX_MODELS "/en-us";
    const std::string model = folder + "/en-us";
    const auto parameters = read_text(model + "/feat.params");
    const auto means = read_text(model + "/means");
    const auto variances = read_text(model + "/variances");
    auto dictionary = read_text(folder + "/cmudict-en-us.dict");
    if (!parameters || !means || !variances || !dictionary) {
        return error(Errc::not_found, "there is no speech model in " + folder + install_text);
    }
    const auto telephone = make_telephone_model({*parameters, *means, *variances});
    if (!telephone) {
        return error(Errc::bad_message,
                     "the speech model in " + model + " cannot be used: " + telephone.error().detail + install_text);
    }
    std::string noise;
    for (const std::string_view phone : all_phones()) {
        noise += noise_word(phone) + " " + std::string(phone) + "\n";
    }
    MemoryFiles files{memory_file("feat.params", telephone->parameters), memory_file("means", telephone->means),
                      memory_file("variances", telephone->variances), memory_file("words.dict", noise)};
    if (!files.parameters || !files.means || !files.variances || !files.words) {
        return error(Errc::io, "no memory file can be made for the recogniser");
    }
    auto recogniser =
        std::make_unique<SphinxRecogniser>(model, std::move(*dictionary), std::move(files), options.rejection);
    auto first = recogniser->make_decoder();  // Now, so that a model that cannot be loaded is found out at the start.
    if (!first) {
        return first.error();
    }
    recogniser->give_back(std::move(*first));
    return std::unique_ptr<Recogniser>(std::move(recogniser));
}

}  // namespace agentlocator::speech

#else

namespace agentlocator::speech {

Result<std::unique_ptr<Recogniser>> open_recogniser(const RecogniserOptions&) {
    return error(Errc::not_found,
                 "this build has no recogniser: answers come by keypad; install libpocketsphinx-dev and "
                 "pocketsphinx-en-us and build again");
}

}  // namespace agentlocator::speech

#endif
