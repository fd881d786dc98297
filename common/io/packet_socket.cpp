#include "common/io/packet_socket.hpp"

#include <sys/socket.h>

#include <cerrno>
#include <cstring>

namespace agentlocator {

PacketIo send_packet(int socket, const ControlPacket& packet, int fd) {
    iovec data{const_cast<ControlPacket*>(&packet), sizeof packet};  // Not written through.
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof fd)] = {};
    msghdr message{};
    message.msg_iov = &data;
    message.msg_iovlen = 1;
    if (fd >= 0) {
        message.msg_control = control;
        message.msg_controllen = sizeof control;
        cmsghdr* const header = CMSG_FIRSTHDR(&message);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(sizeof fd);
        std::memcpy(CMSG_DATA(header), &fd, sizeof fd);
    }
    for (;;) {
        if (::sendmsg(socket, &message, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0) {
            return PacketIo::done;
        }
        if (errno == EINTR) {
            continue;
        }
        // ETOOMANYREFS: too many descriptors in flight; they arrive when the peer reads.
        return errno == EAGAIN || errno == ENOBUFS || errno == ETOOMANYREFS ? PacketIo::again : PacketIo::closed;
    }
}

PacketIo receive_packet(int socket, ControlPacket& packet, UniqueFd& fd) {
    iovec data{&packet, sizeof packet};
    int received = -1;
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof received)] = {};
    msghdr message{};
    message.msg_iov = &data;
    message.msg_iovlen = 1;
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    ssize_t size = 0;
    do {
        size = ::recvmsg(socket, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    } while (size < 0 && errno == EINTR);
    if (size < 0) {
        return errno == EAGAIN ? PacketIo::again : PacketIo::closed;
    }
    fd.reset();
    for (cmsghdr* header = CMSG_FIRSTHDR(&message); header != nullptr; header = CMSG_NXTHDR(&message, header)) {
        if (header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_RIGHTS) {
            std::memcpy(&received, CMSG_DATA(header), sizeof received);
            fd.reset(received);
        }
    }
    return size == sizeof packet && packet.version == control_version ? PacketIo::done : PacketIo::closed;
}

}  // namespace agentlocator
