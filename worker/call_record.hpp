#pragma once
// What the slab still knows of a call's streams, the ended ones included: the last resort when a connection is lost
// (stream_ended) asks here. A freed slot keeps its state until another call needs it, at least call_kept if there are
// others. Pure memory work.
#include <cstdint>
#include <optional>
#include <string_view>

#include "common/call_slab.hpp"
#include "common/time.hpp"

namespace agentlocator {

// Twilio asks within seconds of the end; its own limit for a request of a call is 15 s.
inline constexpr Duration call_kept = std::chrono::minutes(3);

struct CallRecord {
    std::uint32_t slot = no_slot;
    bool served = false;  // A worker still has it in hand.
    CallState state;

    // What became of the stream. A slot that was freed without an end lost its connection with its worker.
    [[nodiscard]] StreamFate fate() const {
        return state.fate == StreamFate::open && !served ? StreamFate::lost : state.fate;
    }
};

// For SlotEntry::sid_key; never 0.
[[nodiscard]] std::uint64_t sid_key(std::string_view call_sid);

// The newest stream of that call, as far as its memory lies in `region`, which is ours.
[[nodiscard]] std::optional<CallRecord> find_call(const CallSlab& slab, std::uint8_t region, std::string_view call_sid);

// Takes a free slot for worker entry `worker`, from position `next` on; those with records of late only when there are
// no others.
[[nodiscard]] std::optional<std::uint32_t> claim_slot(CallSlab& slab, std::uint32_t worker, std::uint32_t next,
                                                      TimePoint now);
// Gives a slot back whose call is over; its record stays.
void free_slot(SlotEntry& entry, TimePoint now);

// Twilio says that this stream is over although its connection looks alive (half-open): its owner is to end it.
void supersede(CallSlab& slab, std::uint32_t slot);

}  // namespace agentlocator
