#include "common/io/socket_count.hpp"

#include <arpa/inet.h>
#include <linux/sockios.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdlib>
#include <string>
#include <system_error>
#include <vector>

#include "common/io/unique_fd.hpp"

namespace agentlocator {
namespace {

// CLOSE_WAIT, LAST_ACK and CLOSING of the kernel's tcp_states.h: <netinet/tcp.h> has them, but a tcp_info without
// counters.
constexpr std::array<unsigned, 3> peer_has_shut{8, 9, 11};

Error failed(const char* what) {
    return error(Errc::io,
                 std::string("counting a socket's bytes: ") + what + ": " + std::generic_category().message(errno));
}

// For fault tests: a kernel whose TCP_INFO is there and empty, as in some sandboxes.
bool kernel_is_blind() {
#ifdef AGENTLOCATOR_CRASH_POINTS
    static const bool blind = std::getenv("AGENTLOCATOR_BLIND_KERNEL") != nullptr;
    return blind;
#else
    return false;
#endif
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
    if (kernel_is_blind()) {
        info.tcpi_bytes_acked = info.tcpi_bytes_received = 0;
    }
    if (::ioctl(fd, SIOCOUTQ, &unsent) != 0) {
        return failed("SIOCOUTQ");
    }
    if (::ioctl(fd, SIOCINQ, &unread) != 0) {
        return failed("SIOCINQ");
    }
    // tcp(7) does not say so, prove_hang_up() does: the peer's FIN counts as a byte received, and never as one unread.
    const bool hung_up = std::find(peer_has_shut.begin(), peer_has_shut.end(), info.tcpi_state) != peer_has_shut.end();
    return SocketCount{info.tcpi_bytes_acked + static_cast<std::uint64_t>(unsent),
                       info.tcpi_bytes_received - static_cast<std::uint64_t>(unread) - (hung_up ? 1U : 0U)};
}

struct LoopbackPair {
    UniqueFd caller;
    UniqueFd server;
};

Result<LoopbackPair> connect_loopback() {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    auto* const name = reinterpret_cast<sockaddr*>(&address);
    const UniqueFd listener(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    LoopbackPair pair;
    pair.caller.reset(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (!listener || !pair.caller || ::bind(listener.get(), name, size) != 0 || ::listen(listener.get(), 1) != 0 ||
        ::getsockname(listener.get(), name, &size) != 0 || ::connect(pair.caller.get(), name, size) != 0) {
        return failed("a loopback connection");
    }
    pair.server.reset(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
    if (!pair.server) {
        return failed("a loopback connection");
    }
    return pair;
}

// Sends from one end, takes some of it at the other, and compares what the kernel counted.
Result<void> prove_direction(int from, int to) {
    constexpr std::size_t sent = 3000;
    constexpr std::size_t taken = 1234;  // The rest stays unread.
    const auto from_base = count_socket(from);
    const auto to_base = count_socket(to);
    std::vector<char> bytes(sent, 'x');
    if (!from_base || !to_base) {
        return from_base ? to_base.error() : from_base.error();
    }
    if (::send(from, bytes.data(), sent, MSG_NOSIGNAL) != static_cast<ssize_t>(sent) ||
        ::recv(to, bytes.data(), taken, MSG_WAITALL) != static_cast<ssize_t>(taken)) {
        return failed("a loopback connection");
    }
    const auto from_now = count_socket(from);
    const auto to_now = count_socket(to);
    if (!from_now || !to_now) {
        return from_now ? to_now.error() : from_now.error();
    }
    if (from_now->sent - from_base->sent != sent || to_now->received - to_base->received != taken) {
        return error(Errc::io, "this kernel miscounts: " + std::to_string(from_now->sent - from_base->sent) + " of " +
                                   std::to_string(sent) + " bytes sent, " +
                                   std::to_string(to_now->received - to_base->received) + " of " +
                                   std::to_string(taken) + " received");
    }
    return {};
}

// The caller hangs up while bytes of his are unread: they are still all that is counted.
Result<void> prove_hang_up(int caller, int server) {
    constexpr int arrival_max_ms = 1000;
    const auto before = count_socket(server);
    pollfd waiting{server, POLLRDHUP, 0};
    if (!before || ::shutdown(caller, SHUT_WR) != 0 || ::poll(&waiting, 1, arrival_max_ms) != 1) {
        return before ? failed("a loopback connection") : before.error();
    }
    const auto after = count_socket(server);
    if (!after) {
        return after.error();
    }
    if (after->received != before->received) {
        return error(Errc::io, "this kernel miscounts: a hang-up changes the bytes received by " +
                                   std::to_string(after->received - before->received));
    }
    return {};
}

}  // namespace

std::uint64_t socket_cookie(int fd) {
    std::uint64_t cookie = 0;
    socklen_t size = sizeof cookie;
    return ::getsockopt(fd, SOL_SOCKET, SO_COOKIE, &cookie, &size) == 0 ? cookie : 0;
}

Result<void> prove_socket_counts() {
    const auto pair = connect_loopback();
    if (!pair) {
        return pair.error();
    }
    if (const auto there = prove_direction(pair->caller.get(), pair->server.get()); !there) {
        return there;
    }
    if (const auto back = prove_direction(pair->server.get(), pair->caller.get()); !back) {
        return back;
    }
    return prove_hang_up(pair->caller.get(), pair->server.get());
}

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
