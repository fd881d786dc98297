#pragma once
// The only proof that our server answers on our port: ask the port for /version and compare the instance id (F-1).
// Runs in the event loop, never blocks, has a deadline.
#include <functional>
#include <memory>
#include <string>

#include "common/http_codec.hpp"
#include "common/io/event_loop.hpp"
#include "common/io/unique_fd.hpp"

namespace agentlocator {

inline constexpr Duration port_proof_timeout = 2s;

class PortProof final : private EventSink {
public:
    struct Verdict {
        bool ours = false;
        std::string detail;  // "/version answered instance 0123..."
    };
    using Done = std::function<void(const Verdict&)>;

    PortProof(EventLoop& loop, std::string address, std::uint16_t port, std::string instance, Done done);
    ~PortProof();
    PortProof(const PortProof&) = delete;
    PortProof& operator=(const PortProof&) = delete;

    // Asks once; a question under way goes on.
    void start();

private:
    void on_events(std::uint32_t events) override;
    void finish(Verdict verdict);
    void finish_with_errno(const char* what, int code);
    void read_answer();
    [[nodiscard]] Verdict judge(const HttpResponse& response) const;

    EventLoop& loop_;
    std::string address_;
    std::uint16_t port_;
    std::string instance_;
    Done done_;
    UniqueFd socket_;
    bool asked_ = false;
    std::unique_ptr<HttpResponseParser> parser_;
    EventLoop::TimerId timer_ = 0;
};

}  // namespace agentlocator
