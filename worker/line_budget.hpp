#pragma once
// How many lines a stranger may make us write: a flood of refused requests must not push the lines of calls out of the
// log. A bucket that refills with time; what it swallowed is told with the next line. Pure.
#include <algorithm>
#include <cstdint>
#include <optional>
#include <utility>

#include "common/time.hpp"

namespace agentlocator {

class LineBudget {
public:
    static constexpr std::uint32_t burst_max = 50;                          // Lines at once ...
    static constexpr Duration line_every = std::chrono::milliseconds(100);  // ... and then ten a second.

    // Nothing: do not write this line. A number: write it, after telling that so many before it were not written.
    [[nodiscard]] std::optional<std::uint64_t> spend(TimePoint now) {
        full_at_ = std::max(full_at_, now);
        if (full_at_ - now > line_every * (burst_max - 1)) {
            ++swallowed_;
            return std::nullopt;
        }
        full_at_ += line_every;
        return std::exchange(swallowed_, 0);
    }

private:
    TimePoint full_at_{};  // When the bucket will be full again.
    std::uint64_t swallowed_ = 0;
};

}  // namespace agentlocator
