#pragma once
// Writes log lines on a thread of its own, so that a full or slow disk, or a terminal nobody reads, never stops the
// supervisor (P6). One writer for files, one for the console: a stopped terminal must not stop the files either.
//
// The queue is bounded in bytes; when it is full the oldest lines go and are counted, because the newest ones say what
// is wrong now. post() never waits for a write.
#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "common/time.hpp"

namespace agentlocator {

inline constexpr std::size_t log_queue_bytes_max = 4 * 1024 * 1024;  // Seconds of a flood; the pipes hold the rest.

// Where a line goes, and what became of the lines sent there. Lives as long as the program.
struct LogTarget {
    std::string name;                       // "supervisor", "worker-1", "bridge"
    std::atomic<std::uint64_t> dropped{0};  // Pushed out of a full queue, or refused by the disk.
};

struct LogRecord {
    LogTarget* target = nullptr;
    std::string text;  // Without a line end.
};

// Performs the writes of one writer thread. A failure is a value: the reason, for people.
class LogOutput {
public:
    virtual ~LogOutput() = default;
    // Writes all of them; returns how many were lost, and why lines are being lost, now or until it is mended.
    struct Outcome {
        std::size_t lost = 0;
        std::string fault;
    };
    [[nodiscard]] virtual Outcome write(const std::vector<LogRecord>& batch) = 0;

protected:
    LogOutput() = default;
    LogOutput(const LogOutput&) = default;
    LogOutput& operator=(const LogOutput&) = default;
};

class LogWriter {
public:
    explicit LogWriter(std::unique_ptr<LogOutput> output);
    ~LogWriter();  // stop() first, or the destructor waits for the last write.
    LogWriter(const LogWriter&) = delete;
    LogWriter& operator=(const LogWriter&) = delete;

    void post(LogRecord record);
    // Lets the queue run empty until the deadline. False: a write still hangs in the kernel, the thread cannot be
    // joined, and the program must leave by _Exit.
    [[nodiscard]] bool stop(TimePoint deadline);

    [[nodiscard]] std::uint64_t dropped() const { return dropped_.load(std::memory_order_relaxed); }
    [[nodiscard]] std::uint64_t failed() const { return failed_.load(std::memory_order_relaxed); }
    // Why lines are being lost; empty when all is well.
    [[nodiscard]] std::string fault() const;

private:
    void run();
    void note(const LogOutput::Outcome& outcome);

    std::unique_ptr<LogOutput> output_;
    mutable std::mutex mutex_;
    std::condition_variable wake_;
    std::condition_variable ended_;
    std::deque<LogRecord> queue_;
    std::size_t queued_bytes_ = 0;
    std::string fault_;
    bool stopping_ = false;
    bool has_ended_ = false;
    std::atomic<std::uint64_t> dropped_{0};
    std::atomic<std::uint64_t> failed_{0};
    std::thread thread_;  // Last: it uses everything above.
};

}  // namespace agentlocator
