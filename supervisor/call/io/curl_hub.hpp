#pragma once
// libcurl's multi interface on our event loop: HTTP requests, and bare connections for WebSockets (CONNECT_ONLY, so
// that TLS, certificates, proxies and name resolution are libcurl's). One thread. Decides nothing.
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "common/io/event_loop.hpp"
#include "common/io/unique_fd.hpp"
#include "supervisor/call/twiml.hpp"

namespace agentlocator::call {

struct HttpAsk {
    std::string url;
    std::string method;  // GET or POST.
    std::string body;
    std::vector<std::string> headers;
};

constexpr std::chrono::milliseconds connect_time_max{10'000};  // Twilio: two tries of 5 s (11205).
constexpr std::chrono::milliseconds request_time_max{15'000};  // Twilio: hard ceiling of a webhook.

class CurlHub;

// A connection that libcurl opened and hands over for reading and writing; closing is destroying.
//
// The descriptor is always a duplicate of our own. libcurl keeps what it opened in a cache that it sweeps when another
// transfer begins, and closes what the peer has closed; its number then belongs to the next webhook request, and we
// would read that one's bytes as the stream's. In clear, libcurl is out of it as soon as the connection is open.
class CurlConnection {
public:
    enum class Io : std::uint8_t { done, again, closed, failed };

    ~CurlConnection();
    CurlConnection(const CurlConnection&) = delete;
    CurlConnection& operator=(const CurlConnection&) = delete;

    [[nodiscard]] int fd() const { return fd_.get(); }
    // As many bytes as there are, into `out` (cleared first).
    [[nodiscard]] Io read(std::string& out);
    // Sent bytes are removed from the front.
    [[nodiscard]] Io write(std::string& bytes);
    [[nodiscard]] const std::string& failure() const { return failure_; }

private:
    friend class CurlHub;
    CurlConnection(CurlHub& hub, void* tls_easy, UniqueFd fd) : hub_(hub), tls_easy_(tls_easy), fd_(std::move(fd)) {}

    CurlHub& hub_;
    void* tls_easy_;  // Null in clear.
    UniqueFd fd_;
    std::string failure_;
};

class CurlHub {
public:
    // `ca_path` empty: the system's certificates. Throws std::runtime_error when libcurl cannot start.
    CurlHub(EventLoop& loop, std::string ca_path);
    ~CurlHub();
    CurlHub(const CurlHub&) = delete;
    CurlHub& operator=(const CurlHub&) = delete;

    // The callback runs from the event loop, exactly once, unless the hub dies first.
    void request(const HttpAsk& ask, std::function<void(HttpAnswer)> done);
    // `url` is http(s)://host:port. On failure the connection is null and the rule and reason say why.
    using Connected = std::function<void(std::unique_ptr<CurlConnection>, Rule, std::string)>;
    void connect(const std::string& url, Connected done);

private:
    friend class CurlConnection;
    struct Transfer;
    struct Watched;

    static int on_socket(void* easy, int fd, int what, void* self, void* unused);
    static int on_timer(void* multi, long timeout_ms, void* self);
    void watch(int fd, int what);
    void act(int fd, int events);
    void collect();
    void set_common(void* easy, const std::string& url);
    void finish(Transfer& transfer, int code);

    EventLoop& loop_;
    std::string ca_path_;
    void* multi_;
    EventLoop::TimerId timer_ = 0;
    std::map<int, std::unique_ptr<Watched>> watched_;
    std::unordered_map<void*, std::unique_ptr<Transfer>> transfers_;  // By easy handle.
};

}  // namespace agentlocator::call
