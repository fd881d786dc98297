#include "supervisor/io/port_proof.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <nlohmann/json.hpp>
#include <system_error>
#include <utility>

namespace agentlocator {
namespace {

// Where a client on this machine reaches a server that listens on `address`.
std::string reachable(const std::string& address) {
    if (address == "0.0.0.0") {
        return "127.0.0.1";
    }
    return address == "::" ? "::1" : address;
}

}  // namespace

PortProof::PortProof(EventLoop& loop, std::string address, std::uint16_t port, std::string instance, Done done)
    : loop_(loop), address_(reachable(address)), port_(port), instance_(std::move(instance)), done_(std::move(done)) {}

PortProof::~PortProof() {
    loop_.cancel(timer_);
    if (socket_) {
        loop_.remove(socket_.get(), *this);
    }
}

void PortProof::start() {
    if (socket_) {
        return;
    }
    sockaddr_in v4{};
    sockaddr_in6 v6{};
    const bool is_v4 = ::inet_pton(AF_INET, address_.c_str(), &v4.sin_addr) == 1;
    if (!is_v4) {
        (void)::inet_pton(AF_INET6, address_.c_str(), &v6.sin6_addr);
    }
    v4.sin_family = AF_INET;
    v4.sin_port = htons(port_);
    v6.sin6_family = AF_INET6;
    v6.sin6_port = htons(port_);
    socket_.reset(::socket(is_v4 ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!socket_) {
        done_({false, std::string("no socket: ") + std::generic_category().message(errno)});
        return;
    }
    asked_ = false;
    parser_ = std::make_unique<HttpResponseParser>(HttpLimits{.body_bytes_max = 16 * 1024});
    const auto* name = is_v4 ? reinterpret_cast<const sockaddr*>(&v4) : reinterpret_cast<const sockaddr*>(&v6);
    const auto size = static_cast<socklen_t>(is_v4 ? sizeof v4 : sizeof v6);
    if (::connect(socket_.get(), name, size) != 0 && errno != EINPROGRESS) {
        const int code = errno;
        loop_.defer([this, code] { finish_with_errno("connect", code); });
    }
    loop_.add(socket_.get(), EPOLLIN | EPOLLOUT, *this);
    timer_ = loop_.call_at(Clock::now() + port_proof_timeout, [this] {
        timer_ = 0;
        finish({false, "/version did not answer in 2 s"});
    });
}

void PortProof::finish(Verdict verdict) {
    if (!socket_) {
        return;
    }
    loop_.cancel(std::exchange(timer_, 0));
    loop_.remove(socket_.get(), *this);
    socket_.reset();
    done_(verdict);
}

void PortProof::finish_with_errno(const char* what, int code) {
    finish({false, std::string("/version: ") + what + ": " + std::generic_category().message(code)});
}

void PortProof::on_events(std::uint32_t events) {
    if (!asked_) {
        int code = 0;
        socklen_t size = sizeof code;
        ::getsockopt(socket_.get(), SOL_SOCKET, SO_ERROR, &code, &size);
        if (code != 0) {
            finish_with_errno("connect", code);
            return;
        }
        if ((events & EPOLLOUT) == 0) {
            return;
        }
        HttpRequest request;
        request.method = "GET";
        request.target = "/version";
        request.keep_alive = false;
        const std::string text = serialize(request, "127.0.0.1:" + std::to_string(port_));
        // A fresh connection takes some hundred bytes at once, or it is broken.
        if (::send(socket_.get(), text.data(), text.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(text.size())) {
            finish_with_errno("send", errno);
            return;
        }
        asked_ = true;
        loop_.modify(socket_.get(), EPOLLIN, *this);
        return;
    }
    read_answer();
}

void PortProof::read_answer() {
    std::array<char, 4096> buffer;
    const auto count = ::recv(socket_.get(), buffer.data(), buffer.size(), 0);
    if (count < 0 && (errno == EAGAIN || errno == EINTR)) {
        return;
    }
    if (count < 0) {
        finish_with_errno("receive", errno);
        return;
    }
    std::size_t consumed = 0;
    const HttpParse state =
        count == 0 ? parser_->feed_end() : parser_->feed({buffer.data(), static_cast<std::size_t>(count)}, consumed);
    if (state == HttpParse::complete) {
        finish(judge(parser_->take()));
    } else if (state == HttpParse::failed || count == 0) {
        finish({false, "/version was not answered with HTTP"});
    }
}

PortProof::Verdict PortProof::judge(const HttpResponse& response) const {
    const auto document = nlohmann::json::parse(response.body, nullptr, false);
    if (response.status != 200 || !document.is_object() || !document.contains("instance") ||
        !document["instance"].is_string()) {
        return {false, "/version answered status " + std::to_string(response.status) +
                           " without an instance id: another server has the port"};
    }
    const auto answered = document["instance"].get<std::string>();
    if (answered != instance_) {
        return {false, "/version answered another instance, " + answered.substr(0, 40)};
    }
    return {true, "/version answered instance " + instance_};
}

}  // namespace agentlocator
