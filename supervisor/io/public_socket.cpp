#include "supervisor/io/public_socket.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <system_error>
#include <utility>

#include "common/text.hpp"

namespace agentlocator {
namespace {

constexpr int activated_first = 3;

Error system_error(const std::string& what) {
    const Errc code = errno == EADDRINUSE ? Errc::refused : Errc::io;
    return error(code, what + ": " + std::generic_category().message(errno));
}

union Address {
    sockaddr any;
    sockaddr_in v4;
    sockaddr_in6 v6;
};

// Where it listens in fact: port 0 has become a number, an activated socket never was ours to choose.
void read_name(PublicSocket& socket) {
    Address address{};
    socklen_t size = sizeof address;
    if (::getsockname(socket.fd.get(), &address.any, &size) != 0) {
        return;
    }
    std::array<char, INET6_ADDRSTRLEN> text{};
    if (address.any.sa_family == AF_INET) {
        ::inet_ntop(AF_INET, &address.v4.sin_addr, text.data(), text.size());
        socket.port = ntohs(address.v4.sin_port);
    } else if (address.any.sa_family == AF_INET6) {
        ::inet_ntop(AF_INET6, &address.v6.sin6_addr, text.data(), text.size());
        socket.port = ntohs(address.v6.sin6_port);
    }
    socket.address = text.data();
}

int option(int fd, int name) {
    int value = 0;
    socklen_t size = sizeof value;
    return ::getsockopt(fd, SOL_SOCKET, name, &value, &size) == 0 ? value : -1;
}

}  // namespace

Result<PublicSocket> take_activated_socket() {
    const char* pid_text = std::getenv("LISTEN_PID");
    const char* count_text = std::getenv("LISTEN_FDS");
    const auto pid = pid_text == nullptr ? std::nullopt : parse_integer(pid_text);
    const auto count = count_text == nullptr ? std::nullopt : parse_integer(count_text);
    ::unsetenv("LISTEN_PID");
    ::unsetenv("LISTEN_FDS");
    ::unsetenv("LISTEN_FDNAMES");
    if (pid != ::getpid() || !count || *count == 0) {
        return PublicSocket{};
    }
    if (*count != 1) {
        return error(Errc::bad_config, "socket activation passed " + std::to_string(*count) +
                                           " descriptors; the socket unit must have exactly one ListenStream=");
    }
    PublicSocket socket;
    socket.fd.reset(activated_first);
    socket.activated = true;
    ::fcntl(socket.fd.get(), F_SETFD, FD_CLOEXEC);
    if (option(socket.fd.get(), SO_TYPE) != SOCK_STREAM || option(socket.fd.get(), SO_ACCEPTCONN) != 1) {
        return error(Errc::bad_config, "socket activation passed something that is not a listening TCP socket");
    }
    read_name(socket);
    if (socket.port == 0) {
        return error(Errc::bad_config, "socket activation passed a socket that is not TCP over IPv4 or IPv6");
    }
    const int flags = ::fcntl(socket.fd.get(), F_GETFL);
    ::fcntl(socket.fd.get(), F_SETFL, flags | O_NONBLOCK);  // Workers race for connections; a loser must not block.
    return socket;
}

PublicSocket describe_socket(UniqueFd listener) {
    PublicSocket socket;
    socket.fd = std::move(listener);
    read_name(socket);
    return socket;
}

Result<PublicSocket> open_public_socket(const std::string& address, std::uint16_t port) {
    Address name{};
    socklen_t size = 0;
    if (::inet_pton(AF_INET, address.c_str(), &name.v4.sin_addr) == 1) {
        name.v4.sin_family = AF_INET;
        name.v4.sin_port = htons(port);
        size = sizeof name.v4;
    } else if (::inet_pton(AF_INET6, address.c_str(), &name.v6.sin6_addr) == 1) {
        name.v6.sin6_family = AF_INET6;
        name.v6.sin6_port = htons(port);
        size = sizeof name.v6;
    } else {
        return error(Errc::bad_config, "BIND_ADDRESS " + address + " is not a numeric address");
    }
    const std::string where = "listen on " + address + " port " + std::to_string(port);
    PublicSocket socket;
    socket.fd.reset(::socket(name.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!socket.fd) {
        return system_error(where);
    }
    const int on = 1;
    // Connections of a former life in TIME_WAIT must not stop a restart; a living listener still does.
    ::setsockopt(socket.fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (::bind(socket.fd.get(), &name.any, size) != 0 || ::listen(socket.fd.get(), listen_backlog) != 0) {
        return system_error(where);
    }
    read_name(socket);
    return socket;
}

}  // namespace agentlocator
