#pragma once
// One call's slot: commit its state and fill its send ring so that a process that dies at any instruction has either
// done a step or not (design: shadow copy, one release store). Pure memory work; no system call. Single writer.
//
// A step: `CallState& next = begin();` change `next`, append() bytes, then commit(). Nothing before commit() is visible
// to an adopter: it changes the copy that is not current, and ring bytes beyond the committed tail.
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "common/call_slab.hpp"

namespace agentlocator {

class CallHandle {
public:
    CallHandle(CallSlab& slab, std::uint32_t slot)
        : number_(slot), entry_(slab.directory[slot]), slot_(slab.slots[slot]) {}

    [[nodiscard]] std::uint32_t number() const { return number_; }

    [[nodiscard]] const CallState& state() const { return slot_.states[current()]; }
    [[nodiscard]] SlotEntry& entry() const { return entry_; }

    // The shadow copy, fresh from the committed state. One step at a time.
    CallState& begin();
    void commit();

    // Bytes that still fit behind the shadow's tail. Inside a step only.
    [[nodiscard]] std::size_t room() const;
    // The same behind the committed tail.
    [[nodiscard]] std::size_t room_committed() const;
    // Adds to the send ring. ENSUREs that it fits: ask room() first.
    void append(std::span<const std::uint8_t> bytes);

    // Committed bytes that the kernel has not taken, in order: at most two pieces (the ring wraps once).
    struct Unsent {
        std::array<std::span<const std::uint8_t>, 2> pieces;
        [[nodiscard]] std::size_t size() const { return pieces[0].size() + pieces[1].size(); }
    };
    [[nodiscard]] Unsent unsent() const;
    void on_sent(std::size_t bytes) {
        entry_.sent.store(entry_.sent.load(std::memory_order_relaxed) + bytes, std::memory_order_release);
    }

    // Keeps received bytes that are not yet a whole frame: `bytes` start at absolute position `at`. Inside a step; the
    // other half of the buffer is written, so the committed one stays whole.
    void keep_remainder(std::uint64_t at, std::span<const std::uint8_t> bytes);
    // Received and kept, but not yet parsed.
    [[nodiscard]] std::span<const std::uint8_t> remainder() const;

    // Where the payload of an unfinished fragmented message is put together.
    [[nodiscard]] std::array<std::uint8_t, message_bytes_max>& message() const { return slot_.message; }

    // Audio and memory of an AI call; positions in it are committed with the state.
    [[nodiscard]] VoiceArea& voice() const { return slot_.voice; }

    // Empties the slot for a new call. Only by the worker that has just claimed it.
    void reset();

private:
    [[nodiscard]] std::uint32_t current() const { return entry_.current.load(std::memory_order_acquire) & 1U; }
    [[nodiscard]] CallState& shadow() const { return slot_.states[current() ^ 1U]; }

    std::uint32_t number_;
    SlotEntry& entry_;
    CallSlot& slot_;
};

}  // namespace agentlocator
