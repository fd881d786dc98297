#include "supervisor/call/histogram.hpp"

#include <algorithm>
#include <bit>
#include <cmath>

namespace agentlocator::call {

// Microseconds below 64 have a step each; above, the top bit chooses the power and the six bits after it the step.
void Histogram::add(Duration value) {
    max_ = std::max(max_, value);
    ++count_;
    const auto us = static_cast<std::uint64_t>(
        std::max<std::int64_t>(0, std::chrono::duration_cast<std::chrono::microseconds>(value).count()));
    const auto shift = us < steps ? 0U : static_cast<unsigned>(std::bit_width(us)) - 7U;
    const std::size_t index = us < steps ? us : (shift + 1) * steps + ((us >> shift) - steps);
    ++counts_[std::min(index, counts_.size() - 1)];
}

void Histogram::merge(const Histogram& other) {
    for (std::size_t i = 0; i < counts_.size(); ++i) {
        counts_[i] += other.counts_[i];
    }
    count_ += other.count_;
    max_ = std::max(max_, other.max_);
}

Duration Histogram::percentile(double share) const {
    const auto wanted = static_cast<std::uint64_t>(std::ceil(share * static_cast<double>(count_)));
    std::uint64_t seen = 0;
    for (std::size_t i = 0; i < counts_.size(); ++i) {
        seen += counts_[i];
        if (seen >= std::max<std::uint64_t>(1, wanted)) {
            const std::uint64_t us = i < steps ? i : ((i % steps + steps + 1) << (i / steps - 1)) - 1;
            return std::min<Duration>(std::chrono::microseconds(us), max_);
        }
    }
    return max_;
}

}  // namespace agentlocator::call
