#pragma once
// The helper's I/O thread: connections of workers, the queue of sentences, the two engines. One event loop; the engines
// work on threads of their own and report through mailboxes. Nothing a peer does costs more than its own connection.
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "common/io/event_loop.hpp"
#include "common/io/unique_fd.hpp"
#include "common/speech_message.hpp"
#include "speech/io/engine_thread.hpp"
#include "speech/io/recogniser_thread.hpp"
#include "speech/sentence_queue.hpp"

namespace agentlocator::speech {

class SpeechServer {
public:
    static constexpr std::size_t connections_max = 256;  // Two generations of 120 workers.
    static constexpr std::size_t outgoing_pause =
        1024 * 1024;  // Two minutes of speech that a peer did not take yet ...
    static constexpr std::size_t outgoing_resume = 256 * 1024;
    static constexpr std::size_t utterances_max = 64;              // 400 MB of decoders; thirty at once use a core.
    static constexpr std::size_t utterance_bytes_max = 35 * 8000;  // A little more than what a worker sends at most.
    static constexpr Duration clause_max = 1500ms;  // A clause takes 2 to 10 ms; an engine at it this long hangs.

    using Log = std::function<void(std::string_view line)>;
    SpeechServer(EventLoop& loop, UniqueFd listener, const VoiceOptions& voice, const RecogniserOptions& recogniser,
                 Log log);
    ~SpeechServer();
    SpeechServer(const SpeechServer&) = delete;
    SpeechServer& operator=(const SpeechServer&) = delete;

    [[nodiscard]] bool has_connections() const { return !connections_.empty(); }
    // The engine has not come back from a clause: whoever watches us should end us.
    [[nodiscard]] bool is_stuck(TimePoint now) const;

private:
    class Connection;
    struct Speaking {
        std::string rest;  // Audio that is no whole frame yet.
    };

    void accept();
    void on_frame(Connection& connection, const SpeechFrame& frame);
    void on_speak(Connection& connection, const SpeechFrame& frame);
    void on_listen(Connection& connection, const SpeechFrame& frame);
    void on_audio(Connection& connection, const SpeechFrame& frame);
    void on_cancel(Connection& connection, std::uint32_t id);
    void drop(Connection& connection);
    void refuse(Connection& connection, std::uint32_t id, SpeechFailure::Kind kind, std::string message,
                std::string remedy = "");

    void on_engine_reports();
    void on_audio_made(EngineReport& report);
    void on_clause_done(const EngineReport& report);
    void on_recogniser_reports();
    void say_ready();  // To whoever said hello, once both engines have reported.
    void schedule();
    void append_audio(Connection& connection, std::uint32_t id, std::string_view mulaw, bool last);
    [[nodiscard]] Connection* find(std::uint64_t id);

    EventLoop& loop_;
    Log log_;
    UniqueFd listener_;
    FunctionSink accept_sink_;
    std::map<std::uint64_t, std::unique_ptr<Connection>> connections_;
    std::vector<std::unique_ptr<Connection>> dropped_;  // Destroyed after the batch of events that ended them.
    std::uint64_t next_connection_ = 1;

    std::optional<bool> speaks_;  // Nothing: not reported yet.
    std::optional<bool> hears_;
    SpeechAbilities abilities_;

    SentenceQueue queue_;
    std::map<SentenceKey, Speaking> speaking_;
    std::optional<TimePoint> clause_since_;
    Duration clause_audio_{};
    std::map<SentenceKey, std::size_t> utterances_;  // With the bytes of audio that came.

    Mailbox<EngineReport> engine_reports_;
    Mailbox<RecogniserReport> recogniser_reports_;
    FunctionSink engine_sink_;
    FunctionSink recogniser_sink_;
    EngineThread engine_;
    RecogniserThread recogniser_;
};

}  // namespace agentlocator::speech
