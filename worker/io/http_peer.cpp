#include "worker/io/http_peer.hpp"

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "worker/router.hpp"

namespace agentlocator {
namespace {

constexpr Duration held_max = std::chrono::seconds(60);   // The server answers long before; this is for its defects.
constexpr Duration linger_max = std::chrono::seconds(1);  // For the peer to read our last answer and close.
// A client that has connected and not asked yet when the drain begins: it was accepted, so it is answered.
constexpr Duration first_request_max = std::chrono::seconds(1);

}  // namespace

HttpPeer::HttpPeer(const HttpShell& shell, UniqueFd socket, std::string remote_address, TimePoint now)
    : shell_(shell),
      socket_(std::move(socket)),
      remote_address_(std::move(remote_address)),
      deadline_(now + shell.settings.header_timeout) {}

HttpPeer::~HttpPeer() {
    if (watched_ != 0) {
        shell_.loop.remove(socket_.get(), *this);
    }
}

void HttpPeer::start() {
    watched_ = EPOLLIN;
    shell_.loop.add(socket_.get(), watched_, *this);
    receive();
}

void HttpPeer::on_events(std::uint32_t events) {
    if ((events & EPOLLOUT) != 0) {
        flush();
    }
    if (!done_ && (events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0) {
        receive();
    }
}

void HttpPeer::receive() {
    if (!out_.empty() || held_) {
        return;  // One answer at a time: a client that does not read its answers gets no more.
    }
    const ssize_t count = ::recv(socket_.get(), shell_.buffer.data(), shell_.buffer.size(), MSG_DONTWAIT);
    if (count > 0 && lingering_) {
        return;  // Read away: closing over unread bytes would reset the connection and take our answer with it.
    }
    if (count > 0) {
        take({shell_.buffer.data(), static_cast<std::size_t>(count)});
    } else if (count == 0 || (errno != EAGAIN && errno != EINTR)) {
        finish();
    }
}

void HttpPeer::take(std::string_view bytes) {
    if (!parser_) {
        parser_ = std::make_unique<HttpRequestParser>();
    }
    while (!bytes.empty() && !done_) {
        if (!out_.empty() || close_after_ || held_) {
            pipelined_.assign(bytes);
            return;
        }
        if (parser_->idle()) {
            deadline_ = Clock::now() + shell_.settings.header_timeout;
        }
        const bool had_header = parser_->header_done();
        std::size_t used = 0;
        const HttpParse parse = parser_->feed(bytes, used);
        bytes.remove_prefix(used);
        if (parse == HttpParse::failed) {
            return fail(parser_->error_status());
        }
        if (parse == HttpParse::need_more) {
            if (!had_header && parser_->header_done()) {
                deadline_ = Clock::now() + shell_.settings.header_timeout;  // The body has its own.
            }
            continue;
        }
        answer(parser_->take(), bytes);
    }
    if (!done_ && !held_ && parser_->idle()) {
        parser_.reset();
    }
}

void HttpPeer::answer(const HttpRequest& request, std::string_view behind) {
    RouteResult result = shell_.on_request(request, *this);
    if (const auto* stream = std::get_if<AcceptStream>(&result.answer)) {
        shell_.loop.remove(socket_.get(), *this);
        watched_ = 0;
        shell_.on_stream(UniqueFd(socket_.release()), *stream, {behind.data(), behind.size()});
        return finish();
    }
    if (std::holds_alternative<AnswerLater>(result.answer)) {
        // Not watched meanwhile: more requests wait in the kernel, and a hang-up is seen when the answer is sent.
        shell_.loop.remove(socket_.get(), *this);
        watched_ = 0;
        deadline_ = Clock::now() + held_max;
        held_ = HttpRequest{.method = request.method,
                            .target = request.target,
                            .keep_alive = request.keep_alive,
                            .http_1_1 = request.http_1_1};
        return;
    }
    send(std::move(std::get<HttpResponse>(result.answer)), request);
}

void HttpPeer::complete(HttpResponse response) {
    if (!held_ || done_) {
        return;
    }
    const HttpRequest request = *std::exchange(held_, std::nullopt);
    watched_ = EPOLLIN;
    shell_.loop.add(socket_.get(), watched_, *this);
    send(std::move(response), request);
}

void HttpPeer::send(HttpResponse response, const HttpRequest& request) {
    response.close = response.close || draining_ || !request.keep_alive;
    close_after_ = response.close;
    fresh_ = false;
    out_ = serialize(response, request);
    deadline_ = Clock::now() + shell_.settings.idle_timeout;
    flush();
}

void HttpPeer::fail(unsigned status) {
    shell_.on_refused();
    close_after_ = true;
    out_ = serialize(parse_failure(status), HttpRequest{});
    flush();
}

void HttpPeer::flush() {
    while (!out_.empty()) {
        const ssize_t count = ::send(socket_.get(), out_.data(), out_.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
        if (count < 0 && errno == EINTR) {
            continue;
        }
        if (count < 0 && errno != EAGAIN) {
            return finish();
        }
        if (count < 0) {
            if ((watched_ & EPOLLOUT) == 0) {
                watched_ = EPOLLOUT;
                shell_.loop.modify(socket_.get(), watched_, *this);
            }
            return;
        }
        out_.erase(0, static_cast<std::size_t>(count));
    }
    if (close_after_ && !lingering_) {
        lingering_ = true;
        deadline_ = Clock::now() + linger_max;
        ::shutdown(socket_.get(), SHUT_WR);
    }
    if ((watched_ & EPOLLOUT) != 0) {
        watched_ = EPOLLIN;
        shell_.loop.modify(socket_.get(), watched_, *this);
    }
    if (!pipelined_.empty() && !close_after_) {
        const std::string next = std::move(pipelined_);
        pipelined_.clear();
        take(next);
    }
}

void HttpPeer::drain() {
    draining_ = true;
    if (!idle() || !pipelined_.empty() || lingering_) {
        return;
    }
    if (fresh_ || request_waits()) {
        deadline_ = std::min(deadline_, Clock::now() + first_request_max);
        return;
    }
    finish();
}

// In the kernel, not read yet: closing over it would reset the connection and lose the request.
bool HttpPeer::request_waits() const {
    char first = 0;
    return ::recv(socket_.get(), &first, 1, MSG_PEEK | MSG_DONTWAIT) > 0;
}

void HttpPeer::close() {
    finish();
}

void HttpPeer::finish() {
    if (done_) {
        return;
    }
    done_ = true;
    if (watched_ != 0) {
        shell_.loop.remove(socket_.get(), *this);
        watched_ = 0;
    }
    shell_.on_done(*this);
}

}  // namespace agentlocator
