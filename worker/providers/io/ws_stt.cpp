#include <sys/random.h>

#include <ctime>

#include "common/ensure.hpp"
#include "common/text.hpp"
#include "worker/providers/io/operation_timer.hpp"
#include "worker/providers/io/ws_connection.hpp"
#include "worker/providers/io/ws_providers.hpp"
#include "worker/providers/provider_limits.hpp"

namespace agentlocator {
namespace {

WsSttSeed make_seed() {
    unsigned char bytes[16];
    ENSURE(::getrandom(bytes, sizeof bytes, 0) == sizeof bytes);
    const std::time_t now = std::time(nullptr);
    std::tm parts{};
    ::gmtime_r(&now, &parts);
    char text[32];
    std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S.000Z", &parts);
    return {hex(bytes, sizeof bytes), text};
}

class WsSttOperation final : public SttUtterance, private WsListener {
public:
    WsSttOperation(HttpClient& client, const WsSttDialect& dialect, const SttConfig& config, SttListener listener,
                   const WsSttSeed& seed)
        : place_(dialect.place()),
          listener_(std::make_shared<const SttListener>(std::move(listener))),
          session_(dialect.session(config, seed)),
          timer_(client.loop()),
          connection_(std::make_unique<WsConnection>(client.loop(), client.trust(), dialect.url(config),
                                                     dialect.headers(seed), client.options().connect_max,
                                                     static_cast<WsListener&>(*this))) {
        std::vector<WsMessage> out;
        session_->open(out);
        send(out);  // Waits behind the handshake.
    }

    void push(std::span<const std::uint8_t> mulaw) override {
        if (over_ || finished_ || pushed_ + mulaw.size() > utterance_audio_max) {
            return;
        }
        pushed_ += mulaw.size();
        std::vector<WsMessage> out;
        session_->audio(mulaw, out);
        send(out);
    }

    void finish() override {
        if (over_ || finished_) {
            return;
        }
        finished_ = true;
        if (pushed_ < utterance_audio_min) {
            timer_.arm(Clock::now(), [this] { done(""); });
            return;
        }
        std::vector<WsMessage> out;
        session_->finish(out);
        send(out);
        timer_.arm(Clock::now() + stt_answer_max, [this] {
            // What was understood so far is worth more to the caller than an apology.
            if (const std::string best = session_->best(); !best.empty()) {
                done(best);
            } else {
                fail(make_error(place_, ProviderErrorClass::timeout, "no text in time"));
            }
        });
    }

private:
    void on_open() override {}

    void on_text(std::string_view text) override {
        const WsSttOutput out = session_->on_text(text);
        if (out.error) {
            fail(*out.error);
            return;
        }
        if (out.done && finished_) {
            done(session_->best());
            return;
        }
        const auto listener = listener_;  // The callback may destroy us.
        if (out.partial && listener->on_partial) {
            listener->on_partial(*out.partial);
        }
    }

    void on_binary(std::string_view) override {}
    void on_close(std::uint16_t code, std::string_view reason) override { fail(close_error(place_, code, reason)); }
    void on_refused(const HttpHead& head, std::string_view body) override { fail(http_error(place_, head, body)); }
    void on_failure(const TransportFailure& failure) override { fail(transport_error(place_, failure)); }

    void send(const std::vector<WsMessage>& messages) {
        for (const WsMessage& message : messages) {
            if (message.binary) {
                connection_->send_binary(message.payload);
            } else {
                connection_->send_text(message.payload);
            }
        }
    }

    void done(const std::string& text) {
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
        over_ = true;
        timer_.disarm();
        connection_.reset();
    }

    ProviderPlace place_;
    std::shared_ptr<const SttListener> listener_;  // Shared with the callback that is running.
    std::unique_ptr<WsSttSession> session_;
    OperationTimer timer_;
    std::size_t pushed_ = 0;
    bool finished_ = false;
    bool over_ = false;
    std::unique_ptr<WsConnection> connection_;  // Last: gone first.
};

}  // namespace

WsStt::WsStt(HttpClient& client, std::unique_ptr<WsSttDialect> dialect, ProviderNotice notice)
    : client_(client),
      dialect_(std::move(dialect)),
      warm_up_(client, dialect_->place(), dialect_->warm_up(), std::move(notice)) {}

std::unique_ptr<SttUtterance> WsStt::start(const SttConfig& config, SttListener listener) {
    return std::make_unique<WsSttOperation>(client_, *dialect_, config, std::move(listener), make_seed());
}

}  // namespace agentlocator
