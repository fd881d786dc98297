#pragma once
// One epoll loop for one thread: descriptors, timers, deferred calls. Level-triggered. No locks; nothing here may be
// called from another thread. Dispatch allocates nothing.
#include <sys/epoll.h>

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <vector>

#include "common/io/unique_fd.hpp"
#include "common/time.hpp"

namespace agentlocator {

// Receives the events of one descriptor. Must outlive its registration: remove() first, then destroy. A sink may
// remove itself or others while being called; it may not be destroyed inside its own on_events (use defer).
class EventSink {
public:
    virtual void on_events(std::uint32_t events) = 0;  // EPOLLIN, EPOLLOUT, EPOLLHUP ...

protected:
    EventSink() = default;
    EventSink(const EventSink&) = default;
    EventSink& operator=(const EventSink&) = default;
    ~EventSink() = default;
};

// For shells where a class would be ceremony.
class FunctionSink final : public EventSink {
public:
    explicit FunctionSink(std::function<void(std::uint32_t)> function) : function_(std::move(function)) {}
    void on_events(std::uint32_t events) override { function_(events); }

private:
    std::function<void(std::uint32_t)> function_;
};

class EventLoop {
public:
    using TimerId = std::uint64_t;  // Never 0.

    EventLoop();  // Throws std::system_error when the kernel gives no epoll.

    void add(int fd, std::uint32_t events, EventSink& sink);  // Throws std::system_error (descriptor limit).
    void modify(int fd, std::uint32_t events, EventSink& sink);
    void remove(int fd, EventSink& sink);  // Also forgets events of this batch for the sink.

    TimerId call_at(TimePoint when, std::function<void()> function);
    void cancel(TimerId id);                     // 0 and past timers are ignored.
    void defer(std::function<void()> function);  // After the current batch.

    static constexpr std::size_t batch_max = 1024;
    // Waits at most `max_wait`, less when a timer is due, then dispatches one batch. Returns its size: at batch_max
    // there may be more.
    std::size_t run_once(Duration max_wait);
    void run();  // Until stop().
    void stop() { stopping_ = true; }
    [[nodiscard]] bool stopping() const { return stopping_; }

private:
    [[nodiscard]] int wait_milliseconds(Duration max_wait) const;
    void run_timers();
    void run_deferred();

    struct TimerKey {
        TimePoint when;
        TimerId id;
        friend bool operator<(const TimerKey& a, const TimerKey& b) {
            return a.when != b.when ? a.when < b.when : a.id < b.id;
        }
    };

    UniqueFd epoll_;
    std::array<epoll_event, batch_max> batch_{};
    int batch_size_ = 0;
    std::map<TimerKey, std::function<void()>> timers_;
    std::map<TimerId, TimePoint> timer_times_;
    TimerId next_timer_ = 1;
    std::vector<std::function<void()>> deferred_;
    bool stopping_ = false;
};

}  // namespace agentlocator
