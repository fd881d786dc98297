#include "worker/call_record.hpp"

#include <cstring>

namespace agentlocator {
namespace {

std::uint32_t seconds(TimePoint now) {
    return static_cast<std::uint32_t>(std::chrono::duration_cast<std::chrono::seconds>(now.time_since_epoch()).count());
}

// A state that its owner may be changing: read until two readings agree. Its steps are microseconds apart at most.
CallState read_state(const SlotEntry& entry, const CallSlot& slot) {
    constexpr int attempts_max = 100;
    const auto read = [&] { return slot.states[entry.current.load(std::memory_order_acquire) & 1U]; };
    CallState state = read();
    for (int i = 0; i < attempts_max; ++i) {
        const CallState again = read();
        if (std::memcmp(&again, &state, sizeof state) == 0) {
            break;
        }
        state = again;
    }
    return state;
}

bool take(SlotEntry& entry, std::uint32_t worker) {
    std::uint32_t free = no_worker;
    return entry.owner.load(std::memory_order_relaxed) == no_worker &&
           entry.owner.compare_exchange_strong(free, worker + 1);
}

}  // namespace

std::uint64_t sid_key(std::string_view call_sid) {
    std::uint64_t hash = 14'695'981'039'346'656'037ULL;  // FNV-1a
    for (const char c : call_sid) {
        hash = (hash ^ static_cast<unsigned char>(c)) * 1'099'511'628'211ULL;
    }
    return hash == 0 ? 1 : hash;
}

std::optional<CallRecord> find_call(const CallSlab& slab, std::uint8_t region, std::string_view call_sid) {
    std::optional<CallRecord> found;
    const std::uint64_t key = sid_key(call_sid);
    for (std::uint32_t slot = 0; slot < call_slots_max; ++slot) {
        const SlotEntry& entry = slab.directory[slot];
        if (entry.sid_key.load(std::memory_order_acquire) != key || entry.region.load() != region) {
            continue;
        }
        const CallState state = read_state(entry, slab.slots[slot]);
        if (state.call_sid.view() == call_sid && (!found || state.opened_ns > found->state.opened_ns)) {
            found = CallRecord{slot, entry.owner.load(std::memory_order_acquire) != no_worker, state};
        }
    }
    return found;
}

std::optional<std::uint32_t> claim_slot(CallSlab& slab, std::uint32_t worker, std::uint32_t next, TimePoint now) {
    const auto kept = static_cast<std::uint32_t>(std::chrono::duration_cast<std::chrono::seconds>(call_kept).count());
    const std::uint32_t now_s = seconds(now);
    for (const bool spare_records : {true, false}) {
        for (std::uint32_t i = 0; i < call_slots_max; ++i) {
            const std::uint32_t slot = (next + i) % call_slots_max;
            SlotEntry& entry = slab.directory[slot];
            const bool record = entry.sid_key.load(std::memory_order_relaxed) != 0 &&
                                (entry.ended_s.load(std::memory_order_relaxed) == 0 ||
                                 now_s - entry.ended_s.load(std::memory_order_relaxed) < kept);
            if (!(spare_records && record) && take(entry, worker)) {
                return slot;
            }
        }
    }
    return std::nullopt;
}

void free_slot(SlotEntry& entry, TimePoint now) {
    entry.ended_s.store(seconds(now), std::memory_order_relaxed);
    entry.call.store(0);
    entry.owner.store(no_worker, std::memory_order_release);
}

void supersede(CallSlab& slab, std::uint32_t slot) {
    slab.directory[slot].superseded.store(1, std::memory_order_release);
    slab.superseded.fetch_add(1);
}

}  // namespace agentlocator
