#pragma once
// The socket under SpeechClient, on the agent thread's event loop: connects, sends, receives, keeps the deadlines, and
// hands events to whoever started the operation. Nothing blocks. Callbacks never come from inside a call of ours, and
// never after cancel().
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "common/io/event_loop.hpp"
#include "common/io/unique_fd.hpp"
#include "worker/embedded/speech_client.hpp"

namespace agentlocator {

class SpeechLink final : private EventSink {
public:
    // The supervisor keeps the socket open while the helper restarts, so that connecting succeeds and waits; a refused
    // connection means that no helper is run at all, and is tried again at this pace.
    static constexpr Duration reconnect_after = 500ms;

    SpeechLink(EventLoop& loop, std::string socket_path);
    ~SpeechLink();
    SpeechLink(const SpeechLink&) = delete;
    SpeechLink& operator=(const SpeechLink&) = delete;

    void connect();  // Unless connected. Every operation does it by itself.
    [[nodiscard]] SpeechOperationId speak(SpeakRequest request, Duration first_audio_max, TtsListener listener);
    [[nodiscard]] SpeechOperationId listen(ListenRequest request, SttListener listener);
    void audio(SpeechOperationId id, std::span<const std::uint8_t> mulaw);
    void finish(SpeechOperationId id);
    void cancel(SpeechOperationId id);

    // What the helper said it can do; optimistic before it said anything.
    [[nodiscard]] bool speaks(std::string_view language) const;
    [[nodiscard]] bool hears(std::string_view language) const;
    [[nodiscard]] EventLoop& loop() { return loop_; }

private:
    void on_events(std::uint32_t events) override;
    void receive();
    void flush();
    void disconnect(const std::string& reason, bool reconnect_now);
    void pump();  // After anything that may have changed the client.
    void arm_timer();
    void deliver();
    void deliver(const SpeechEvent& event);

    EventLoop& loop_;
    std::string socket_path_;
    SpeechClient client_;
    UniqueFd socket_;
    bool wants_write_ = false;
    bool delivering_ = false;
    EventLoop::TimerId timer_ = 0;
    EventLoop::TimerId reconnect_timer_ = 0;
    // Shared with the call in progress: a listener may cancel its own operation, or destroy the whole call.
    std::map<SpeechOperationId, std::shared_ptr<TtsListener>> speaking_;
    std::map<SpeechOperationId, std::shared_ptr<SttListener>> listening_;
    std::shared_ptr<int> alive_ = std::make_shared<int>();  // Watched by deferred calls: gone, they do nothing.
};

}  // namespace agentlocator
