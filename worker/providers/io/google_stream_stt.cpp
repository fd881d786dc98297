#include "worker/providers/io/google_stream_stt.hpp"

#include "common/text.hpp"
#include "worker/providers/google_stream.hpp"
#include "worker/providers/io/operation_timer.hpp"
#include "worker/providers/provider_limits.hpp"

namespace agentlocator {
namespace {

HttpCall stream_call(const GoogleServer& server) {
    HttpCall call;
    call.url = server.stt_url + (server.v2 ? "/google.cloud.speech.v2.Speech/StreamingRecognize"
                                           : "/google.cloud.speech.v1.Speech/StreamingRecognize");
    call.headers = {{"content-type", "application/grpc"}, {"te", "trailers"}, server.stt_authorization()};
    if (server.v2) {
        call.headers.push_back({"x-goog-request-params", "recognizer=" + url_encode(server.recognizer())});
    }
    return call;
}

class StreamOperation final : public SttUtterance, private HttpListener {
public:
    StreamOperation(HttpClient& client, const GoogleServer& server, const ProviderPlace& place, const SttConfig& config,
                    SttListener listener)
        : server_(server),
          place_(place),
          listener_(std::make_shared<const SttListener>(std::move(listener))),
          timer_(client.loop()),
          transfer_(client.start(stream_call(server), *this, document_bytes_max, HttpClient::Upload::streaming)) {
        transfer_->send(grpc_frame(google_stream_config(server, config)));
    }

    void push(std::span<const std::uint8_t> mulaw) override {
        if (over_ || finished_ || pushed_ + mulaw.size() > utterance_audio_max) {
            return;
        }
        pushed_ += mulaw.size();
        while (!mulaw.empty()) {
            const auto piece = mulaw.first(std::min(mulaw.size(), google_audio_max));
            transfer_->send(grpc_frame(google_stream_audio(server_, piece)));
            mulaw = mulaw.subspan(piece.size());
        }
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
        transfer_->end();
        timer_.arm(Clock::now() + stt_answer_max, [this] {
            if (const std::string text = best(); !text.empty()) {
                done(text);
            } else {
                fail(make_error(place_, ProviderErrorClass::timeout, "no text in time"));
            }
        });
    }

private:
    void on_head(const HttpHead& head) override {
        head_ = head;
        if (!head.header("grpc-status").empty()) {  // "Trailers only": refused before anything was recognised.
            status_ = head;
        }
    }

    void on_body(std::string_view bytes) override {
        if (head_.status != 200) {
            document_ += bytes.substr(0, error_body_bytes_max - std::min(document_.size(), error_body_bytes_max));
            return;
        }
        std::vector<std::string> messages;
        if (!reader_.feed(bytes, messages)) {
            fail(make_error(place_, ProviderErrorClass::protocol, "a gRPC message we cannot read"));
            return;
        }
        bool news = false;
        for (const std::string& message : messages) {
            const auto answer = read_google_stream(message, server_.v2);
            if (!answer) {
                fail(make_error(place_, ProviderErrorClass::protocol, "a message that is not as the proto says"));
                return;
            }
            if (answer->error) {
                fail(make_error(place_, ProviderErrorClass::server, *answer->error));
                return;
            }
            news = take(*answer) || news;
        }
        const auto listener = listener_;  // The callback may destroy us.
        if (news && listener->on_partial) {
            listener->on_partial(best());
        }
    }

    void on_end(const HttpHead& trailers) override {
        if (head_.status != 200) {  // A proxy or a balancer, not gRPC.
            fail(http_error(place_, head_, document_));
            return;
        }
        if (!trailers.header("grpc-status").empty()) {
            status_ = trailers;
        }
        const auto status = parse_integer(status_.header("grpc-status"));
        if (!status) {
            fail(make_error(place_, ProviderErrorClass::protocol, "the stream ended without a status"));
        } else if (*status != 0) {
            fail(grpc_error(place_, static_cast<int>(*status), status_.header("grpc-message")));
        } else if (!finished_) {
            fail(make_error(place_, ProviderErrorClass::lifetime, "the stream ended early"));
        } else {
            done(best());
        }
    }

    void on_failure(const TransportFailure& failure) override {
        // A refusal ends the stream while we still upload, which libcurl calls a broken one: the status says why.
        const auto status = parse_integer(status_.header("grpc-status"));
        fail(status && *status != 0 ? grpc_error(place_, static_cast<int>(*status), status_.header("grpc-message"))
                                    : transport_error(place_, failure));
    }

    // Interim results replace each other, final ones stay.
    bool take(const GoogleStreamAnswer& answer) {
        if (answer.results.empty()) {
            return false;
        }
        interim_.clear();
        for (const GoogleStreamResult& result : answer.results) {
            (result.is_final ? finals_ : interim_) += result.transcript;
        }
        return true;
    }

    [[nodiscard]] std::string best() const { return std::string(trim(finals_ + interim_)); }

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
        transfer_.reset();
        timer_.disarm();
    }

    const GoogleServer& server_;
    ProviderPlace place_;
    std::shared_ptr<const SttListener> listener_;  // Shared with the callback that is running.
    OperationTimer timer_;
    GrpcReader reader_;
    HttpHead head_;
    HttpHead status_;
    std::string document_;
    std::string finals_;
    std::string interim_;
    std::size_t pushed_ = 0;
    bool finished_ = false;
    bool over_ = false;
    std::unique_ptr<HttpTransfer> transfer_;  // Last: gone first.
};

}  // namespace

GoogleStreamStt::GoogleStreamStt(HttpClient& client, GoogleServer server, ProviderNotice notice)
    : client_(client),
      server_(std::move(server)),
      place_{"google", "transcribe", "GOOGLE_APPLICATION_CREDENTIALS", "GOOGLE_STT_MODEL", "GOOGLE_STT_ENDPOINT"},
      warm_up_(client, place_, GoogleRecognition(server_).warm_up(), std::move(notice)) {}

std::unique_ptr<SttUtterance> GoogleStreamStt::start(const SttConfig& config, SttListener listener) {
    return std::make_unique<StreamOperation>(client_, server_, place_, config, std::move(listener));
}

}  // namespace agentlocator
