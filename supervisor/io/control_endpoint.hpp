#pragma once
// The control socket's server side: HTTP/1.1 on a Unix socket, 0600, only for root and our own user. Bounded in
// everything: connections, request size, time to send a request, bytes waiting for a client that does not read.
#include <functional>
#include <list>
#include <memory>
#include <string>
#include <string_view>
#include <variant>

#include "common/http_message.hpp"
#include "common/io/event_loop.hpp"
#include "common/io/unique_fd.hpp"
#include "common/result.hpp"

namespace agentlocator {

inline constexpr char control_socket_name[] = "control.sock";
inline constexpr std::size_t control_clients_max = 32;       // Operators and their scripts; more are turned away.
inline constexpr Duration control_client_timeout = 10s;      // To send a request, and to take the answer.
inline constexpr std::size_t follow_bytes_max = 256 * 1024;  // Waiting for one follower; then lines are left out.

// A log stream: what is there now, and what comes, until the client leaves.
struct FollowReply {
    std::string target;  // Empty: all.
    std::string text;
};
using ControlReply = std::variant<HttpResponse, FollowReply>;

class ControlEndpoint {
public:
    using Handler = std::function<ControlReply(const HttpRequest&)>;

    ControlEndpoint(EventLoop& loop, Handler handler);
    ~ControlEndpoint();
    ControlEndpoint(const ControlEndpoint&) = delete;
    ControlEndpoint& operator=(const ControlEndpoint&) = delete;

    // Only while holding the lock: a socket file left by a dead supervisor is replaced.
    [[nodiscard]] Result<void> open(const std::string& folder);
    // Sends what is waiting, without waiting itself, and removes the socket file.
    void close();
    // A new line of a log target, to those who follow it.
    void follow_line(std::string_view target, std::string_view line);

private:
    class Client;

    void accept_clients();
    void turn_away();
    void remove(Client& client);

    EventLoop& loop_;
    Handler handler_;
    UniqueFd listener_;
    UniqueFd reserve_;  // Given up for a moment when there are no descriptors left, to refuse instead of spinning.
    std::string path_;
    FunctionSink sink_;
    std::list<std::unique_ptr<Client>> clients_;
    std::list<std::unique_ptr<Client>> gone_;
};

}  // namespace agentlocator
