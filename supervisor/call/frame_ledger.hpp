#pragma once
// Numbered frames for ECHO under load: each payload names its call and number and is otherwise noise made from them, so
// that what comes back is matched to what was sent, and any loss, repeat, change of order or changed byte shows. Pure.
#include <cstdint>
#include <string_view>
#include <vector>

#include "supervisor/call/histogram.hpp"
#include "supervisor/call/playback.hpp"

namespace agentlocator::call {

// Frames of one call that may be on their way: forty seconds, for a call whose worker hangs on a machine that is busy.
constexpr std::size_t ledger_frames = 2048;

struct LedgerCounts {
    std::uint64_t sent = 0;
    std::uint64_t answered = 0;
    std::uint64_t repeated = 0;
    std::uint64_t reordered = 0;
    std::uint64_t corrupt = 0;
    [[nodiscard]] std::uint64_t lost() const { return sent - answered; }
};

class FrameLedger {
public:
    explicit FrameLedger(std::uint32_t call);
    void make(Frame& frame, TimePoint now);  // The next frame; its clock starts.
    void on_echo(std::string_view payload, TimePoint now);
    [[nodiscard]] const LedgerCounts& counts() const { return counts_; }
    [[nodiscard]] const Histogram& latency() const { return latency_; }

private:
    void fill(Frame& frame, std::uint32_t number) const;

    struct Entry {
        TimePoint sent_at{};
        bool answered = false;
    };
    std::uint32_t call_;
    std::vector<Entry> entries_ = std::vector<Entry>(ledger_frames);
    std::uint32_t next_expected_ = 0;
    LedgerCounts counts_;
    Histogram latency_;
};

}  // namespace agentlocator::call
