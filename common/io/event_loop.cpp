#include "common/io/event_loop.hpp"

#include <algorithm>
#include <cerrno>
#include <system_error>

namespace agentlocator {
namespace {

[[noreturn]] void fail(const char* what) {
    throw std::system_error(errno, std::system_category(), what);
}

}  // namespace

EventLoop::EventLoop() : epoll_(::epoll_create1(EPOLL_CLOEXEC)) {
    if (!epoll_) {
        fail("epoll_create1");
    }
}

void EventLoop::add(int fd, std::uint32_t events, EventSink& sink) {
    epoll_event event{};
    event.events = events;
    event.data.ptr = &sink;
    if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) != 0) {
        fail("epoll_ctl add");
    }
}

void EventLoop::modify(int fd, std::uint32_t events, EventSink& sink) {
    epoll_event event{};
    event.events = events;
    event.data.ptr = &sink;
    if (::epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, fd, &event) != 0) {
        fail("epoll_ctl modify");
    }
}

void EventLoop::remove(int fd, EventSink& sink) {
    ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, fd, nullptr);
    for (int i = 0; i < batch_size_; ++i) {
        if (batch_[static_cast<std::size_t>(i)].data.ptr == &sink) {
            batch_[static_cast<std::size_t>(i)].data.ptr = nullptr;
        }
    }
}

EventLoop::TimerId EventLoop::call_at(TimePoint when, std::function<void()> function) {
    const TimerId id = next_timer_++;
    timers_.emplace(TimerKey{when, id}, std::move(function));
    timer_times_.emplace(id, when);
    return id;
}

void EventLoop::cancel(TimerId id) {
    if (const auto found = timer_times_.find(id); found != timer_times_.end()) {
        timers_.erase(TimerKey{found->second, id});
        timer_times_.erase(found);
    }
}

void EventLoop::defer(std::function<void()> function) {
    deferred_.push_back(std::move(function));
}

int EventLoop::wait_milliseconds(Duration max_wait) const {
    if (!deferred_.empty()) {
        return 0;
    }
    Duration wait = max_wait;
    if (!timers_.empty()) {
        wait = std::min(wait, timers_.begin()->first.when - Clock::now());
    }
    // Rounded up: waking early would spin until the timer is due.
    return static_cast<int>(std::max<std::int64_t>(0, std::chrono::ceil<std::chrono::milliseconds>(wait).count()));
}

void EventLoop::run_timers() {
    const TimePoint now = Clock::now();
    while (!timers_.empty() && timers_.begin()->first.when <= now) {
        auto node = timers_.extract(timers_.begin());
        timer_times_.erase(node.key().id);
        node.mapped()();
    }
}

void EventLoop::run_deferred() {
    std::vector<std::function<void()>> ready;
    ready.swap(deferred_);
    for (auto& function : ready) {
        function();
    }
}

std::size_t EventLoop::run_once(Duration max_wait) {
    const int count =
        ::epoll_wait(epoll_.get(), batch_.data(), static_cast<int>(batch_.size()), wait_milliseconds(max_wait));
    if (count < 0 && errno != EINTR) {
        fail("epoll_wait");
    }
    batch_size_ = std::max(0, count);
    for (int i = 0; i < batch_size_; ++i) {
        const epoll_event& event = batch_[static_cast<std::size_t>(i)];
        if (event.data.ptr != nullptr) {
            static_cast<EventSink*>(event.data.ptr)->on_events(event.events);
        }
    }
    batch_size_ = 0;
    run_timers();
    run_deferred();
    return static_cast<std::size_t>(std::max(0, count));
}

void EventLoop::run() {
    constexpr Duration at_most = std::chrono::hours(1);  // Keeps the wait inside epoll's int milliseconds.
    while (!stopping_) {
        run_once(at_most);
    }
}

}  // namespace agentlocator
