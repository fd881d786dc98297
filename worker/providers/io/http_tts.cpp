#include "worker/providers/io/http_providers.hpp"
#include "worker/providers/io/operation_timer.hpp"
#include "worker/providers/life_watch.hpp"
#include "worker/providers/output_watch.hpp"
#include "worker/providers/provider_limits.hpp"
#include "worker/providers/telephone_audio.hpp"

namespace agentlocator {
namespace {

// Text where sound should be: an error page with status 200.
bool is_text(const HttpHead& head) {
    const std::string_view type = head.header("content-type");
    return type.starts_with("text/") || type.starts_with("application/json") || type.starts_with("application/problem");
}

class TtsOperation final : public ProviderOperation, private HttpListener {
public:
    TtsOperation(HttpClient& client, const TtsDialect& dialect, std::string_view text, const TtsConfig& config,
                 TtsListener listener)
        : dialect_(dialect),
          listener_(std::make_shared<const TtsListener>(std::move(listener))),
          watch_({config.first_audio_max > Duration::zero() ? config.first_audio_max : tts_first_audio_max,
                  tts_idle_max, tts_total_max},
                 Clock::now()),
          timer_(client.loop()),
          transfer_(client.start(dialect.request(text, config), *this,
                                 dialect.wrapped() ? wrapped_audio_bytes_max : sentence_bytes_max)) {
        arm();
    }

private:
    void on_head(const HttpHead& head) override {
        head_ = head;
        sound_ = head.status / 100 == 2 && (dialect_.wrapped() || !is_text(head));
        converter_.emplace(dialect_.format(head));
    }

    void on_body(std::string_view bytes) override {
        if (!sound_) {
            document_ += bytes.substr(0, error_body_bytes_max - std::min(document_.size(), error_body_bytes_max));
        } else if (dialect_.wrapped()) {
            document_ += bytes;  // Bounded by the transfer's limit.
        } else {
            static_cast<void>(play(bytes));
        }
    }

    void on_end(const HttpHead&) override {
        if (!sound_) {
            fail(head_.status / 100 == 2 ? make_error(dialect_.place(), ProviderErrorClass::protocol,
                                                      "text instead of sound: " + read_error_body(document_).message)
                                         : http_error(dialect_.place(), head_, document_));
            return;
        }
        if (dialect_.wrapped()) {
            const auto sound = dialect_.unwrap(document_);
            if (!sound) {
                fail(make_error(dialect_.place(), ProviderErrorClass::protocol, "the answer holds no sound"));
                return;
            }
            if (!play(*sound)) {
                return;
            }
        }
        std::vector<std::uint8_t> rest;
        if (!converter_->finish(rest)) {
            fail(make_error(dialect_.place(), ProviderErrorClass::protocol, "the WAV header is not complete"));
            return;
        }
        if (!give(rest)) {
            return;
        }
        if (given_ == 0) {
            fail(make_error(dialect_.place(), ProviderErrorClass::server, "the answer is empty"));
            return;
        }
        end();
        const auto listener = listener_;
        if (listener->on_done) {
            listener->on_done();
        }
    }

    void on_failure(const TransportFailure& failure) override { fail(transport_error(dialect_.place(), failure)); }

    // False: over (or gone), as the next.
    [[nodiscard]] bool play(std::string_view bytes) {
        std::vector<std::uint8_t> mulaw;
        if (!converter_->feed(bytes, mulaw)) {
            fail(make_error(dialect_.place(), ProviderErrorClass::protocol,
                            "sound in a form we cannot play: ask for PCM16 mono or mu-law"));
            return false;
        }
        return give(mulaw);
    }

    [[nodiscard]] bool give(const std::vector<std::uint8_t>& mulaw) {
        if (mulaw.empty()) {
            return true;
        }
        given_ += mulaw.size();
        if (given_ > sentence_audio_max) {
            fail(
                make_error(dialect_.place(), ProviderErrorClass::protocol, "speech of over a minute for one sentence"));
            return false;
        }
        watch_.on_output(Clock::now());
        arm();
        const LifeWatch::Scope scope(life_);
        const auto listener = listener_;
        if (listener->on_audio) {
            listener->on_audio(mulaw);
        }
        return !scope.gone();
    }

    void arm() {
        timer_.arm(watch_.deadline(),
                   [this] { fail(make_error(dialect_.place(), ProviderErrorClass::timeout, watch_.overdue())); });
    }

    void fail(ProviderError error) {
        error.after_output = given_ > 0;
        end();
        const auto listener = listener_;
        if (listener->on_error) {
            listener->on_error(error);
        }
    }

    void end() {
        transfer_.reset();
        timer_.disarm();
    }

    const TtsDialect& dialect_;
    std::shared_ptr<const TtsListener> listener_;  // Shared with the callback that is running.
    OutputWatch watch_;
    OperationTimer timer_;
    HttpHead head_;
    bool sound_ = false;
    std::string document_;
    std::optional<ToTelephone> converter_;
    std::size_t given_ = 0;
    LifeWatch life_;
    std::unique_ptr<HttpTransfer> transfer_;  // Last: gone first.
};

}  // namespace

HttpTts::HttpTts(HttpClient& client, std::unique_ptr<TtsDialect> dialect, ProviderNotice notice)
    : client_(client),
      dialect_(std::move(dialect)),
      warm_up_(client, dialect_->place(), dialect_->warm_up(), std::move(notice)) {}

OperationPtr HttpTts::start(std::string_view text, const TtsConfig& config, TtsListener listener) {
    return std::make_unique<TtsOperation>(client_, *dialect_, text, config, std::move(listener));
}

}  // namespace agentlocator
