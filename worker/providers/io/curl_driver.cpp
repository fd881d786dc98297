#include "worker/providers/io/curl_driver.hpp"

#include <stdexcept>
#include <string>

#include "common/ensure.hpp"

namespace agentlocator {

class CurlDriver::Socket final : public EventSink {
public:
    Socket(CurlDriver& driver, int fd) : driver_(driver), fd_(fd) {}
    void on_events(std::uint32_t events) override {
        int mask = 0;
        mask |= (events & EPOLLIN) != 0 ? CURL_CSELECT_IN : 0;
        mask |= (events & EPOLLOUT) != 0 ? CURL_CSELECT_OUT : 0;
        mask |= (events & (EPOLLERR | EPOLLHUP)) != 0 ? CURL_CSELECT_ERR : 0;
        driver_.act(fd_, mask);
    }

private:
    CurlDriver& driver_;
    int fd_;
};

CurlDriver::CurlDriver(EventLoop& loop, std::function<void()> after_action)
    : loop_(loop),
      after_action_(std::move(after_action)),
      multi_(curl_multi_init()),
      alive_(std::make_shared<CurlDriver*>(this)) {
    if (multi_ == nullptr) {
        throw std::runtime_error("libcurl could not be started");
    }
    curl_multi_setopt(multi_.get(), CURLMOPT_SOCKETFUNCTION, &CurlDriver::on_socket);
    curl_multi_setopt(multi_.get(), CURLMOPT_SOCKETDATA, this);
    curl_multi_setopt(multi_.get(), CURLMOPT_TIMERFUNCTION, &CurlDriver::on_timer);
    curl_multi_setopt(multi_.get(), CURLMOPT_TIMERDATA, this);
}

CurlDriver::~CurlDriver() {
    *alive_ = nullptr;
    multi_.reset();  // Closes pooled connections, and reports their sockets while we are whole.
    loop_.cancel(timer_);
    for (auto& [fd, socket] : sockets_) {
        loop_.remove(fd, *socket);
    }
    // We may be inside the event of one of them: the loop forgets them first.
    auto dying = std::make_shared<decltype(sockets_)>(std::move(sockets_));
    if (!dying->empty()) {
        loop_.defer([dying] { dying->clear(); });
    }
}

void CurlDriver::add(CURL* easy) {
    ENSURE(curl_multi_add_handle(multi_.get(), easy) == CURLM_OK);
}

void CurlDriver::remove(CURL* easy) {
    curl_multi_remove_handle(multi_.get(), easy);
}

std::vector<CurlDriver::Finished> CurlDriver::finished() {
    std::vector<Finished> all;
    int left = 0;
    while (const CURLMsg* message = curl_multi_info_read(multi_.get(), &left)) {
        if (message->msg == CURLMSG_DONE) {
            all.push_back({message->easy_handle, message->data.result});
        }
    }
    return all;
}

int CurlDriver::on_socket(CURL*, curl_socket_t fd, int what, void* self, void*) {
    static_cast<CurlDriver*>(self)->watch(fd, what);
    return 0;
}

int CurlDriver::on_timer(CURLM*, long milliseconds, void* self) {
    static_cast<CurlDriver*>(self)->arm(milliseconds);
    return 0;
}

void CurlDriver::watch(int fd, int what) {
    const auto found = sockets_.find(fd);
    if (what == CURL_POLL_REMOVE) {
        if (found != sockets_.end()) {
            loop_.remove(fd, *found->second);
            // Perhaps we are inside its event.
            loop_.defer([dying = std::shared_ptr<Socket>(std::move(found->second))] {});
            sockets_.erase(found);
        }
        return;
    }
    std::uint32_t events = 0;
    events |= (what & CURL_POLL_IN) != 0 ? static_cast<std::uint32_t>(EPOLLIN) : 0U;
    events |= (what & CURL_POLL_OUT) != 0 ? static_cast<std::uint32_t>(EPOLLOUT) : 0U;
    if (found != sockets_.end()) {
        loop_.modify(fd, events, *found->second);
        return;
    }
    auto socket = std::make_unique<Socket>(*this, fd);
    loop_.add(fd, events, *socket);
    sockets_.emplace(fd, std::move(socket));
}

void CurlDriver::arm(long milliseconds) {
    loop_.cancel(timer_);
    timer_ = 0;
    if (milliseconds >= 0) {
        timer_ = loop_.call_at(Clock::now() + std::chrono::milliseconds(milliseconds), [this, alive = alive_] {
            if (*alive != nullptr) {
                timer_ = 0;
                act(CURL_SOCKET_TIMEOUT, 0);
            }
        });
    }
}

void CurlDriver::act(curl_socket_t fd, int events) {
    int running = 0;
    curl_multi_socket_action(multi_.get(), fd, events, &running);
    // The receiver may destroy us: nothing may follow.
    const std::function<void()> after = after_action_;
    after();
}

TransportFailure curl_failure(CURLcode code, std::string_view detail) {
    const std::string text = detail.empty() ? curl_easy_strerror(code) : std::string(detail);
    switch (code) {
        case CURLE_COULDNT_RESOLVE_HOST:
            return {TransportFault::resolve, text};
        case CURLE_COULDNT_RESOLVE_PROXY:
        case CURLE_PROXY:
            return {TransportFault::proxy, text};
        case CURLE_COULDNT_CONNECT:
            return {TransportFault::connect, text};
        case CURLE_OPERATION_TIMEDOUT:  // The only timeout we give libcurl is the one for connecting.
            return {TransportFault::connect_timeout, text};
        case CURLE_PEER_FAILED_VERIFICATION:
        case CURLE_SSL_ISSUER_ERROR:
        case CURLE_SSL_CACERT_BADFILE:
            return {TransportFault::certificate, text};
        case CURLE_SSL_CONNECT_ERROR:
            return {TransportFault::tls, text};
        case CURLE_WEIRD_SERVER_REPLY:
        case CURLE_UNSUPPORTED_PROTOCOL:
        case CURLE_BAD_CONTENT_ENCODING:
            return {TransportFault::protocol, text};
        case CURLE_URL_MALFORMAT:
        case CURLE_FAILED_INIT:
        case CURLE_OUT_OF_MEMORY:
            return {TransportFault::local, text};
        default:
            return {TransportFault::broken, text};
    }
}

}  // namespace agentlocator
