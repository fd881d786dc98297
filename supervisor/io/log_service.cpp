#include "supervisor/io/log_service.hpp"

#include <array>
#include <chrono>
#include <ctime>

#include "supervisor/line_splitter.hpp"

namespace agentlocator {
namespace {

// "2026-01-02T03:04:05.678Z ": files outlive the terminal's own clock.
std::string timestamp() {
    const auto now = std::chrono::system_clock::now();
    const std::time_t seconds = std::chrono::system_clock::to_time_t(now);
    const auto milliseconds =
        std::chrono::duration_cast<std::chrono::milliseconds>(now.time_since_epoch()).count() % 1000;
    std::tm parts{};
    ::gmtime_r(&seconds, &parts);
    std::array<char, 40> text{};
    const std::size_t length = std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%S", &parts);
    std::string out(text.data(), length);
    const std::string digits = std::to_string(1000 + milliseconds);
    return out + "." + digits.substr(1) + "Z ";
}

LogTarget& find(std::map<std::string, std::unique_ptr<LogTarget>, std::less<>>& targets, const std::string& name) {
    auto& target = targets[name];
    if (!target) {
        target = std::make_unique<LogTarget>();
        target->name = name;
    }
    return *target;
}

}  // namespace

LogService::LogService(const LogFileLimits& files, int console_fd, bool colour)
    : files_(make_file_output(files)), console_(make_console_output(console_fd, colour)), own_(&target("supervisor")) {}

LogTarget& LogService::target(const std::string& name) {
    (void)find(console_targets_, name);
    return find(targets_, name);
}

void LogService::say(std::string_view line) {
    child_line(*own_, line);
}

void LogService::child_line(LogTarget& target, std::string_view line) {
    const std::string text = printable(line);
    console_.post({console_targets_.find(target.name)->second.get(), text});
    files_.post({&target, timestamp() + text});
}

bool LogService::stop(TimePoint deadline) {
    const bool files = files_.stop(deadline);
    const bool console = console_.stop(deadline);
    return files && console;
}

}  // namespace agentlocator
