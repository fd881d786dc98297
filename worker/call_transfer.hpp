#pragma once
// Moves one call's bytes between its wire and its slot, in the order that makes a crash harmless. Pure: the wire is an
// interface, so that a test can be the kernel and end the process anywhere.
//
// In:  the staging area (tagged with slot and position) <- receive; parsed step by step; what is left over is kept in
//      the slot. Bytes taken from the kernel are therefore always in the staging area or in the slot.
// Out: only committed bytes are sent; what was sent is noted afterwards, and corrected by an adopter if that was lost.
#include <cstdint>
#include <span>

#include "worker/media_stream.hpp"

namespace agentlocator {

enum class WireResult : std::uint8_t { done, again, gone };

class Wire {
public:
    // done: `count` bytes were taken or given, at least one.
    virtual WireResult receive(std::span<std::uint8_t> into, std::size_t& count) = 0;
    virtual WireResult send(const CallHandle::Unsent& bytes, std::size_t& count) = 0;

protected:
    Wire() = default;
    Wire(const Wire&) = default;
    Wire& operator=(const Wire&) = default;
    ~Wire() = default;
};

class CallTransfer {
public:
    // `worker` is our entry in the slab; slot and entry are ours alone.
    CallTransfer(CallSlab& slab, std::uint32_t worker, std::uint32_t slot, const StreamContext& context,
                 StreamScratch& scratch);

    // First step of a call that began here. `behind`: bytes that came after the request's head.
    void open(std::string_view response, std::span<const std::uint8_t> behind, WsMode mode, TimePoint now);
    // Parses what is kept in the slot: after a take-over, and when room came back.
    void parse_kept(TimePoint now);
    // One receive. No more than one: other calls wait.
    void receive(Wire& wire, TimePoint now);
    // Sends until nothing is left or the wire takes no more.
    void flush(Wire& wire);

    // Whole frames may lie in the slot that had to wait for room, and there is room now: parse_kept() goes on.
    [[nodiscard]] bool can_go_on() const { return paused_ && wants_to_read(); }
    [[nodiscard]] bool wants_to_read() const { return !stream_.closed() && !stream_.stalled(); }
    [[nodiscard]] bool has_unsent() const { return handle_.unsent().size() > 0; }
    // Closed, and all was said.
    [[nodiscard]] bool finished() const { return stream_.closed() && !has_unsent(); }
    // Nobody will read them any more.
    void drop_unsent() { handle_.on_sent(handle_.unsent().size()); }

    [[nodiscard]] MediaStream& stream() { return stream_; }
    [[nodiscard]] const CallHandle& handle() const { return handle_; }

private:
    void parse(std::span<const std::uint8_t> bytes, std::uint64_t at, TimePoint now);

    WorkerEntry& entry_;
    StagingArea& staging_;
    CallHandle handle_;
    MediaStream stream_;
    bool paused_ = false;  // Parsing stopped for want of room, not of bytes.
};

}  // namespace agentlocator
