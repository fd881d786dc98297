#include "worker/io/startup.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <string_view>
#include <vector>

#include "common/control_packet.hpp"
#include "common/text.hpp"

namespace agentlocator {
namespace {

constexpr int first_inherited = 3;  // SD_LISTEN_FDS_START
constexpr int backlog = 4096;

std::string take_variable(const char* name) {
    const char* value = std::getenv(name);
    std::string text = value == nullptr ? "" : value;
    ::unsetenv(name);
    return text;
}

}  // namespace

Result<Inherited> inherit_descriptors() {
    const std::string pid = take_variable("LISTEN_PID");
    const std::string count = take_variable("LISTEN_FDS");
    const std::string names = take_variable("LISTEN_FDNAMES");
    Inherited inherited;
    if (parse_integer(pid).value_or(0) != ::getpid()) {
        return inherited;
    }
    const std::vector<std::string_view> name = split(names, ':');
    const auto descriptors = static_cast<std::size_t>(parse_integer(count).value_or(0));
    for (std::size_t i = 0; i < descriptors; ++i) {
        UniqueFd fd(first_inherited + static_cast<int>(i));
        if (::fcntl(fd.get(), F_SETFD, FD_CLOEXEC) != 0) {
            return error(Errc::bad_config,
                         "LISTEN_FDS=" + count + " but descriptor " + std::to_string(fd.release()) + " is not open");
        }
        const std::string_view role = i < name.size() ? name[i] : std::string_view();
        if (role == fd_name_control) {
            inherited.control = std::move(fd);
        } else if (role == fd_name_slab) {
            inherited.slab = std::move(fd);
        } else if (!inherited.http) {
            ::fcntl(fd.get(), F_SETFL, ::fcntl(fd.get(), F_GETFL) | O_NONBLOCK);
            inherited.http = std::move(fd);
        }
    }
    return inherited;
}

Result<UniqueFd> listen_on(const std::string& address, std::uint16_t port) {
    const std::string where = address + ":" + std::to_string(port);
    sockaddr_in v4{};
    sockaddr_in6 v6{};
    const bool is_v6 = ::inet_pton(AF_INET6, address.c_str(), &v6.sin6_addr) == 1;
    if (!is_v6 && ::inet_pton(AF_INET, address.c_str(), &v4.sin_addr) != 1) {
        return error(Errc::bad_config, address + " is not a numeric address");
    }
    v4.sin_family = AF_INET;
    v4.sin_port = htons(port);
    v6.sin6_family = AF_INET6;
    v6.sin6_port = htons(port);
    UniqueFd fd(::socket(is_v6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    const int on = 1;
    ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    const auto* const name = is_v6 ? reinterpret_cast<const sockaddr*>(&v6) : reinterpret_cast<const sockaddr*>(&v4);
    if (::bind(fd.get(), name, is_v6 ? sizeof v6 : sizeof v4) != 0 || ::listen(fd.get(), backlog) != 0) {
        return error(errno == EADDRINUSE ? Errc::refused : Errc::io, where + ": " + std::strerror(errno));
    }
    return fd;
}

void raise_descriptor_limit() {
    rlimit limit{};
    if (::getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        ::setrlimit(RLIMIT_NOFILE, &limit);
    }
}

}  // namespace agentlocator
