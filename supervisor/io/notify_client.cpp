#include "supervisor/io/notify_client.hpp"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <cstdlib>
#include <cstring>

#include "common/text.hpp"

namespace agentlocator {
namespace {

std::string take_variable(const char* name) {
    const char* value = std::getenv(name);
    std::string text = value == nullptr ? "" : value;
    ::unsetenv(name);
    return text;
}

std::string microseconds(Duration duration) {
    return std::to_string(std::chrono::duration_cast<std::chrono::microseconds>(duration).count());
}

// One line each: a line end inside a status would become an assignment of its own.
std::string one_line(std::string_view text) {
    std::string line(text);
    std::replace(line.begin(), line.end(), '\n', ' ');
    return line;
}

}  // namespace

NotifyClient NotifyClient::from_environment() {
    NotifyClient client;
    const auto take = [&client](const char* name) {
        std::string value = take_variable(name);
        if (!value.empty()) {
            client.environment_.push_back(std::string(name) + "=" + value);
        }
        return value;
    };
    const std::string path = take("NOTIFY_SOCKET");
    const auto period = parse_integer(take("WATCHDOG_USEC"));
    const std::string watched = take("WATCHDOG_PID");
    constexpr std::size_t path_max = sizeof(sockaddr_un::sun_path) - 1;
    if (path.size() < 2 || path.size() > path_max || (path[0] != '/' && path[0] != '@')) {
        return client;
    }
    client.address_ = path;
    if (path[0] == '@') {
        client.address_[0] = '\0';
    }
    client.socket_.reset(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (period && *period > 0 && (watched.empty() || parse_integer(watched) == ::getpid())) {
        client.watchdog_interval_ = std::chrono::microseconds(*period) / 2;  // sd_watchdog_enabled(3): half of it.
    }
    return client;
}

void NotifyClient::send(std::string_view assignments) const {
    if (!socket_) {
        return;
    }
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, address_.data(), address_.size());
    const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + address_.size());
    (void)::sendto(socket_.get(), assignments.data(), assignments.size(), MSG_NOSIGNAL,
                   reinterpret_cast<const sockaddr*>(&address), size);
}

void NotifyClient::ready(std::string_view text) const {
    send("READY=1\nSTATUS=" + one_line(text));
}

void NotifyClient::status(std::string_view text) const {
    send("STATUS=" + one_line(text));
}

void NotifyClient::reloading() const {
    // systemd compares MONOTONIC_USEC with its own clock to tell this reload from an older one (sd_notify(3)).
    send("RELOADING=1\nMONOTONIC_USEC=" + microseconds(Clock::now().time_since_epoch()));
}

void NotifyClient::stopping(Duration at_most) const {
    send("STOPPING=1\nEXTEND_TIMEOUT_USEC=" + microseconds(at_most));
}

}  // namespace agentlocator
