#include "worker/providers/io/ws_connection.hpp"

#include <sys/random.h>

#include "common/ensure.hpp"
#include "worker/providers/io/http_client.hpp"
#include "worker/ws_codec.hpp"

namespace agentlocator {
namespace {

std::string random_bytes(std::size_t count) {
    std::string bytes(count, '\0');
    ENSURE(::getrandom(bytes.data(), bytes.size(), 0) == static_cast<ssize_t>(count));
    return bytes;
}

std::uint32_t random_mask() {
    std::uint32_t mask = 0;
    ENSURE(::getrandom(&mask, sizeof mask, 0) == sizeof mask);
    return mask;
}

// libcurl opens http and https; the difference of a WebSocket begins behind the connection.
std::string http_url(std::string_view url) {
    return "http" + std::string(url.substr(std::min<std::size_t>(2, url.size())));
}

}  // namespace

WsConnection::WsConnection(EventLoop& loop, const TrustStore& trust, std::string_view url,
                           const std::vector<HttpHeader>& headers, Duration connect_max, WsListener& listener)
    : loop_(loop),
      listener_(&listener),
      protocol_(url, headers, {random_bytes(16), &random_mask}),
      driver_(loop, [this] { on_connected(); }),
      easy_(curl_easy_init()) {
    ENSURE(easy_ != nullptr);
    trust.apply(easy_);
    curl_easy_setopt(easy_, CURLOPT_URL, http_url(url).c_str());
    curl_easy_setopt(easy_, CURLOPT_PROTOCOLS_STR, "https,http");
    curl_easy_setopt(easy_, CURLOPT_ERRORBUFFER, problem_);
    curl_easy_setopt(easy_, CURLOPT_CONNECT_ONLY, 1L);
    curl_easy_setopt(easy_, CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));  // No h2 in ALPN.
    curl_easy_setopt(easy_, CURLOPT_HTTPPROXYTUNNEL, 1L);
    curl_easy_setopt(easy_, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy_, CURLOPT_QUICK_EXIT, 1L);
    curl_easy_setopt(easy_, CURLOPT_TCP_NODELAY, 1L);
    curl_easy_setopt(easy_, CURLOPT_TCP_KEEPALIVE, 1L);
    curl_easy_setopt(easy_, CURLOPT_CONNECTTIMEOUT_MS,
                     static_cast<long>(std::chrono::ceil<std::chrono::milliseconds>(connect_max).count()));
    // The upgrade has to be answered within the same time again.
    timer_ = loop_.call_at(Clock::now() + 2 * connect_max, [this] {
        timer_ = 0;
        if (!protocol_.is_open() && !over_) {
            over_ = true;
            stop_watching();
            listener_->on_failure({TransportFault::connect_timeout, "no answer to the WebSocket upgrade in time"});
        }
    });
    driver_.add(easy_);
}

WsConnection::~WsConnection() {
    loop_.cancel(timer_);
    if (fd_ >= 0 && !over_ && output_.empty()) {
        protocol_.close(ws_close::normal);
        output_ = protocol_.take_output();
        std::size_t sent = 0;
        static_cast<void>(curl_easy_send(easy_, output_.data(), output_.size(), &sent));
    }
    stop_watching();
    driver_.remove(easy_);
    curl_easy_cleanup(easy_);
}

void WsConnection::stop_watching() {
    if (watching_) {
        watching_ = false;
        loop_.remove(fd_, *this);
    }
}

void WsConnection::on_connected() {
    for (const CurlDriver::Finished& finished : driver_.finished()) {
        if (over_) {
            return;
        }
        curl_socket_t fd = CURL_SOCKET_BAD;
        if (finished.result == CURLE_OK) {
            curl_easy_getinfo(easy_, CURLINFO_ACTIVESOCKET, &fd);
        }
        if (fd == CURL_SOCKET_BAD) {
            over_ = true;
            const TransportFailure failure = curl_failure(finished.result, problem_);
            listener_->on_failure(failure);
            return;  // We may be gone.
        }
        fd_ = fd;
        loop_.add(fd_, EPOLLIN, *this);
        watching_ = true;
        flush();
    }
}

void WsConnection::on_events(std::uint32_t events) {
    const LifeWatch::Scope scope(life_);
    if ((events & EPOLLOUT) != 0) {
        flush();
    }
    if ((events & ~static_cast<std::uint32_t>(EPOLLOUT)) != 0 && !over_) {
        receive();
    }
}

void WsConnection::flush() {
    if (fd_ < 0 || over_) {
        return;
    }
    output_ += protocol_.take_output();
    while (!output_.empty()) {
        std::size_t sent = 0;
        const CURLcode code = curl_easy_send(easy_, output_.data(), output_.size(), &sent);
        output_.erase(0, sent);
        if (code == CURLE_AGAIN || (code == CURLE_OK && sent == 0)) {
            break;
        }
        if (code != CURLE_OK) {
            fail_later(curl_failure(code, problem_));
            return;
        }
    }
    const bool wants_out = !output_.empty();
    if (wants_out != wants_out_) {
        wants_out_ = wants_out;
        loop_.modify(fd_, wants_out ? EPOLLIN | EPOLLOUT : EPOLLIN, *this);
    }
}

void WsConnection::receive() {
    const LifeWatch::Scope scope(life_);
    std::string buffer(16U << 10U, '\0');
    while (true) {  // Until there is nothing: what TLS has decrypted already, epoll would not tell us again.
        std::size_t count = 0;
        const CURLcode code = curl_easy_recv(easy_, buffer.data(), buffer.size(), &count);
        if (code == CURLE_AGAIN) {
            break;
        }
        std::vector<WsEvent> events;
        if (code != CURLE_OK || count == 0) {
            protocol_.feed_end(events);
        } else {
            protocol_.feed({buffer.data(), count}, events);
        }
        dispatch(std::move(events));
        if (scope.gone()) {
            return;
        }
        if (over_) {
            break;
        }
    }
    flush();
}

void WsConnection::dispatch(std::vector<WsEvent> events) {
    const LifeWatch::Scope scope(life_);
    for (const WsEvent& event : events) {
        switch (event.kind) {
            case WsEvent::Kind::opened:
                loop_.cancel(timer_);
                timer_ = 0;
                listener_->on_open();
                break;
            case WsEvent::Kind::text:
                listener_->on_text(event.payload);
                break;
            case WsEvent::Kind::binary:
                listener_->on_binary(event.payload);
                break;
            case WsEvent::Kind::closed:
                flush();  // Answers the close frame.
                over_ = true;
                stop_watching();
                listener_->on_close(event.code, event.payload);
                break;
            case WsEvent::Kind::refused:
                over_ = true;
                stop_watching();
                listener_->on_refused(event.head, event.payload);
                break;
            case WsEvent::Kind::failed:
                flush();
                over_ = true;
                stop_watching();
                listener_->on_failure({TransportFault::protocol, event.payload});
                break;
        }
        if (scope.gone()) {
            return;
        }
        if (over_) {
            return;
        }
    }
}

// Callers of send do not expect to be destroyed by it, nor their listener to be called inside.
void WsConnection::fail_later(TransportFailure failure) {
    over_ = true;
    stop_watching();
    loop_.cancel(timer_);
    timer_ = loop_.call_at(Clock::now(), [this, failure = std::move(failure)] {
        timer_ = 0;
        listener_->on_failure(failure);
    });
}

void WsConnection::send_text(std::string_view text) {
    if (over_) {
        return;
    }
    protocol_.send_text(text);
    flush();
    if (!over_ && output_.size() > unsent_bytes_max) {
        fail_later({TransportFault::broken, "the server does not read what we send"});
    }
}

void WsConnection::send_binary(std::string_view bytes) {
    if (over_) {
        return;
    }
    protocol_.send_binary(bytes);
    flush();
    if (!over_ && output_.size() > unsent_bytes_max) {
        fail_later({TransportFault::broken, "the server does not read what we send"});
    }
}

}  // namespace agentlocator
