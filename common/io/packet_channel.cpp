#include "common/io/packet_channel.hpp"

#include <algorithm>

#include "common/io/packet_socket.hpp"

namespace agentlocator {

PacketChannel::PacketChannel(EventLoop& loop, UniqueFd socket, Events events)
    : loop_(loop), socket_(std::move(socket)), events_(std::move(events)) {
    loop_.add(socket_.get(), EPOLLIN, *this);
}

PacketChannel::~PacketChannel() {
    if (socket_) {
        loop_.remove(socket_.get(), *this);
    }
}

void PacketChannel::send(const ControlPacket& packet, int fd) {
    if (socket_) {
        waiting_.push_back({packet, fd});
        flush();
    }
}

void PacketChannel::forget(std::uint64_t call) {
    const auto gone = std::remove_if(waiting_.begin(), waiting_.end(), [&](const Waiting& waiting) {
        return waiting.fd >= 0 && waiting.packet.call == call;
    });
    waiting_.erase(gone, waiting_.end());
}

void PacketChannel::flush() {
    while (!waiting_.empty() && socket_) {
        switch (send_packet(socket_.get(), waiting_.front().packet, waiting_.front().fd)) {
            case PacketIo::done:
                waiting_.pop_front();
                break;
            case PacketIo::again:
                if (!watching_out_) {
                    watching_out_ = true;
                    loop_.modify(socket_.get(), EPOLLIN | EPOLLOUT, *this);
                }
                return;
            case PacketIo::closed:
                return;  // The reading side notices, and tells.
        }
    }
    if (watching_out_ && socket_) {
        watching_out_ = false;
        loop_.modify(socket_.get(), EPOLLIN, *this);
    }
}

void PacketChannel::on_events(std::uint32_t events) {
    if ((events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0) {
        receive_all();
    }
    if ((events & EPOLLOUT) != 0) {
        flush();
    }
}

void PacketChannel::receive_all() {
    while (socket_) {
        ControlPacket packet;
        UniqueFd fd;
        switch (receive_packet(socket_.get(), packet, fd)) {
            case PacketIo::done:
                events_.on_packet(packet, std::move(fd));
                break;
            case PacketIo::again:
                return;
            case PacketIo::closed:
                return lose();
        }
    }
}

void PacketChannel::lose() {
    loop_.remove(socket_.get(), *this);
    socket_.reset();
    waiting_.clear();
    events_.on_lost();
}

}  // namespace agentlocator
