#include "worker/providers/io/http_providers.hpp"
#include "worker/providers/io/operation_timer.hpp"
#include "worker/providers/provider_limits.hpp"

namespace agentlocator {
namespace {

class SttOperation final : public SttUtterance, private HttpListener {
public:
    SttOperation(HttpClient& client, const SttDialect& dialect, SttConfig config, SttListener listener)
        : client_(client),
          dialect_(dialect),
          config_(std::move(config)),
          listener_(std::make_shared<const SttListener>(std::move(listener))),
          timer_(client.loop()) {}

    void push(std::span<const std::uint8_t> mulaw) override {
        const std::size_t room = utterance_audio_max - audio_.size();
        audio_.insert(audio_.end(), mulaw.begin(),
                      mulaw.begin() + static_cast<std::ptrdiff_t>(std::min(room, mulaw.size())));
    }

    void finish() override {
        if (finished_) {
            return;
        }
        finished_ = true;
        if (audio_.size() < utterance_audio_min) {
            timer_.arm(Clock::now(), [this] { done(""); });
            return;
        }
        transfer_ = client_.start(dialect_.request(audio_, config_), *this, document_bytes_max);
        audio_ = {};
        timer_.arm(Clock::now() + stt_answer_max,
                   [this] { fail(make_error(dialect_.place(), ProviderErrorClass::timeout, "no text in time")); });
    }

private:
    void on_head(const HttpHead& head) override { head_ = head; }
    void on_body(std::string_view bytes) override { document_ += bytes; }  // Bounded by the transfer's limit.
    void on_end(const HttpHead&) override {
        if (head_.status / 100 != 2) {
            fail(http_error(dialect_.place(), head_, document_));
            return;
        }
        const SttDialect::Answer answer = dialect_.read(document_);
        if (answer.error) {
            fail(*answer.error);
        } else {
            done(answer.text);
        }
    }
    void on_failure(const TransportFailure& failure) override { fail(transport_error(dialect_.place(), failure)); }

    void done(std::string text) {
        end();
        const auto listener = listener_;
        if (listener->on_done) {
            listener->on_done(text);
        }
    }

    void fail(const ProviderError& error) {
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

    HttpClient& client_;
    const SttDialect& dialect_;
    SttConfig config_;
    std::shared_ptr<const SttListener> listener_;  // Shared with the callback that is running.
    OperationTimer timer_;
    std::vector<std::uint8_t> audio_;
    bool finished_ = false;
    HttpHead head_;
    std::string document_;
    std::unique_ptr<HttpTransfer> transfer_;  // Last: gone first.
};

}  // namespace

WarmUp::WarmUp(HttpClient& client, ProviderPlace place, HttpCall call, ProviderNotice notice)
    : client_(client), place_(std::move(place)), call_(std::move(call)), notice_(std::move(notice)) {
    place_.operation = "connect";
}

void WarmUp::run() {
    if (transfer_ != nullptr || call_.url.empty() || client_.is_warm(call_.url)) {
        return;
    }
    head_ = {};
    body_.clear();
    transfer_ = client_.start(call_, *this, document_bytes_max);
}

void WarmUp::on_head(const HttpHead& head) {
    head_ = head;
}

void WarmUp::on_body(std::string_view bytes) {
    body_ += bytes.substr(0, error_body_bytes_max - std::min(body_.size(), error_body_bytes_max));
}

// Only what a person must mend is worth a line: many servers have no such path, and are well all the same.
void WarmUp::on_end(const HttpHead&) {
    transfer_.reset();
    if (head_.status != 401 && head_.status != 403) {
        told_ = false;
    } else if (!told_ && notice_) {
        told_ = true;
        notice_(http_error(place_, head_, body_));
    }
}

void WarmUp::on_failure(const TransportFailure& failure) {
    transfer_.reset();
    if (!told_ && notice_) {
        told_ = true;
        notice_(transport_error(place_, failure));
    }
}

HttpStt::HttpStt(HttpClient& client, std::unique_ptr<SttDialect> dialect, ProviderNotice notice)
    : client_(client),
      dialect_(std::move(dialect)),
      warm_up_(client, dialect_->place(), dialect_->warm_up(), std::move(notice)) {}

std::unique_ptr<SttUtterance> HttpStt::start(const SttConfig& config, SttListener listener) {
    return std::make_unique<SttOperation>(client_, *dialect_, config, std::move(listener));
}

}  // namespace agentlocator
