#pragma once
// Keeps a call from waiting for a service that is known to be down. One for each provider and operation, shared by all
// calls of the thread. Pure.
//
//   closed --3 failures in a row, or half of the last 20--> open (15 s, doubling to 300 s)
//   closed --auth, quota--> open for 10 min     closed --rate_limited with Retry-After--> open for that long
//   open --its time is over--> half open: one probe --ok--> closed   --failure--> open, twice as long
#include <cstdint>
#include <optional>

#include "common/time.hpp"
#include "worker/agent/provider.hpp"

namespace agentlocator {

class CircuitBreaker {
public:
    enum class State : std::uint8_t { closed, open, half_open };

    // Whether an operation may start now. In the half open state only one may, until its outcome is told.
    [[nodiscard]] bool try_acquire(TimePoint now);
    void on_success();
    void on_failure(const ProviderError& error, TimePoint now);
    void on_cancelled();  // Says nothing about the service; frees the probe.

    [[nodiscard]] State state(TimePoint now) const;
    [[nodiscard]] TimePoint open_until() const { return open_until_; }

    static constexpr int row_max = 3;     // Failures in a row.
    static constexpr int window = 20;     // Outcomes looked back upon ...
    static constexpr int window_min = 5;  // ... once there are so many; then half of them failed is too much.
    static constexpr Duration open_first = std::chrono::seconds(15);
    static constexpr Duration open_longest = std::chrono::seconds(300);
    static constexpr Duration open_for_operator = std::chrono::minutes(10);  // A key or a bill does not heal by itself.

private:
    void open(Duration period, TimePoint now);
    void note(bool failed);

    bool open_ = false;
    bool probing_ = false;
    TimePoint open_until_{};
    Duration next_period_ = open_first;
    int row_ = 0;
    std::uint32_t outcomes_ = 0;  // One bit each, newest lowest; 1: failed.
    int known_ = 0;
};

// What an error means for the operation that met it (the table of error classes in docs/operations.md).
enum class AfterError : std::uint8_t { stop, retry_same, next_provider };
struct ErrorPolicy {
    bool retry_same;     // Once, and only when nothing was delivered.
    bool next_provider;  // Another may do better.
    bool counts;         // For the breaker.
    bool alert;          // Somebody must act: said at once, not at the rate limit's pace.
};
[[nodiscard]] ErrorPolicy policy_of(const ProviderError& error);

inline constexpr Duration retry_after_longest = std::chrono::milliseconds(400);  // A caller does not wait longer.

}  // namespace agentlocator
