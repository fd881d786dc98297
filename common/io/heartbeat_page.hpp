#pragma once
// One page of shared memory with the heartbeat of a child that has no business with the call slab. The supervisor makes
// it and looks; the child gets its descriptor and beats.
#include <atomic>
#include <cstdint>
#include <optional>

#include "common/io/unique_fd.hpp"
#include "common/result.hpp"
#include "common/time.hpp"

namespace agentlocator {

class HeartbeatPage {
public:
    [[nodiscard]] static Result<HeartbeatPage> create();
    // Takes the descriptor over. An error: it is no page of ours.
    [[nodiscard]] static Result<HeartbeatPage> open(UniqueFd fd);
    HeartbeatPage(HeartbeatPage&& other) noexcept;
    HeartbeatPage& operator=(HeartbeatPage&& other) noexcept;
    ~HeartbeatPage();

    void beat(TimePoint now) { beat_->store(now.time_since_epoch().count(), std::memory_order_relaxed); }
    // Nothing: it never beat.
    [[nodiscard]] std::optional<TimePoint> last() const;
    void clear() { beat_->store(0, std::memory_order_relaxed); }
    [[nodiscard]] int fd() const { return fd_.get(); }

private:
    HeartbeatPage(UniqueFd fd, std::atomic<std::int64_t>* beat) : fd_(std::move(fd)), beat_(beat) {}

    UniqueFd fd_;
    std::atomic<std::int64_t>* beat_ = nullptr;  // Nanoseconds of the steady clock, the same for every process.
};

}  // namespace agentlocator
