#include "supervisor/call/io/curl_hub.hpp"

#include <curl/curl.h>
#include <fcntl.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <stdexcept>
#include <utility>

#include "common/text.hpp"

namespace agentlocator::call {
namespace {

constexpr std::size_t read_chunk = 64 * 1024;
constexpr std::size_t answer_bytes_max = 1024 * 1024;  // TwiML may have 64 kB; an error page some more.

bool is_loopback(std::string_view url) {
    return url.find("://127.") != std::string_view::npos || url.find("://localhost") != std::string_view::npos ||
           url.find("://[::1]") != std::string_view::npos;
}

}  // namespace

struct CurlHub::Watched {
    std::unique_ptr<FunctionSink> sink;
};

struct CurlHub::Transfer {
    CURL* easy = nullptr;
    curl_slist* headers = nullptr;
    std::array<char, CURL_ERROR_SIZE> why{};
    HttpAnswer answer;
    std::string url;
    std::string body;
    std::function<void(HttpAnswer)> on_answer;
    Connected on_connected;

    ~Transfer() { curl_slist_free_all(headers); }

    static std::size_t on_body(char* data, std::size_t size, std::size_t count, void* self) {
        auto& answer = static_cast<Transfer*>(self)->answer;
        if (answer.body.size() + size * count > answer_bytes_max) {
            return 0;  // Ends the transfer with an error.
        }
        answer.body.append(data, size * count);
        return size * count;
    }
    static std::size_t on_header(char* data, std::size_t size, std::size_t count, void* self) {
        const std::string_view line = trim({data, size * count});
        const std::size_t colon = line.find(':');
        auto& answer = static_cast<Transfer*>(self)->answer;
        if (colon != std::string_view::npos) {
            const std::string_view name = line.substr(0, colon);
            const std::string_view value = trim(line.substr(colon + 1));
            if (equal_no_case(name, "Content-Type")) {
                answer.content_type = value;
            } else if (equal_no_case(name, "Transfer-Encoding")) {
                answer.chunked = value.find("chunked") != std::string_view::npos;
            }
        }
        return size * count;
    }
};

CurlHub::CurlHub(EventLoop& loop, std::string ca_path) : loop_(loop), ca_path_(std::move(ca_path)) {
    curl_global_init(CURL_GLOBAL_DEFAULT);
    multi_ = curl_multi_init();
    if (multi_ == nullptr) {
        throw std::runtime_error("curl_multi_init");
    }
    // libcurl hands out CURL* and CURLM* as void*, so these are its own callback types.
    curl_multi_setopt(multi_, CURLMOPT_SOCKETFUNCTION, &CurlHub::on_socket);
    curl_multi_setopt(multi_, CURLMOPT_SOCKETDATA, this);
    curl_multi_setopt(multi_, CURLMOPT_TIMERFUNCTION, &CurlHub::on_timer);
    curl_multi_setopt(multi_, CURLMOPT_TIMERDATA, this);
}

CurlHub::~CurlHub() {
    loop_.cancel(timer_);
    for (auto& [easy, transfer] : transfers_) {
        curl_multi_remove_handle(multi_, easy);
        curl_easy_cleanup(easy);
    }
    for (auto& [fd, watched] : watched_) {
        if (watched->sink) {
            loop_.remove(fd, *watched->sink);
        }
    }
    curl_multi_cleanup(multi_);
    curl_global_cleanup();
}

void CurlHub::set_common(void* easy, const std::string& url) {
    curl_easy_setopt(easy, CURLOPT_URL, url.c_str());
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    // Version 1.1 keeps ALPN from choosing HTTP/2, on which a WebSocket upgrade of RFC 6455 does not exist.
    curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(connect_time_max.count()));
    curl_easy_setopt(easy, CURLOPT_TCP_NODELAY, 1L);
    if (!ca_path_.empty()) {
        curl_easy_setopt(easy, CURLOPT_CAINFO, ca_path_.c_str());
    }
    if (is_loopback(url)) {
        curl_easy_setopt(easy, CURLOPT_NOPROXY, "*");
    }
}

void CurlHub::request(const HttpAsk& ask, std::function<void(HttpAnswer)> done) {
    auto transfer = std::make_unique<Transfer>();
    CURL* easy = curl_easy_init();
    transfer->easy = easy;
    transfer->url = ask.url;
    transfer->body = ask.body;
    transfer->on_answer = std::move(done);
    for (const std::string& header : ask.headers) {
        transfer->headers = curl_slist_append(transfer->headers, header.c_str());
    }
    set_common(easy, ask.url);
    curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, static_cast<long>(request_time_max.count()));
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, transfer->headers);
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, transfer->why.data());
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, &Transfer::on_body);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, transfer.get());
    curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, &Transfer::on_header);
    curl_easy_setopt(easy, CURLOPT_HEADERDATA, transfer.get());
    if (ask.method == "POST") {
        curl_easy_setopt(easy, CURLOPT_POST, 1L);
        curl_easy_setopt(easy, CURLOPT_POSTFIELDS, transfer->body.c_str());
        curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE, static_cast<long>(transfer->body.size()));
    }
    transfers_.emplace(easy, std::move(transfer));
    curl_multi_add_handle(multi_, easy);
}

void CurlHub::connect(const std::string& url, Connected done) {
    auto transfer = std::make_unique<Transfer>();
    CURL* easy = curl_easy_init();
    transfer->easy = easy;
    transfer->url = url;
    transfer->on_connected = std::move(done);
    set_common(easy, url);
    curl_easy_setopt(easy, CURLOPT_CONNECT_ONLY, 1L);
    curl_easy_setopt(easy, CURLOPT_HTTPPROXYTUNNEL, 1L);
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, transfer->why.data());
    transfers_.emplace(easy, std::move(transfer));
    curl_multi_add_handle(multi_, easy);
}

int CurlHub::on_socket(void*, int fd, int what, void* self, void*) {
    static_cast<CurlHub*>(self)->watch(fd, what);
    return 0;
}

void CurlHub::watch(int fd, int what) {
    auto& watched = watched_[fd];
    if (!watched) {
        watched = std::make_unique<Watched>();
    }
    if (what == CURL_POLL_REMOVE) {
        if (watched->sink) {
            loop_.remove(fd, *watched->sink);
            // Perhaps we are inside this sink's own call.
            loop_.defer([keep = std::shared_ptr<FunctionSink>(std::move(watched->sink))] {});
        }
        watched_.erase(fd);
        return;
    }
    const std::uint32_t events =
        ((what & CURL_POLL_IN) != 0 ? EPOLLIN : 0U) | ((what & CURL_POLL_OUT) != 0 ? EPOLLOUT : 0U);
    if (watched->sink) {
        loop_.modify(fd, events, *watched->sink);
        return;
    }
    watched->sink = std::make_unique<FunctionSink>([this, fd](std::uint32_t seen) {
        act(fd, ((seen & EPOLLIN) != 0 ? CURL_CSELECT_IN : 0) | ((seen & EPOLLOUT) != 0 ? CURL_CSELECT_OUT : 0) |
                    ((seen & (EPOLLERR | EPOLLHUP)) != 0 ? CURL_CSELECT_ERR : 0));
    });
    loop_.add(fd, events, *watched->sink);
}

int CurlHub::on_timer(void*, long timeout_ms, void* self) {
    auto& hub = *static_cast<CurlHub*>(self);
    hub.loop_.cancel(std::exchange(hub.timer_, 0));
    if (timeout_ms >= 0) {
        hub.timer_ = hub.loop_.call_at(Clock::now() + std::chrono::milliseconds(timeout_ms), [&hub] {
            hub.timer_ = 0;
            hub.act(CURL_SOCKET_TIMEOUT, 0);
        });
    }
    return 0;
}

void CurlHub::act(int fd, int events) {
    int running = 0;
    curl_multi_socket_action(multi_, fd, events, &running);
    collect();
}

void CurlHub::collect() {
    int left = 0;
    while (const CURLMsg* message = curl_multi_info_read(multi_, &left)) {
        if (message->msg != CURLMSG_DONE) {
            continue;
        }
        const int code = message->data.result;
        const auto found = transfers_.find(message->easy_handle);
        if (found != transfers_.end()) {
            const std::unique_ptr<Transfer> transfer = std::move(found->second);
            transfers_.erase(found);
            finish(*transfer, code);
        }
    }
}

void CurlHub::finish(Transfer& transfer, int code) {
    CURL* const easy = transfer.easy;
    const std::string why =
        transfer.why[0] != '\0' ? transfer.why.data() : curl_easy_strerror(static_cast<CURLcode>(code));
    if (transfer.on_answer) {
        if (code == CURLE_OK) {
            long status = 0;
            curl_off_t took = 0;
            curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
            curl_easy_getinfo(easy, CURLINFO_TOTAL_TIME_T, &took);
            transfer.answer.status = static_cast<unsigned>(status);
            transfer.answer.took = std::chrono::microseconds(took);
        } else {
            transfer.answer = {};
            transfer.answer.failure = why;
        }
        curl_multi_remove_handle(multi_, easy);
        curl_easy_cleanup(easy);
        transfer.on_answer(std::move(transfer.answer));
        return;
    }
    if (code != CURLE_OK) {
        curl_multi_remove_handle(multi_, easy);
        curl_easy_cleanup(easy);
        const Rule rule = code == CURLE_OPERATION_TIMEDOUT ? Rule::stream_timeout : Rule::stream_refused;
        transfer.on_connected(nullptr, rule, why);
        return;
    }
    curl_socket_t fd = CURL_SOCKET_BAD;
    curl_easy_getinfo(easy, CURLINFO_ACTIVESOCKET, &fd);
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, nullptr);  // Its memory dies with the transfer.
    UniqueFd own(fcntl(fd, F_DUPFD_CLOEXEC, 0));
    const std::string no_copy = own ? "" : std::strerror(errno);
    const bool tls = transfer.url.starts_with("https");
    if (!own || !tls) {
        curl_multi_remove_handle(multi_, easy);  // Closes libcurl's descriptor; ours keeps the connection.
        curl_easy_cleanup(easy);
    }
    if (!own) {
        return transfer.on_connected(nullptr, Rule::ours, "the descriptor cannot be copied: " + no_copy);
    }
    // With TLS the handle stays in the multi: libcurl ends the session when it leaves (CURLOPT_CONNECT_ONLY's page).
    transfer.on_connected(
        std::unique_ptr<CurlConnection>(new CurlConnection(*this, tls ? easy : nullptr, std::move(own))), Rule::ours,
        "");
}

CurlConnection::~CurlConnection() {
    if (tls_easy_ != nullptr) {
        curl_multi_remove_handle(hub_.multi_, tls_easy_);
        curl_easy_cleanup(tls_easy_);
    }
}

// In clear the socket is used directly: curl_easy_send() looks the connection up among all others each time, which
// at hundreds of calls costs more than the system call.
CurlConnection::Io CurlConnection::read(std::string& out) {
    out.resize(read_chunk);
    std::size_t count = 0;
    if (tls_easy_ != nullptr) {
        const CURLcode code = curl_easy_recv(tls_easy_, out.data(), out.size(), &count);
        out.resize(code == CURLE_OK ? count : 0);
        if (code == CURLE_AGAIN) {
            return Io::again;
        }
        if (code != CURLE_OK) {
            failure_ = curl_easy_strerror(code);
            return Io::failed;
        }
        return count == 0 ? Io::closed : Io::done;
    }
    const ssize_t got = ::recv(fd_.get(), out.data(), out.size(), MSG_DONTWAIT);
    const int code = errno;
    out.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
    if (got > 0) {
        return Io::done;
    }
    if (got == 0) {
        return Io::closed;
    }
    if (code == EAGAIN || code == EINTR) {
        return Io::again;
    }
    failure_ = std::strerror(code);
    return Io::failed;
}

CurlConnection::Io CurlConnection::write(std::string& bytes) {
    std::size_t sent = 0;
    if (tls_easy_ != nullptr) {
        const CURLcode code = curl_easy_send(tls_easy_, bytes.data(), bytes.size(), &sent);
        if (code != CURLE_OK && code != CURLE_AGAIN) {
            failure_ = curl_easy_strerror(code);
            return Io::failed;
        }
    } else {
        const ssize_t put = ::send(fd_.get(), bytes.data(), bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
        if (put < 0 && errno != EAGAIN && errno != EINTR) {
            failure_ = std::strerror(errno);
            return Io::failed;
        }
        sent = put > 0 ? static_cast<std::size_t>(put) : 0;
    }
    bytes.erase(0, sent);
    return bytes.empty() ? Io::done : Io::again;
}

}  // namespace agentlocator::call
