#include "supervisor/io/log_writer.hpp"

#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include <utility>

namespace agentlocator {
namespace {

constexpr std::size_t record_bytes = sizeof(LogRecord) + 32;  // What a queued line costs beside its text.
constexpr Duration interrupt_interval = 10ms;

// Interrupts a write that hangs on a stopped terminal, at the very end of the program.
constexpr int interrupt_signal = SIGUSR1;
void ignore_interrupt(int /*number*/) {}

}  // namespace

LogWriter::LogWriter(std::unique_ptr<LogOutput> output) : output_(std::move(output)) {
    struct sigaction action {};
    action.sa_handler = ignore_interrupt;  // Without SA_RESTART: write() returns EINTR.
    ::sigaction(interrupt_signal, &action, nullptr);
    // The thread must take none of the signals that the main thread reads from its signalfd.
    sigset_t all;
    sigset_t before;
    ::sigfillset(&all);
    ::pthread_sigmask(SIG_BLOCK, &all, &before);
    thread_ = std::thread([this] { run(); });
    ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

LogWriter::~LogWriter() {
    if (thread_.joinable()) {
        {
            const std::lock_guard lock(mutex_);
            stopping_ = true;
        }
        wake_.notify_one();
        thread_.join();
    }
}

void LogWriter::post(LogRecord record) {
    bool was_empty = false;
    {
        const std::lock_guard lock(mutex_);
        was_empty = queue_.empty();
        queued_bytes_ += record.text.size() + record_bytes;
        queue_.push_back(std::move(record));
        while (queued_bytes_ > log_queue_bytes_max) {
            queued_bytes_ -= queue_.front().text.size() + record_bytes;
            queue_.front().target->dropped.fetch_add(1, std::memory_order_relaxed);
            dropped_.fetch_add(1, std::memory_order_relaxed);
            queue_.pop_front();
        }
    }
    if (was_empty) {
        wake_.notify_one();
    }
}

bool LogWriter::stop(TimePoint deadline) {
    std::unique_lock lock(mutex_);
    stopping_ = true;
    wake_.notify_one();
    if (!ended_.wait_until(lock, deadline, [this] { return has_ended_; })) {
        queue_.clear();
        queued_bytes_ = 0;
        for (int attempt = 0; attempt < 20 && !has_ended_; ++attempt) {
            ::pthread_kill(thread_.native_handle(), interrupt_signal);
            ended_.wait_for(lock, interrupt_interval, [this] { return has_ended_; });
        }
    }
    if (!has_ended_) {
        return false;
    }
    lock.unlock();
    thread_.join();
    return true;
}

std::string LogWriter::fault() const {
    const std::lock_guard lock(mutex_);
    return fault_;
}

void LogWriter::note(const LogOutput::Outcome& outcome) {
    failed_.fetch_add(outcome.lost, std::memory_order_relaxed);
    const std::lock_guard lock(mutex_);
    fault_ = outcome.fault;
}

void LogWriter::run() {
    // On a busy machine a log line may wait; a worker that is being started, and calls, may not.
    constexpr int niceness = 5;
    (void)::setpriority(PRIO_PROCESS, static_cast<id_t>(::gettid()), niceness);
    sigset_t interrupt;
    ::sigemptyset(&interrupt);
    ::sigaddset(&interrupt, interrupt_signal);
    ::pthread_sigmask(SIG_UNBLOCK, &interrupt, nullptr);
    constexpr std::size_t batch_max = 256;  // A flood must not grow a second copy of the queue.
    std::vector<LogRecord> batch;
    for (;;) {
        {
            std::unique_lock lock(mutex_);
            wake_.wait(lock, [this] { return stopping_ || !queue_.empty(); });
            if (queue_.empty()) {
                has_ended_ = true;
                ended_.notify_all();
                return;
            }
            while (!queue_.empty() && batch.size() < batch_max) {
                queued_bytes_ -= queue_.front().text.size() + record_bytes;
                batch.push_back(std::move(queue_.front()));
                queue_.pop_front();
            }
        }
        note(output_->write(batch));
        batch.clear();
    }
}

}  // namespace agentlocator
