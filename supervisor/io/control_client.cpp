#include "supervisor/io/control_client.hpp"

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "common/http_codec.hpp"
#include "common/log_line.hpp"
#include "common/setting_value.hpp"
#include "common/time.hpp"
#include "supervisor/io/instance_lock.hpp"
#include "supervisor/io/process_table.hpp"
#include "supervisor/stream_response.hpp"

namespace agentlocator {
namespace {

Error no_answer(const std::string& socket) {
    return error(Errc::timeout, "the supervisor does not answer at " + socket +
                                    "; it is overloaded or hangs: look at its log (supervisor.log), and end it with "
                                    "SIGTERM, then SIGKILL, if it stays so");
}

Error broken(const std::string& socket, const std::string& what) {
    return error(Errc::io, "the answer of the supervisor at " + socket + " " + what +
                               "; is it another version? compare with `agentlocator version`");
}

// Waits until `fd` is ready; false at the deadline.
bool wait_for(int fd, short events, TimePoint deadline) {
    for (;;) {
        const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now());
        pollfd ready{fd, events, 0};
        const int count = ::poll(&ready, 1, static_cast<int>(std::max<long long>(left.count(), 0)));
        if (count > 0) {
            return true;
        }
        if (count == 0 || errno != EINTR) {
            return false;
        }
    }
}

bool send_all(int fd, std::string_view bytes, TimePoint deadline) {
    while (!bytes.empty()) {
        if (!wait_for(fd, POLLOUT, deadline)) {
            return false;
        }
        const auto count = ::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
        if (count < 0 && errno != EAGAIN && errno != EINTR) {
            return true;  // It closed early: its answer, perhaps a refusal, may wait to be read.
        }
        bytes.remove_prefix(count > 0 ? static_cast<std::size_t>(count) : 0);
    }
    return true;
}

// errno of the attempt; 0: connected.
int try_connect(const std::string& path, UniqueFd& out) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.size() > control_path_bytes_max) {
        return ENAMETOOLONG;
    }
    std::memcpy(address.sun_path, path.data(), path.size());
    UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (!fd) {
        return errno;
    }
    // A listener that hangs lets its queue fill up; connect would then wait for ever.
    const timeval limit{2, 0};
    (void)::setsockopt(fd.get(), SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
        return errno;
    }
    out = std::move(fd);
    return 0;
}

// A socket somewhere in /tmp could be anybody's.
bool is_trusted_peer(int fd) {
    ucred peer{};
    socklen_t length = sizeof peer;
    return ::getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) == 0 &&
           (peer.uid == 0 || peer.uid == ::geteuid() || ::geteuid() == 0);
}

HttpRequest make_request(const std::string& method, const std::string& target, const std::string& body) {
    HttpRequest request;
    request.method = method;
    request.target = target;
    request.body = body;
    request.keep_alive = false;
    if (!body.empty()) {
        request.headers.push_back({"Content-Type", "application/json"});
    }
    return request;
}

}  // namespace

Result<UniqueFd> ControlClient::connect() const {
    UniqueFd fd;
    std::string socket = place_.socket;
    int problem = try_connect(socket, fd);
    const auto holder = find_lock_holder(place_.lock_path);
    if (problem != 0 && holder && !holder->control_socket.empty() && holder->control_socket != socket) {
        socket = holder->control_socket;
        problem = try_connect(socket, fd);
    }
    if (problem == 0) {
        if (!is_trusted_peer(fd.get())) {
            return error(Errc::refused, "the socket " + socket +
                                            " is served by another user; set AGENTLOCATOR_RUNTIME_DIR to the folder "
                                            "of your supervisor");
        }
        return fd;
    }
    if (problem == EACCES || problem == EPERM) {
        return error(Errc::refused,
                     "the socket " + socket + " belongs to another user; run this as that user or as root");
    }
    if (problem == EAGAIN || problem == ETIMEDOUT) {
        return no_answer(socket);
    }
    if (holder) {
        return error(Errc::timeout, "a supervisor holds the lock " + place_.lock_path + " (" + describe(*holder) +
                                        ") but cannot be reached: " + std::strerror(problem) +
                                        "; it is just starting or ending, or its runtime folder was removed");
    }
    return error(Errc::not_found,
                 "no supervisor is running for " + place_.lock_path + "; start it with `agentlocator run`");
}

Result<HttpResponse> ControlClient::ask(const std::string& method, const std::string& target, const std::string& body,
                                        std::chrono::milliseconds deadline) const {
    const TimePoint end = Clock::now() + deadline;
    auto fd = connect();
    if (!fd) {
        return fd.error();
    }
    if (!send_all(fd->get(), serialize(make_request(method, target, body), "localhost"), end)) {
        return no_answer(place_.socket);
    }
    HttpLimits limits;
    limits.body_bytes_max = 16 * 1024 * 1024;  // Status of 256 workers with their last lines, or 100,000 log lines.
    HttpResponseParser parser(limits);
    char chunk[16 * 1024];
    for (;;) {
        if (!wait_for(fd->get(), POLLIN, end)) {
            return no_answer(place_.socket);
        }
        const auto count = ::recv(fd->get(), chunk, sizeof chunk, MSG_DONTWAIT);
        if (count < 0 && (errno == EAGAIN || errno == EINTR)) {
            continue;
        }
        std::size_t consumed = 0;
        const HttpParse state =
            count > 0 ? parser.feed({chunk, static_cast<std::size_t>(count)}, consumed) : parser.feed_end();
        if (state == HttpParse::complete) {
            return parser.take();
        }
        if (count <= 0 || state == HttpParse::failed) {
            return broken(place_.socket, "is cut off or not HTTP");
        }
    }
}

Result<void> ControlClient::follow(const std::string& target, int stop_fd,
                                   const std::function<bool(std::string_view)>& take) const {
    auto fd = connect();
    if (!fd) {
        return fd.error();
    }
    if (!send_all(fd->get(), serialize(make_request("GET", target, {}), "localhost"),
                  Clock::now() + control_deadline)) {
        return no_answer(place_.socket);
    }
    StreamResponse response;
    char chunk[16 * 1024];
    std::string body;
    for (;;) {
        pollfd ready[] = {{fd->get(), POLLIN, 0}, {stop_fd, POLLIN, 0}};
        if (::poll(ready, 2, -1) < 0 && errno != EINTR) {
            return error(Errc::io, std::string("poll: ") + std::strerror(errno));
        }
        if (ready[1].revents != 0) {
            return error(Errc::stopped, "stopped");
        }
        if (ready[0].revents == 0) {
            continue;
        }
        const auto count = ::recv(fd->get(), chunk, sizeof chunk, MSG_DONTWAIT);
        if (count < 0 && (errno == EAGAIN || errno == EINTR)) {
            continue;
        }
        if (count > 0 && !response.feed({chunk, static_cast<std::size_t>(count)}, body)) {
            return broken(place_.socket, "is not HTTP");
        }
        const bool refused = response.status() != 0 && response.status() != 200;
        if (!refused && !body.empty()) {
            if (!take(body)) {
                return error(Errc::stopped, "stopped");
            }
            body.clear();
        }
        if (count <= 0 || response.ended()) {
            if (refused) {
                return error(Errc::bad_message, body);
            }
            return {};
        }
    }
}

}  // namespace agentlocator
