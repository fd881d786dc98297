#include "speech/io/server_connection.hpp"

#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <utility>

namespace agentlocator::speech {
namespace {

constexpr std::size_t read_bytes = 65'536;

}  // namespace

SpeechServer::Connection::Connection(SpeechServer& server, std::uint64_t id, UniqueFd socket)
    : server_(server), id_(id), socket_(std::move(socket)) {
    server_.loop_.add(socket_.get(), EPOLLIN, *this);
}

void SpeechServer::Connection::close() {
    if (socket_) {
        server_.loop_.remove(socket_.get(), *this);
        socket_.reset();
    }
}

void SpeechServer::Connection::send(SpeechKind kind, std::uint32_t id, std::string_view payload) {
    if (socket_) {
        append_speech_frame(outgoing_, kind, id, payload);
        flush();
    }
}

void SpeechServer::Connection::on_events(std::uint32_t events) {
    if ((events & EPOLLOUT) != 0) {
        flush();
    }
    if (socket_ && (events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0) {
        receive();
    }
}

void SpeechServer::Connection::receive() {
    std::array<std::uint8_t, read_bytes> buffer;
    const auto count = ::recv(socket_.get(), buffer.data(), buffer.size(), 0);
    if (count < 0 && (errno == EAGAIN || errno == EINTR)) {
        return;
    }
    if (count <= 0) {
        server_.drop(*this);
        return;
    }
    reader_.push({buffer.data(), static_cast<std::size_t>(count)});
    while (socket_) {
        const auto frame = reader_.next();
        if (!frame) {
            server_.refuse(*this, 0, SpeechFailure::Kind::bad_request, frame.error().detail);
            return;
        }
        if (!*frame) {
            return;
        }
        server_.on_frame(*this, **frame);
    }
}

void SpeechServer::Connection::flush() {
    while (!outgoing_.empty()) {
        const auto count = ::send(socket_.get(), outgoing_.data(), outgoing_.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
        if (count > 0) {
            outgoing_.erase(0, static_cast<std::size_t>(count));
        } else if (errno == EAGAIN) {
            break;
        } else if (errno != EINTR) {
            outgoing_.clear();  // Its end is read as an event of its own.
        }
    }
    if (wants_write_ == outgoing_.empty()) {
        wants_write_ = !outgoing_.empty();
        server_.loop_.modify(socket_.get(), wants_write_ ? EPOLLIN | EPOLLOUT : EPOLLIN, *this);
    }
    if (!paused_ && outgoing_.size() > outgoing_pause) {
        paused_ = true;
        server_.queue_.pause(id_, true);
    } else if (paused_ && outgoing_.size() < outgoing_resume) {
        paused_ = false;
        server_.queue_.pause(id_, false);
        server_.loop_.defer([server = &server_] { server->schedule(); });
    }
}

}  // namespace agentlocator::speech
