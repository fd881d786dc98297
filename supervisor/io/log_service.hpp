#pragma once
// All log lines of the supervisor and its children: named targets, one writer for the files, one for the console.
// Main thread only, except for what the writers do.
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "supervisor/io/log_outputs.hpp"

namespace agentlocator {

class LogService {
public:
    LogService(const LogFileLimits& files, int console_fd, bool colour);

    // The same object for the same name, for the life of the service.
    [[nodiscard]] LogTarget& target(const std::string& name);

    // A line of ours, to the console and supervisor.log.
    void say(std::string_view line);
    // A line of a child, to the console with its prefix and to its own file.
    void child_line(LogTarget& target, std::string_view line);

    // Lets the queues run empty until the deadline; false: see LogWriter::stop.
    [[nodiscard]] bool stop(TimePoint deadline);

    [[nodiscard]] std::uint64_t dropped() const { return files_.dropped() + files_.failed(); }
    [[nodiscard]] std::uint64_t console_dropped() const { return console_.dropped() + console_.failed(); }
    [[nodiscard]] std::string file_fault() const { return files_.fault(); }

private:
    std::map<std::string, std::unique_ptr<LogTarget>, std::less<>> targets_;
    std::map<std::string, std::unique_ptr<LogTarget>, std::less<>> console_targets_;  // Their losses count apart.
    LogWriter files_;
    LogWriter console_;
    LogTarget* own_;
};

}  // namespace agentlocator
