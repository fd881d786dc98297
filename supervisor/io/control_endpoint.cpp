#include "supervisor/io/control_endpoint.hpp"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <system_error>
#include <utility>

#include "common/http_codec.hpp"
#include "supervisor/control_request.hpp"

namespace agentlocator {
namespace {

Error system_error(const std::string& what) {
    return error(Errc::io, what + ": " + std::generic_category().message(errno));
}

bool is_allowed(int fd) {
    ucred peer{};
    socklen_t size = sizeof peer;
    return ::getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 && (peer.uid == 0 || peer.uid == ::geteuid());
}

std::string chunk(std::string_view text) {
    std::array<char, 20> size{};
    std::snprintf(size.data(), size.size(), "%zx\r\n", text.size());
    return size.data() + std::string(text) + "\r\n";
}

}  // namespace

class ControlEndpoint::Client final : public EventSink {
public:
    Client(ControlEndpoint& owner, UniqueFd fd)
        : owner_(owner), fd_(std::move(fd)), parser_({.body_bytes_max = control_body_bytes_max}) {
        owner_.loop_.add(fd_.get(), EPOLLIN, *this);
        restart_timer();
    }
    ~Client() { leave(); }
    Client(const Client&) = delete;
    Client& operator=(const Client&) = delete;

    void on_events(std::uint32_t events) override {
        if ((events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0 && !read_some()) {
            owner_.remove(*this);
            return;
        }
        if (!flush()) {
            owner_.remove(*this);
        }
    }

    void follow_line(std::string_view target, std::string_view line) {
        if (!following_ || (!target_.empty() && target_ != target)) {
            return;
        }
        const bool full = out_.size() + line.size() > follow_bytes_max;
        if (full) {
            ++left_out_;
            return;
        }
        std::string text;
        if (left_out_ > 0) {
            text = "[" + std::to_string(std::exchange(left_out_, 0)) + " lines left out: this reader is too slow]\n";
        }
        if (target_.empty() && target != "supervisor") {
            text += "[" + std::string(target) + "] ";
        }
        text += line;
        text += '\n';
        out_ += chunk(text);
        // One write for all lines of this turn.
        if (!std::exchange(flush_pending_, true)) {
            owner_.loop_.modify(fd_.get(), EPOLLIN | EPOLLOUT, *this);
        }
    }

    void leave() {
        if (fd_) {
            owner_.loop_.cancel(timer_);
            owner_.loop_.remove(fd_.get(), *this);
            fd_.reset();
        }
    }

    void finish() {
        if (following_) {
            out_ += "0\r\n\r\n";
        }
        (void)flush();
    }

private:
    // False: the connection is over.
    bool read_some() {
        std::array<char, 8192> buffer;
        const auto count = ::recv(fd_.get(), buffer.data(), buffer.size(), 0);
        if (count == 0 || (count < 0 && errno != EAGAIN && errno != EINTR)) {
            return false;
        }
        if (count < 0 || following_ || closing_) {
            return true;  // A follower has nothing to say any more.
        }
        std::string_view bytes(buffer.data(), static_cast<std::size_t>(count));
        while (!bytes.empty() && !following_ && !closing_) {
            std::size_t consumed = 0;
            const HttpParse state = parser_.feed(bytes, consumed);
            bytes.remove_prefix(consumed);
            if (state == HttpParse::need_more) {
                return true;
            }
            if (state == HttpParse::failed) {
                HttpResponse response = refusal_response(
                    {parser_.error_status(), "not a valid HTTP/1.1 request", "use the agentlocator command or curl"});
                response.close = true;
                out_ += serialize(response, HttpRequest{});
                closing_ = true;
                return true;
            }
            answer(parser_.take());
        }
        return true;
    }

    void answer(const HttpRequest& request) {
        ControlReply reply = owner_.handler_(request);
        if (auto* follow = std::get_if<FollowReply>(&reply)) {
            following_ = true;
            target_ = follow->target;
            owner_.loop_.cancel(std::exchange(timer_, 0));
            out_ +=
                "HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\nTransfer-Encoding: chunked\r\n"
                "Connection: close\r\n\r\n";
            if (!follow->text.empty()) {
                out_ += chunk(follow->text);
            }
            return;
        }
        const auto& response = std::get<HttpResponse>(reply);
        out_ += serialize(response, request);
        closing_ = response.close || !request.keep_alive;
        restart_timer();
    }

    // False: the peer is gone.
    bool flush() {
        while (!out_.empty()) {
            const auto count = ::send(fd_.get(), out_.data(), out_.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
            if (count < 0 && errno != EAGAIN && errno != EINTR) {
                return false;
            }
            if (count < 0) {
                break;
            }
            out_.erase(0, static_cast<std::size_t>(count));
        }
        flush_pending_ = !out_.empty();
        owner_.loop_.modify(fd_.get(), flush_pending_ ? EPOLLIN | EPOLLOUT : EPOLLIN, *this);
        // Half-closed first: a close with unread input would reset the connection, and the client would lose the very
        // answer that says what was wrong with its input. The client's end, or the timer, ends it.
        if (closing_ && out_.empty() && !std::exchange(half_closed_, true)) {
            ::shutdown(fd_.get(), SHUT_WR);
        }
        return true;
    }

    void restart_timer() {
        owner_.loop_.cancel(timer_);
        timer_ = owner_.loop_.call_at(Clock::now() + control_client_timeout, [this] {
            timer_ = 0;
            owner_.remove(*this);
        });
    }

    ControlEndpoint& owner_;
    UniqueFd fd_;
    HttpRequestParser parser_;
    std::string out_;
    EventLoop::TimerId timer_ = 0;
    bool closing_ = false;
    bool half_closed_ = false;
    bool following_ = false;
    bool flush_pending_ = false;
    std::string target_;
    std::uint64_t left_out_ = 0;
};

ControlEndpoint::ControlEndpoint(EventLoop& loop, Handler handler)
    : loop_(loop), handler_(std::move(handler)), sink_([this](std::uint32_t) { accept_clients(); }) {}

ControlEndpoint::~ControlEndpoint() {
    close();
}

Result<void> ControlEndpoint::open(const std::string& folder) {
    path_ = folder + "/" + control_socket_name;
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path_.size() >= sizeof address.sun_path) {
        return error(Errc::bad_config, "control socket " + path_ + ": the path is longer than " +
                                           std::to_string(sizeof address.sun_path - 1) +
                                           " bytes; set a shorter AGENTLOCATOR_RUNTIME_DIR");
    }
    std::memcpy(address.sun_path, path_.c_str(), path_.size() + 1);
    listener_.reset(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    reserve_.reset(::open("/dev/null", O_RDONLY | O_CLOEXEC));
    ::unlink(path_.c_str());
    const mode_t mask = ::umask(0177);  // The socket file is 0600 from its first moment.
    const bool bound =
        listener_ && ::bind(listener_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
    const int code = errno;
    ::umask(mask);
    errno = code;
    if (!bound || ::listen(listener_.get(), static_cast<int>(control_clients_max)) != 0) {
        return system_error("control socket " + path_);
    }
    loop_.add(listener_.get(), EPOLLIN, sink_);
    return {};
}

void ControlEndpoint::close() {
    if (!listener_) {
        return;
    }
    for (const auto& client : clients_) {
        client->finish();
    }
    clients_.clear();
    loop_.remove(listener_.get(), sink_);
    listener_.reset();
    ::unlink(path_.c_str());
}

void ControlEndpoint::accept_clients() {
    constexpr int turn_max = 8;
    for (int i = 0; i < turn_max; ++i) {
        UniqueFd fd(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
        if (!fd) {
            if (errno == EMFILE || errno == ENFILE) {
                turn_away();
            }
            return;
        }
        if (!is_allowed(fd.get()) || clients_.size() >= control_clients_max) {
            continue;
        }
        clients_.push_back(std::make_unique<Client>(*this, std::move(fd)));
    }
}

// A connection that cannot be accepted stays readable and would keep the loop busy.
void ControlEndpoint::turn_away() {
    reserve_.reset();
    UniqueFd(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC)).reset();
    reserve_.reset(::open("/dev/null", O_RDONLY | O_CLOEXEC));
}

void ControlEndpoint::remove(Client& client) {
    client.leave();
    const auto found =
        std::find_if(clients_.begin(), clients_.end(), [&](const auto& other) { return other.get() == &client; });
    if (found != clients_.end()) {
        gone_.splice(gone_.end(), clients_, found);
        loop_.defer([this] { gone_.clear(); });  // It may be the one whose event is being handled.
    }
}

void ControlEndpoint::follow_line(std::string_view target, std::string_view line) {
    for (const auto& client : clients_) {
        client->follow_line(target, line);
    }
}

}  // namespace agentlocator
