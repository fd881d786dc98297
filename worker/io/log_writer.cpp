#include "worker/io/log_writer.hpp"

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>

namespace agentlocator {
namespace {

constexpr int reader_wait_ms = 200;  // Then look whether we are to stop.

}  // namespace

LogWriter::LogWriter(LogRing& ring, WorkerEntry& entry) : ring_(ring), entry_(entry), thread_([this] { run(); }) {}

LogWriter::~LogWriter() {
    stopping_.store(true);
    said_.fetch_add(1);
    said_.notify_one();
    for (int i = 0; i < 100 && !finished_.load(); ++i) {
        std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    if (finished_.load()) {
        thread_.join();
    } else {
        thread_.detach();  // Blocked in write(2); the process is about to end, and the supervisor prints the rest.
    }
}

void LogWriter::line(std::string_view text) {
    if (!push_line(ring_, text)) {
        entry_.log_lines_dropped.fetch_add(1, std::memory_order_relaxed);
        return;
    }
    said_.fetch_add(1, std::memory_order_release);
    said_.notify_one();
}

void LogWriter::run() {
    for (;;) {
        const std::uint32_t seen = said_.load(std::memory_order_acquire);
        for (std::span<const char> bytes = waiting(ring_); !bytes.empty(); bytes = waiting(ring_)) {
            const ssize_t written = ::write(STDOUT_FILENO, bytes.data(), bytes.size());
            if (written < 0 && errno == EINTR) {
                continue;
            }
            if (written < 0 && errno == EAGAIN && !stopping_.load()) {
                // The supervisor reads later; meanwhile the ring fills, and line() counts what does not fit.
                pollfd output{STDOUT_FILENO, POLLOUT, 0};
                ::poll(&output, 1, reader_wait_ms);
                continue;
            }
            if (written <
                0) {  // Nobody reads any more (EPIPE), or the disk is full: the lines are gone, the calls not.
                const auto lines = std::count(bytes.begin(), bytes.end(), '\n');
                entry_.log_lines_dropped.fetch_add(static_cast<std::uint64_t>(lines), std::memory_order_relaxed);
            }
            consume(ring_, written < 0 ? bytes.size() : static_cast<std::size_t>(written));
        }
        if (stopping_.load()) {
            break;
        }
        said_.wait(seen, std::memory_order_acquire);
    }
    finished_.store(true);
}

}  // namespace agentlocator
