#pragma once
// Tells the service manager that started us how we are (sd_notify(3)): READY, STATUS, WATCHDOG, RELOADING, STOPPING.
// Without NOTIFY_SOCKET every call does nothing. The datagrams never block.
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/io/unique_fd.hpp"
#include "common/time.hpp"

namespace agentlocator {

class NotifyClient {
public:
    // Reads and removes NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID from our environment: children must not answer
    // for us. Before the first thread.
    [[nodiscard]] static NotifyClient from_environment();

    // What from_environment removed, for the program that we become by an exec.
    [[nodiscard]] const std::vector<std::string>& environment() const { return environment_; }

    void send(std::string_view assignments) const;  // "READY=1\nSTATUS=..."
    void ready(std::string_view status) const;
    void status(std::string_view status) const;
    void reloading() const;
    void stopping(Duration at_most) const;  // Also asks for that much time.
    void watchdog() const { send("WATCHDOG=1"); }

    // Send watchdog() this often; nothing when nobody watches us.
    [[nodiscard]] std::optional<Duration> watchdog_interval() const { return watchdog_interval_; }

private:
    UniqueFd socket_;
    std::vector<std::string> environment_;
    std::string address_;  // sun_path; an abstract one begins with a NUL.
    std::optional<Duration> watchdog_interval_;
};

}  // namespace agentlocator
