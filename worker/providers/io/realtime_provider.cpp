#include "worker/providers/io/realtime_provider.hpp"

#include "worker/providers/io/operation_timer.hpp"
#include "worker/providers/io/ws_connection.hpp"
#include "worker/providers/life_watch.hpp"

namespace agentlocator {
namespace {

constexpr Duration ready_max = std::chrono::seconds(5);    // From the start to session.updated.
constexpr Duration answer_max = std::chrono::seconds(10);  // Nothing at all while we expect to hear something.

std::span<const std::uint8_t> bytes_of(std::string_view text) {
    return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

class Session final : public RealtimeSession, private WsListener {
public:
    Session(HttpClient& client, const RealtimeServer& server, const RealtimeConfig& config, RealtimeListener listener)
        : listener_(std::make_shared<const RealtimeListener>(std::move(listener))),
          protocol_(server, config),
          timer_(client.loop()),
          connection_(std::make_unique<WsConnection>(client.loop(), client.trust(), server.socket_url(),
                                                     server.headers(), client.options().connect_max,
                                                     static_cast<WsListener&>(*this))) {
        connection_->send_text(protocol_.configuration());  // Waits behind the handshake.
        timer_.arm(Clock::now() + ready_max, [this] { timed_out("the session did not become ready in time"); });
    }

    void push(std::span<const std::uint8_t> mulaw) override {
        std::vector<std::string> messages;
        protocol_.push(mulaw, messages);
        send(messages);
    }
    void end_of_turn(std::uint32_t turn) override {
        perform([&](auto& messages) { protocol_.end_of_turn(turn, messages); });
    }
    void drop_turn() override {
        perform([&](auto& messages) { protocol_.drop_turn(messages); });
    }
    void hear(std::string_view text) override {
        perform([&](auto& messages) { protocol_.hear(text, messages); });
    }
    void say(std::string_view text) override {
        perform([&](auto& messages) { protocol_.say(text, messages); });
    }
    void note(std::string_view text) override {
        perform([&](auto& messages) { protocol_.note(text, messages); });
    }
    void tool_result(std::string_view id, std::string_view json) override {
        perform([&](auto& messages) { protocol_.tool_result(id, json, messages); });
    }
    void go_on(std::string_view instructions) override {
        perform([&](auto& messages) { protocol_.go_on(instructions, messages); });
    }
    void cancel() override {
        perform([&](auto& messages) { protocol_.cancel(messages); });
    }
    void interrupted(std::string_view item, Duration heard) override {
        perform([&](auto& messages) { protocol_.interrupted(item, heard, messages); });
    }

private:
    void on_open() override {}
    void on_binary(std::string_view) override {}

    void on_text(std::string_view text) override {
        std::vector<RealtimeEvent> events;
        std::vector<std::string> messages;
        protocol_.on_text(text, events, messages);
        send(messages);
        watch();
        const LifeWatch::Scope scope(life_);
        for (const RealtimeEvent& event : events) {
            tell(event);
            if (scope.gone() || connection_ == nullptr) {
                return;
            }
        }
    }

    void on_close(std::uint16_t code, std::string_view reason) override {
        fail(close_error(RealtimeProtocol::place(), code, reason));
    }
    void on_refused(const HttpHead& head, std::string_view body) override {
        fail(http_error(RealtimeProtocol::place(), head, body));
    }
    void on_failure(const TransportFailure& failure) override {
        fail(transport_error(RealtimeProtocol::place(), failure));
    }

    void tell(const RealtimeEvent& event) {
        using Kind = RealtimeEvent::Kind;
        const auto listener = listener_;  // A callback may destroy us.
        switch (event.kind) {
            case Kind::ready:
                call(listener->on_ready, event.expires_at);
                break;
            case Kind::audio:
                had_output_ = true;
                call(listener->on_audio, std::string_view(event.item), bytes_of(event.text));
                break;
            case Kind::audio_done:
                call(listener->on_audio_done, std::string_view(event.item));
                break;
            case Kind::user_started:
                call(listener->on_user_speech_started);
                break;
            case Kind::user_text:
                call(listener->on_user_text, event.turn, std::string_view(event.text));
                break;
            case Kind::agent_text:
                call(listener->on_agent_text, std::string_view(event.item), std::string_view(event.text), event.final);
                break;
            case Kind::tool_call:
                call(listener->on_tool_call, event.tool);
                break;
            case Kind::turn_done:
                call(listener->on_turn_done);
                break;
            case Kind::error:
                fail(*event.error);
                break;
        }
    }

    template <class Function, class... Arguments>
    static void call(const Function& function, const Arguments&... arguments) {
        if (function) {
            function(arguments...);
        }
    }

    template <class Act>
    void perform(const Act& act) {
        std::vector<std::string> messages;
        act(messages);
        send(messages);
        watch();
    }

    void send(const std::vector<std::string>& messages) {
        for (const std::string& message : messages) {
            if (connection_ != nullptr) {
                connection_->send_text(message);
            }
        }
    }

    // A server that goes silent in the middle of an answer is as dead as one that closes.
    void watch() {
        if (protocol_.expects_audio()) {
            timer_.arm(Clock::now() + answer_max, [this] { timed_out("nothing was heard from the session"); });
        } else if (protocol_.is_ready()) {
            timer_.disarm();
        }
    }

    void timed_out(std::string_view why) {
        fail(make_error(RealtimeProtocol::place(), ProviderErrorClass::timeout, why));
    }

    void fail(ProviderError error) {
        error.after_output = had_output_;
        connection_.reset();
        timer_.disarm();
        const auto listener = listener_;
        call(listener->on_error, error);
    }

    std::shared_ptr<const RealtimeListener> listener_;  // Shared with the callback that is running.
    RealtimeProtocol protocol_;
    OperationTimer timer_;
    bool had_output_ = false;
    LifeWatch life_;
    std::unique_ptr<WsConnection> connection_;  // Last: gone first.
};

}  // namespace

std::unique_ptr<RealtimeSession> OpenAiRealtime::start(const RealtimeConfig& config, RealtimeListener listener) {
    return std::make_unique<Session>(client_, server_, config, std::move(listener));
}

}  // namespace agentlocator
