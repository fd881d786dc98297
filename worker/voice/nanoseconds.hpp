#pragma once
// Times as the call's slot keeps them.
#include <cstdint>

#include "common/time.hpp"

namespace agentlocator {

[[nodiscard]] inline std::int64_t ns(Duration duration) {
    return std::chrono::duration_cast<std::chrono::nanoseconds>(duration).count();
}
[[nodiscard]] inline std::int64_t ns(TimePoint time) {
    return ns(time.time_since_epoch());
}
[[nodiscard]] constexpr std::int64_t ms_to_ns(std::int64_t milliseconds) {
    return milliseconds * 1'000'000;
}

}  // namespace agentlocator
