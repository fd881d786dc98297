#pragma once
// Values from one thread to another. The receiver either waits in receive(), or watches fd() in its event loop.
// Bounded by what is sent: each sender has a limit of its own on what may be on its way.
#include <sys/eventfd.h>
#include <unistd.h>

#include <condition_variable>
#include <deque>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

#include "common/ensure.hpp"
#include "common/io/unique_fd.hpp"

namespace agentlocator::speech {

template <class T>
class Mailbox {
public:
    Mailbox() : event_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) { ENSURE(event_); }

    void send(T value) {
        {
            const std::lock_guard lock(mutex_);
            values_.push_back(std::move(value));
        }
        changed_.notify_one();
        const std::uint64_t one = 1;
        (void)!::write(event_.get(), &one, sizeof one);
    }
    // The receiver is to end: receive() gives nothing from now on.
    void close() {
        {
            const std::lock_guard lock(mutex_);
            closed_ = true;
        }
        changed_.notify_all();
    }
    // Waits for the next value.
    [[nodiscard]] std::optional<T> receive() {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [this] { return closed_ || !values_.empty(); });
        if (closed_) {
            return std::nullopt;
        }
        T value = std::move(values_.front());
        values_.pop_front();
        return value;
    }
    // Everything there is, without waiting.
    [[nodiscard]] std::deque<T> take() {
        std::uint64_t count = 0;
        (void)!::read(event_.get(), &count, sizeof count);
        const std::lock_guard lock(mutex_);
        return std::exchange(values_, {});
    }
    [[nodiscard]] int fd() const { return event_.get(); }

private:
    std::mutex mutex_;
    std::condition_variable changed_;
    std::deque<T> values_;
    bool closed_ = false;
    UniqueFd event_;
};

}  // namespace agentlocator::speech
