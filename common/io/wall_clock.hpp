#pragma once
// The wall clock, for what people and other machines read: never for intervals. Shells only.
#include <chrono>
#include <cstdint>

namespace agentlocator {

// Milliseconds since 1970, UTC.
[[nodiscard]] inline std::int64_t wall_ms() {
    return std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::system_clock::now().time_since_epoch())
        .count();
}

}  // namespace agentlocator
