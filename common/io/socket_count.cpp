#include "common/io/socket_count.hpp"

#include <linux/sockios.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstddef>
#include <string>
#include <system_error>

namespace agentlocator {
namespace {

Error failed(const char* what) {
    return error(Errc::io,
                 std::string("counting a socket's bytes: ") + what + ": " + std::generic_category().message(errno));
}

Result<SocketCount> read_once(int fd) {
    tcp_info info{};
    socklen_t size = sizeof info;
    int unsent = 0;
    int unread = 0;
    if (::getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size) != 0) {
        return failed("TCP_INFO");
    }
    if (size < offsetof(tcp_info, tcpi_bytes_received) + sizeof info.tcpi_bytes_received) {
        return error(Errc::io, "counting a socket's bytes: this kernel's TCP_INFO has no byte counters (Linux >= 4.1)");
    }
    if (::ioctl(fd, SIOCOUTQ, &unsent) != 0) {
        return failed("SIOCOUTQ");
    }
    if (::ioctl(fd, SIOCINQ, &unread) != 0) {
        return failed("SIOCINQ");
    }
    return SocketCount{info.tcpi_bytes_acked + static_cast<std::uint64_t>(unsent),
                       info.tcpi_bytes_received - static_cast<std::uint64_t>(unread)};
}

}  // namespace

Result<SocketCount> count_socket(int fd) {
    constexpr int attempts_max = 1000;  // Two readings microseconds apart nearly always agree.
    auto last = read_once(fd);
    for (int i = 0; last && i < attempts_max; ++i) {
        const auto next = read_once(fd);
        if (!next || (next->sent == last->sent && next->received == last->received)) {
            return next;
        }
        last = next;
    }
    return last ? Result<SocketCount>(error(Errc::io, "counting a socket's bytes: the counters never stood still"))
                : last;
}

}  // namespace agentlocator
