#pragma once
// A worker's side of the conversation with the speech helper: operations in, bytes and events out. Pure; the shell
// (io/speech_link) owns the socket and the clock.
//
// One connection carries every call of the worker. When it breaks (the helper crashed, or was restarted), operations of
// which nothing was delivered yet are asked again on the next connection, once: the crash of an engine costs the one
// sentence that was being spoken. A text that kills the engine must not be asked for ever, hence "once".
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/speech_message.hpp"
#include "common/time.hpp"
#include "worker/agent/provider.hpp"

namespace agentlocator {

using SpeechOperationId = std::uint32_t;

struct SpeechEvent {
    enum class Kind : std::uint8_t { audio, spoken, partial, heard, failed } kind{};
    SpeechOperationId id = 0;
    std::string bytes;    // Audio or text.
    ProviderError error;  // failed
};

class SpeechClient {
public:
    // A first clause takes the engine 5 ms; a second covers its restart (README of the helper: 20 ms) many times over.
    static constexpr Duration first_audio_usual = 1s;
    static constexpr Duration audio_idle_max = 2s;  // Between two pieces of one sentence.
    static constexpr Duration result_max = 2s;      // From the end of an utterance to its text; usually 1 ms.
    static constexpr std::size_t utterance_bytes_max = 30 * 8000;  // 30 s: twice the longest utterance a call sends.
    static constexpr std::size_t outgoing_max = 4 * 1024 * 1024;   // A helper that reads nothing is not alive.

    [[nodiscard]] SpeechOperationId speak(TimePoint now, SpeakRequest request, Duration first_audio_max);
    [[nodiscard]] SpeechOperationId listen(ListenRequest request);
    void audio(SpeechOperationId id, std::span<const std::uint8_t> mulaw);
    void finish(TimePoint now, SpeechOperationId id);
    void cancel(SpeechOperationId id);

    void on_connected();
    // Nobody is there (no helper is run): whoever waits is told at once.
    void on_unreachable(const std::string& reason);
    // An error: the peer broke the protocol; close the connection and report on_disconnected.
    [[nodiscard]] Result<void> on_bytes(TimePoint now, std::span<const std::uint8_t> bytes);
    void on_disconnected(const std::string& reason);
    void on_deadline(TimePoint now);

    [[nodiscard]] std::optional<TimePoint> deadline() const;
    // Sent bytes are erased by the shell. Larger than outgoing_max: give up the connection.
    [[nodiscard]] std::string& outgoing() { return outgoing_; }
    [[nodiscard]] std::vector<SpeechEvent> take_events() { return std::exchange(events_, {}); }
    [[nodiscard]] bool has_events() const { return !events_.empty(); }
    [[nodiscard]] bool is_ready() const { return ready_; }
    [[nodiscard]] bool is_idle() const { return operations_.empty(); }
    // What the helper can do; nothing before it said so. Kept over a lost connection.
    [[nodiscard]] const std::optional<SpeechAbilities>& abilities() const { return abilities_; }

private:
    struct Operation {
        bool listens = false;
        std::string request;  // Payload of its first frame.
        std::string audio;    // Kept whole, to be sent again.
        bool finished = false;
        bool sent = false;
        bool asked_again = false;
        bool delivered = false;  // Some output has left us.
        std::optional<TimePoint> deadline;
    };
    using Operations = std::map<SpeechOperationId, Operation>;

    void send(SpeechOperationId id, Operation& operation);
    [[nodiscard]] Result<void> take(TimePoint now, const SpeechFrame& frame);
    void take_output(TimePoint now, const SpeechFrame& frame, Operations::iterator at);
    void end(Operations::iterator at, SpeechEvent::Kind kind, std::string_view text);
    void fail(Operations::iterator at, ProviderErrorClass error_class, std::string message, std::string remedy);

    bool ready_ = false;
    SpeechFrameReader reader_;
    std::string outgoing_;
    Operations operations_;
    std::vector<SpeechEvent> events_;
    std::optional<SpeechAbilities> abilities_;
    SpeechOperationId next_id_ = 1;
};

}  // namespace agentlocator
