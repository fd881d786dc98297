#pragma once
// HTTPS for the agent thread: one libcurl multi handle, so that calls share connections (HTTP/2 streams, or a pool).
// Nothing blocks: names are resolved on libcurl's own thread, and giving up while that runs does not wait for it.
//
// Events come from the event loop, never from inside start(). Destroying a transfer aborts it: an HTTP/2 stream is
// reset at once and its connection stays, an HTTP/1.1 connection is closed. There are no retries here except libcurl's
// own of a pooled connection that turned out dead before anything was answered.
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "worker/providers/http_call.hpp"
#include "worker/providers/io/curl_driver.hpp"
#include "worker/providers/io/trust_store.hpp"

namespace agentlocator {

class HttpListener {
public:
    virtual void on_head(const HttpHead& head) = 0;
    virtual void on_body(std::string_view bytes) = 0;
    virtual void on_end(const HttpHead& trailers) = 0;             // Terminal: the answer is complete.
    virtual void on_failure(const TransportFailure& failure) = 0;  // Terminal.

protected:
    HttpListener() = default;
    HttpListener(const HttpListener&) = default;
    HttpListener& operator=(const HttpListener&) = default;
    ~HttpListener() = default;
};

class HttpClient;
struct HttpExchange;

// A running request. Must not outlive the client.
class HttpTransfer {
public:
    HttpTransfer(HttpClient& client, std::uint64_t id) : client_(client), id_(id) {}
    ~HttpTransfer();
    HttpTransfer(const HttpTransfer&) = delete;
    HttpTransfer& operator=(const HttpTransfer&) = delete;

    // Only for a streaming upload: more of the request's body, and its end.
    void send(std::string_view bytes);
    void end();
    [[nodiscard]] std::size_t unsent() const;

private:
    HttpClient& client_;
    std::uint64_t id_;
    friend class HttpClient;
};

struct HttpClientOptions {
    Duration connect_max = std::chrono::seconds(2);
};

class HttpClient {
public:
    HttpClient(EventLoop& loop, const TrustStore& trust, HttpClientOptions options = {});
    ~HttpClient();
    HttpClient(const HttpClient&) = delete;
    HttpClient& operator=(const HttpClient&) = delete;

    enum class Upload : std::uint8_t { whole, streaming };  // Streaming: the body grows (gRPC); HTTP/2 only.
    // The listener must live until its terminal event or until the transfer is destroyed.
    [[nodiscard]] std::unique_ptr<HttpTransfer> start(HttpCall call, HttpListener& listener,
                                                      std::size_t answer_bytes_max, Upload upload = Upload::whole);

    // The answer is complete for us, but its last bytes are still to come: let them, so that the connection can be used
    // again. Nothing is reported any more.
    void drain(std::unique_ptr<HttpTransfer> transfer);

    // When something was last heard from there; a connection is likely still open for a while.
    [[nodiscard]] bool is_warm(std::string_view url) const;

    [[nodiscard]] EventLoop& loop() const { return loop_; }
    [[nodiscard]] const TrustStore& trust() const { return trust_; }
    [[nodiscard]] const HttpClientOptions& options() const { return options_; }
    // How many connections were opened so far (bench, tests).
    [[nodiscard]] std::uint64_t connections_opened() const { return connections_opened_; }

private:
    friend class HttpTransfer;
    void abort(std::uint64_t id);
    void deliver();
    void deliver(std::uint64_t id);
    void retire(std::uint64_t id);
    void push_reset(const std::string& origin);
    [[nodiscard]] bool leaves_reset(const HttpExchange& exchange) const;
    [[nodiscard]] HttpExchange* find(std::uint64_t id);
    [[nodiscard]] HttpExchange* find_listened(std::uint64_t id);

    struct Origin {
        std::optional<TimePoint> heard;  // When something last came from there.
        bool http2 = false;              // What it spoke then.
        std::uint64_t push = 0;          // Its last push_reset().
    };
    [[nodiscard]] Origin& origin_at(const std::string& url);
    void note_heard(const HttpExchange& exchange);
    [[nodiscard]] HttpExchange& add(HttpCall call, HttpListener* listener, std::size_t answer_bytes_max, Upload upload);
    void arm_drain(HttpExchange& exchange);

    EventLoop& loop_;
    const TrustStore& trust_;
    HttpClientOptions options_;
    CurlDriver driver_;
    std::map<std::uint64_t, std::unique_ptr<HttpExchange>> exchanges_;
    std::vector<std::uint64_t> ready_;  // Something to deliver.
    std::map<std::string, Origin, std::less<>> origins_;
    std::uint64_t next_id_ = 1;
    std::uint64_t connections_opened_ = 0;
};

}  // namespace agentlocator
