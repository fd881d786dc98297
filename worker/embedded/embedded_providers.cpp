#include "worker/embedded/embedded_providers.hpp"

#include <deque>
#include <utility>

#include "worker/embedded/io/speech_link.hpp"
#include "worker/embedded/speech_cache.hpp"

namespace agentlocator {
namespace {

// "he-IL" -> "he" (RFC 5646: the primary subtag ends at the first hyphen).
std::string primary_language(std::string_view tag) {
    return std::string(tag.substr(0, tag.find('-')));
}

class LinkOperation final : public ProviderOperation {
public:
    LinkOperation(std::shared_ptr<SpeechLink> link, SpeechOperationId id) : link_(std::move(link)), id_(id) {}
    ~LinkOperation() override { link_->cancel(id_); }
    LinkOperation(const LinkOperation&) = delete;
    LinkOperation& operator=(const LinkOperation&) = delete;

private:
    std::shared_ptr<SpeechLink> link_;
    SpeechOperationId id_;
};

// A sentence from the cache. Destroyed: the deferred call finds nothing to watch and does nothing.
class CachedOperation final : public ProviderOperation {
public:
    CachedOperation(EventLoop& loop, std::string audio, TtsListener listener)
        : state_(std::make_shared<State>(State{std::move(audio), std::move(listener)})) {
        loop.defer([watch = std::weak_ptr<State>(state_)] {
            const auto state = watch.lock();
            if (!state) {
                return;
            }
            state->listener.on_audio({reinterpret_cast<const std::uint8_t*>(state->audio.data()), state->audio.size()});
            if (watch.use_count() > 1) {  // Not destroyed inside on_audio: the operation still holds it beside us.
                state->listener.on_done();
            }
        });
    }

private:
    struct State {
        std::string audio;
        TtsListener listener;
    };
    std::shared_ptr<State> state_;
};

class EmbeddedTtsProvider final : public EmbeddedTts {
public:
    EmbeddedTtsProvider(std::shared_ptr<SpeechLink> link, std::size_t cache_bytes)
        : link_(std::move(link)), cache_(std::make_shared<SpeechCache>(cache_bytes)) {}
    ~EmbeddedTtsProvider() override {
        if (rendering_ != 0) {
            link_->cancel(rendering_);
        }
    }
    EmbeddedTtsProvider(const EmbeddedTtsProvider&) = delete;
    EmbeddedTtsProvider& operator=(const EmbeddedTtsProvider&) = delete;

    [[nodiscard]] std::string_view name() const override { return "embedded"; }
    [[nodiscard]] bool speaks(std::string_view language) const override {
        const std::string primary = primary_language(language);
        return (primary == "he" || primary == "en") && link_->speaks(primary);
    }
    void prewarm() override { link_->connect(); }

    [[nodiscard]] OperationPtr start(std::string_view text, const TtsConfig& config, TtsListener listener) override {
        const std::string language = primary_language(config.language);
        if (const std::string* audio = cache_->find(language, text)) {
            return std::make_unique<CachedOperation>(link_->loop(), *audio, std::move(listener));
        }
        const auto id = link_->speak({std::string(text), language}, config.first_audio_max,
                                     keep(language, std::string(text), std::move(listener)));
        return std::make_unique<LinkOperation>(link_, id);
    }

    void prerender(std::string_view language, std::vector<std::string> texts) override {
        for (std::string& text : texts) {
            waiting_.push_back({std::move(text), primary_language(language)});
        }
        render_next();
    }

private:
    // The listener's audio is kept on its way, and goes to the cache once the sentence is whole.
    TtsListener keep(std::string language, std::string text, TtsListener listener) {
        const auto audio = std::make_shared<std::string>();  // Of two callbacks of one operation.
        TtsListener both;
        both.on_audio = [audio, to = std::move(listener.on_audio)](std::span<const std::uint8_t> mulaw) {
            audio->append(reinterpret_cast<const char*>(mulaw.data()), mulaw.size());
            to(mulaw);
        };
        both.on_done = [audio, cache = cache_, language = std::move(language), text = std::move(text),
                        to = std::move(listener.on_done)] {
            cache->put(language, text, std::move(*audio));
            to();
        };
        both.on_error = std::move(listener.on_error);
        return both;
    }

    // One at a time: what callers wait for must not queue behind a whole dialogue.
    void render_next() {
        while (rendering_ == 0 && !waiting_.empty()) {
            SpeakRequest request = std::move(waiting_.front());
            waiting_.pop_front();
            if (cache_->find(request.language, request.text) != nullptr) {
                continue;
            }
            const auto next = [this] {
                rendering_ = 0;
                render_next();
            };
            TtsListener listener{[](std::span<const std::uint8_t>) {}, next,
                                 [next](const ProviderError&) { next(); }};  // It is synthesised when it is asked for.
            TtsListener keeping = keep(request.language, request.text, std::move(listener));
            rendering_ = link_->speak(std::move(request), prerender_max, std::move(keeping));
        }
    }

    static constexpr Duration prerender_max = 10s;  // Nobody waits for it, and at the start everything is busy.

    std::shared_ptr<SpeechLink> link_;
    std::shared_ptr<SpeechCache> cache_;  // Shared with operations that outlive a reconfiguration of the chain.
    std::deque<SpeakRequest> waiting_;
    SpeechOperationId rendering_ = 0;
};

class EmbeddedUtterance final : public SttUtterance {
public:
    EmbeddedUtterance(std::shared_ptr<SpeechLink> link, SpeechOperationId id) : link_(std::move(link)), id_(id) {}
    ~EmbeddedUtterance() override { link_->cancel(id_); }
    EmbeddedUtterance(const EmbeddedUtterance&) = delete;
    EmbeddedUtterance& operator=(const EmbeddedUtterance&) = delete;

    void push(std::span<const std::uint8_t> mulaw) override { link_->audio(id_, mulaw); }
    void finish() override { link_->finish(id_); }

private:
    std::shared_ptr<SpeechLink> link_;
    SpeechOperationId id_;
};

class EmbeddedSttProvider final : public SttProvider {
public:
    explicit EmbeddedSttProvider(std::shared_ptr<SpeechLink> link) : link_(std::move(link)) {}

    [[nodiscard]] std::string_view name() const override { return "embedded"; }
    // Never dictation: 69 % of the words are wrong over a telephone. Hebrew is recognised with an English acoustic
    // model, which tells two long words apart and no more.
    [[nodiscard]] bool speaks(std::string_view language, const SttConfig& config) const override {
        const std::string primary = primary_language(language);
        constexpr std::size_t hebrew_phrases_max = 2;
        const bool fits = primary == "he" ? config.closed && config.phrases.size() <= hebrew_phrases_max
                                          : primary == "en" && config.phrases.size() <= 200;
        return fits && !config.phrases.empty() && link_->hears(primary);
    }
    void prewarm() override { link_->connect(); }

    [[nodiscard]] std::unique_ptr<SttUtterance> start(const SttConfig& config, SttListener listener) override {
        const auto id = link_->listen({primary_language(config.language), config.phrases}, std::move(listener));
        return std::make_unique<EmbeddedUtterance>(link_, id);
    }

private:
    std::shared_ptr<SpeechLink> link_;
};

}  // namespace

std::shared_ptr<SpeechLink> make_speech_link(EventLoop& loop, std::string socket_path) {
    return std::make_shared<SpeechLink>(loop, std::move(socket_path));
}

std::unique_ptr<EmbeddedTts> make_embedded_tts(std::shared_ptr<SpeechLink> link, std::size_t cache_bytes) {
    return std::make_unique<EmbeddedTtsProvider>(std::move(link), cache_bytes);
}

std::unique_ptr<SttProvider> make_embedded_stt(std::shared_ptr<SpeechLink> link) {
    return std::make_unique<EmbeddedSttProvider>(std::move(link));
}

}  // namespace agentlocator
