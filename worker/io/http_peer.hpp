#pragma once
// One HTTP connection: bytes in, requests out, responses back. Decides nothing; the deadlines are the server's sweep.
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "common/http_codec.hpp"
#include "common/io/event_loop.hpp"
#include "common/io/unique_fd.hpp"
#include "common/time.hpp"
#include "worker/web_context.hpp"

namespace agentlocator {

class HttpPeer;

// What all HTTP connections of one worker share.
struct HttpShell {
    EventLoop& loop;
    const Settings& settings;
    std::span<char> buffer;  // For one recv; a connection needs it only within one call.
    std::function<RouteResult(const HttpRequest&, HttpPeer&)> on_request;
    // The connection becomes a media stream: head of the 101, and bytes that came behind the request.
    std::function<void(UniqueFd, const AcceptStream&, std::span<const char>)> on_stream;
    std::function<void(HttpPeer&)> on_done;  // The connection is over; destroy the peer (deferred).
    std::function<void()> on_refused;        // A request that was none (P8).
};

class HttpPeer final : private EventSink {
public:
    HttpPeer(const HttpShell& shell, UniqueFd socket, std::string remote_address, TimePoint now);
    ~HttpPeer();

    void start();  // Registers, and reads at once: the request is usually there already.
    void close();
    [[nodiscard]] const std::string& remote_address() const { return remote_address_; }
    [[nodiscard]] TimePoint deadline() const { return deadline_; }
    // Nothing of a request has come yet: first to go when connections run out.
    [[nodiscard]] bool idle() const { return !held_ && out_.empty() && (!parser_ || parser_->idle()); }
    [[nodiscard]] bool done() const { return done_; }
    // Answers what is being asked, and the first request of a connection that has made none yet, then closes.
    void drain();
    // The answer to the request whose route gave AnswerLater. Nothing is read meanwhile.
    void complete(HttpResponse response);

private:
    void on_events(std::uint32_t events) override;
    void receive();
    void take(std::string_view bytes);
    void answer(const HttpRequest& request, std::string_view behind);
    void send(HttpResponse response, const HttpRequest& request);
    void fail(unsigned status);
    void flush();
    void finish();
    [[nodiscard]] bool request_waits() const;

    const HttpShell& shell_;
    UniqueFd socket_;
    std::string remote_address_;
    std::unique_ptr<HttpRequestParser> parser_;  // Made by the first byte: idle connections stay small.
    std::string pipelined_;  // Bytes of the next request, kept while the answer to this one is being sent.
    std::string out_;
    std::optional<HttpRequest> held_;  // What complete() will answer; without body.
    std::uint32_t watched_ = 0;
    TimePoint deadline_;
    bool fresh_ = true;  // No request has been answered yet.
    bool close_after_ = false;
    bool draining_ = false;
    bool lingering_ = false;  // Our side is shut; what still comes is read away.
    bool done_ = false;
};

}  // namespace agentlocator
