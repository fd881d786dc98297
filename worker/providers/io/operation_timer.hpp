#pragma once
// One timer of one operation; never fires after its owner is gone.
#include <functional>
#include <optional>

#include "common/io/event_loop.hpp"

namespace agentlocator {

class OperationTimer {
public:
    explicit OperationTimer(EventLoop& loop) : loop_(loop) {}
    ~OperationTimer() { loop_.cancel(id_); }
    OperationTimer(const OperationTimer&) = delete;
    OperationTimer& operator=(const OperationTimer&) = delete;

    void arm(std::optional<TimePoint> when, std::function<void()> function) {
        loop_.cancel(id_);
        id_ = 0;
        if (when) {
            id_ = loop_.call_at(*when, [this, function = std::move(function)] {
                id_ = 0;
                const auto run = function;  // It may destroy us, and with us this lambda.
                run();
            });
        }
    }
    void disarm() { arm(std::nullopt, {}); }

private:
    EventLoop& loop_;
    EventLoop::TimerId id_ = 0;
};

}  // namespace agentlocator
