#pragma once
// Lines of the media thread -> ring in the slab -> log thread -> standard output. The media thread never waits for a
// reader: when the ring is full the line is dropped and counted (P6).
#include <atomic>
#include <thread>

#include "common/log_ring.hpp"
#include "worker/media_stream.hpp"

namespace agentlocator {

class LogWriter final : public LineLog {
public:
    // `entry` counts the dropped lines. Both must outlive the writer.
    LogWriter(LogRing& ring, WorkerEntry& entry);
    ~LogWriter();  // Writes what is left; a reader that does not read is waited for at most a second.

    // Media thread only.
    void line(std::string_view text) override;

private:
    void run();

    LogRing& ring_;
    WorkerEntry& entry_;
    std::atomic<std::uint32_t> said_{0};
    std::atomic<bool> stopping_{false};
    std::atomic<bool> finished_{false};
    std::thread thread_;
};

}  // namespace agentlocator
