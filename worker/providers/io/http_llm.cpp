#include "worker/providers/io/http_providers.hpp"
#include "worker/providers/io/operation_timer.hpp"
#include "worker/providers/life_watch.hpp"
#include "worker/providers/output_watch.hpp"
#include "worker/providers/provider_limits.hpp"

namespace agentlocator {
namespace {

Duration or_default(Duration given, Duration otherwise) {
    return given > Duration::zero() ? given : otherwise;
}

class LlmOperation final : public ProviderOperation, private HttpListener {
public:
    LlmOperation(HttpClient& client, const LlmDialect& dialect, const LlmRequest& request, LlmListener listener)
        : place_(dialect.place()),
          listener_(std::make_shared<const LlmListener>(std::move(listener))),
          decoder_(dialect.decoder()),
          watch_({or_default(request.first_token_max, llm_first_token_max), or_default(request.idle_max, llm_idle_max),
                  or_default(request.total_max, llm_total_max)},
                 Clock::now()),
          client_(client),
          timer_(client.loop()),
          transfer_(client.start(dialect.request(request), *this, stream_bytes_max)) {
        arm();
    }

private:
    void on_head(const HttpHead& head) override { head_ = head; }

    void on_body(std::string_view bytes) override {
        if (head_.status / 100 != 2) {
            error_body_ += bytes.substr(0, error_body_bytes_max - std::min(error_body_.size(), error_body_bytes_max));
            return;
        }
        if (first_bytes_.size() < first_bytes_max) {
            first_bytes_ += bytes.substr(0, first_bytes_max - first_bytes_.size());
        }
        const LifeWatch::Scope scope(life_);
        const bool more = parser_.feed(bytes, [this](const SseEvent& event) { return take(event); });
        if (scope.gone()) {
            return;
        }
        if (!more && parser_.too_large()) {
            fail(make_error(place_, ProviderErrorClass::protocol, "an event of the stream is too large"));
        }
    }

    void on_end(const HttpHead&) override {
        if (head_.status / 100 != 2) {
            fail(http_error(place_, head_, error_body_));
            return;
        }
        const LifeWatch::Scope scope(life_);
        if (!parser_.finish([this](const SseEvent& event) { return take(event); }) || scope.gone()) {
            return;
        }
        LlmOutput out;
        decoder_->on_end(out);
        // A page or a document instead of a stream: say what it is.
        if (out.error && !seen_event_ && !first_bytes_.empty()) {
            const ErrorBody body = read_error_body(first_bytes_);
            out.error =
                make_error(place_, ProviderErrorClass::protocol, "an answer that is no event stream: " + body.message);
        }
        static_cast<void>(apply(out));
    }

    void on_failure(const TransportFailure& failure) override { fail(transport_error(place_, failure)); }

    // False: over (or gone).
    [[nodiscard]] bool take(const SseEvent& event) {
        seen_event_ = true;
        LlmOutput out;
        decoder_->on_event(event, out);
        return apply(out);
    }

    [[nodiscard]] bool apply(const LlmOutput& out) {
        const LifeWatch::Scope scope(life_);
        if (out.progress || !out.text.empty()) {
            watch_.on_output(Clock::now());
            arm();
        }
        const auto listener = listener_;  // A callback may destroy us.
        if (!out.text.empty()) {
            said_ += out.text.size();
            after_output_ = true;
            if (listener->on_text) {
                listener->on_text(out.text);
            }
            if (scope.gone()) {
                return false;
            }
        }
        if (said_ > answer_text_bytes_max) {  // A model that never stops.
            finish(LlmFinish::length);
            return false;
        }
        if (out.error) {
            fail(*out.error);
            return false;
        }
        for (const ToolCall& call : out.tools) {
            after_output_ = true;
            if (listener->on_tool_call) {
                listener->on_tool_call(call);
            }
            if (scope.gone()) {
                return false;
            }
        }
        if (out.finish) {
            finish(*out.finish);
            return false;
        }
        return true;
    }

    void arm() {
        timer_.arm(watch_.deadline(),
                   [this] { fail(make_error(place_, ProviderErrorClass::timeout, watch_.overdue())); });
    }

    void finish(LlmFinish finish) {
        if (said_ <= answer_text_bytes_max) {  // Else it would go on talking.
            client_.drain(std::move(transfer_));
        }
        end();
        const auto listener = listener_;
        if (listener->on_done) {
            listener->on_done(finish);
        }
    }

    void fail(ProviderError error) {
        error.after_output = after_output_;
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

    static constexpr std::size_t first_bytes_max = 512;

    ProviderPlace place_;
    std::shared_ptr<const LlmListener> listener_;  // Shared with the callback that is running.
    std::unique_ptr<LlmDecoder> decoder_;
    OutputWatch watch_;
    HttpClient& client_;
    OperationTimer timer_;
    SseParser parser_;
    HttpHead head_;
    std::string error_body_;
    std::string first_bytes_;
    std::size_t said_ = 0;
    bool seen_event_ = false;
    bool after_output_ = false;
    LifeWatch life_;
    std::unique_ptr<HttpTransfer> transfer_;  // Last: gone first, nothing reports into half an object.
};

}  // namespace

HttpLlm::HttpLlm(HttpClient& client, std::unique_ptr<LlmDialect> dialect, ProviderNotice notice)
    : client_(client),
      dialect_(std::move(dialect)),
      warm_up_(client, dialect_->place(), dialect_->warm_up(), std::move(notice)) {}

OperationPtr HttpLlm::start(const LlmRequest& request, LlmListener listener) {
    return std::make_unique<LlmOperation>(client_, *dialect_, request, std::move(listener));
}

}  // namespace agentlocator
