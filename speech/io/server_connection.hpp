#pragma once
// One worker at the speech helper: its socket, and what it has not taken yet. Frames go to the server as they are
// whole; a worker that does not read pauses its own sentences, and no one else's.
#include <string>
#include <string_view>

#include "speech/io/server.hpp"

namespace agentlocator::speech {

class SpeechServer::Connection final : public EventSink {
public:
    Connection(SpeechServer& server, std::uint64_t id, UniqueFd socket);
    ~Connection() { close(); }
    Connection(const Connection&) = delete;
    Connection& operator=(const Connection&) = delete;

    void close();
    void send(SpeechKind kind, std::uint32_t id, std::string_view payload = {});
    void on_events(std::uint32_t events) override;

    [[nodiscard]] std::uint64_t id() const { return id_; }
    bool greeted = false;  // It said hello.
    bool ready = false;    // We said ready.

private:
    void receive();
    void flush();

    SpeechServer& server_;
    std::uint64_t id_;
    UniqueFd socket_;
    SpeechFrameReader reader_;
    std::string outgoing_;
    bool wants_write_ = false;
    bool paused_ = false;
};

}  // namespace agentlocator::speech
