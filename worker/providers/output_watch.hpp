#pragma once
// The deadlines of one provider operation: first output, pause between outputs, the whole. Keep-alives and comments are
// no output. Pure; the shell arms one timer to deadline(). A duration of zero is no limit.
#include <optional>
#include <string_view>

#include "common/time.hpp"

namespace agentlocator {

struct OutputLimits {
    Duration first{};
    Duration idle{};
    Duration total{};
};

class OutputWatch {
public:
    OutputWatch(OutputLimits limits, TimePoint now) : limits_(limits), started_(now), last_(now) {}

    void on_output(TimePoint now) {
        had_output_ = true;
        last_ = now;
    }

    [[nodiscard]] std::optional<TimePoint> deadline() const {
        const Duration pause = had_output_ ? limits_.idle : limits_.first;
        std::optional<TimePoint> due;
        if (pause > Duration::zero()) {
            due = last_ + pause;
        }
        if (limits_.total > Duration::zero() && (!due || started_ + limits_.total < *due)) {
            due = started_ + limits_.total;
        }
        return due;
    }

    // What did not happen, for the error; asked when the deadline has passed.
    [[nodiscard]] std::string_view overdue() const {
        if (limits_.total > Duration::zero() && deadline() == started_ + limits_.total) {
            return "not finished in time";
        }
        return had_output_ ? "stopped in the middle" : "no answer in time";
    }

private:
    OutputLimits limits_;
    TimePoint started_;
    TimePoint last_;
    bool had_output_ = false;
};

}  // namespace agentlocator
