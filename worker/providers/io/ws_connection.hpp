#pragma once
// A WebSocket to a service, on the agent thread's loop. libcurl opens the connection (names, proxies, TLS, SNI and the
// check of the host name), WsClient speaks the protocol over it. One multi handle of its own: in a shared one libcurl
// closes connections it believes idle, and it knows nothing of what passes here.
//
// Events come from the loop. Destroying it closes: politely with 1000 if that can be said at once, else just so.
#include <memory>
#include <string>
#include <string_view>

#include "worker/providers/io/curl_driver.hpp"
#include "worker/providers/io/trust_store.hpp"
#include "worker/providers/life_watch.hpp"
#include "worker/providers/ws_client.hpp"

namespace agentlocator {

class WsListener {
public:
    virtual void on_open() = 0;
    virtual void on_text(std::string_view text) = 0;
    virtual void on_binary(std::string_view bytes) = 0;
    // Terminal, exactly one of:
    virtual void on_close(std::uint16_t code, std::string_view reason) = 0;
    virtual void on_refused(const HttpHead& head, std::string_view body) = 0;
    virtual void on_failure(const TransportFailure& failure) = 0;

protected:
    WsListener() = default;
    WsListener(const WsListener&) = default;
    WsListener& operator=(const WsListener&) = default;
    ~WsListener() = default;
};

class WsConnection final : private EventSink {
public:
    // Most bytes that wait for a slow server: half a minute of audio. More fails the connection.
    static constexpr std::size_t unsent_bytes_max = 512U << 10U;

    // `url`: ws:// or wss://.
    WsConnection(EventLoop& loop, const TrustStore& trust, std::string_view url, const std::vector<HttpHeader>& headers,
                 Duration connect_max, WsListener& listener);
    ~WsConnection();
    WsConnection(const WsConnection&) = delete;
    WsConnection& operator=(const WsConnection&) = delete;

    void send_text(std::string_view text);
    void send_binary(std::string_view bytes);
    [[nodiscard]] bool is_open() const { return protocol_.is_open(); }
    // A warm connection is handed from whoever opened it to whoever uses it.
    void set_listener(WsListener& listener) { listener_ = &listener; }

private:
    void on_connected();
    void on_events(std::uint32_t events) override;
    void flush();
    void receive();
    void dispatch(std::vector<WsEvent> events);
    void fail_later(TransportFailure failure);
    void stop_watching();

    EventLoop& loop_;
    WsListener* listener_;
    WsClient protocol_;
    CurlDriver driver_;
    CURL* easy_;
    char problem_[CURL_ERROR_SIZE] = "";
    int fd_ = -1;
    bool watching_ = false;
    bool wants_out_ = false;
    bool over_ = false;
    std::string output_;
    EventLoop::TimerId timer_ = 0;
    LifeWatch life_;
};

}  // namespace agentlocator
