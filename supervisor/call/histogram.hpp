#pragma once
// Durations in logarithmic steps of at most 1.6 %, so that percentiles of millions cost a few kilobytes. Pure.
#include <array>
#include <cstdint>

#include "common/time.hpp"

namespace agentlocator::call {

class Histogram {
public:
    void add(Duration value);
    void merge(const Histogram& other);
    [[nodiscard]] std::uint64_t count() const { return count_; }
    // The value that `share` (0..1) of the entries do not exceed; zero when there are none.
    [[nodiscard]] Duration percentile(double share) const;
    [[nodiscard]] Duration max() const { return max_; }

private:
    static constexpr std::size_t steps = 64;   // In each power of two.
    static constexpr std::size_t powers = 28;  // From 1 us to about two minutes.
    std::array<std::uint32_t, steps * powers> counts_{};
    std::uint64_t count_ = 0;
    Duration max_{};
};

}  // namespace agentlocator::call
