#pragma once
// One call's socket: moves bytes between the kernel and the call's slot, and decides nothing.
//
// What may be moved, and in which order, is CallTransfer's.
#include <cstdint>
#include <span>

#include "common/io/event_loop.hpp"
#include "common/io/unique_fd.hpp"
#include "worker/call_transfer.hpp"

namespace agentlocator {

// What all peers of one worker share.
struct MediaShell {
    EventLoop& loop;
    CallSlab& slab;
    std::uint32_t worker;  // Our entry.
    const StreamContext& context;
    StreamScratch& scratch;

    [[nodiscard]] WorkerEntry& entry() const { return slab.workers[worker]; }
};

class MediaPeer final : private EventSink, private Wire {
public:
    // Takes the socket over; the slot is ours. `on_done` is called once, from the loop, when the call is over and the
    // socket shut; the peer may then be destroyed.
    MediaPeer(const MediaShell& shell, std::uint32_t slot, std::uint64_t call, UniqueFd socket,
              std::function<void(MediaPeer&)> on_done);
    ~MediaPeer();

    [[nodiscard]] std::uint32_t slot() const { return slot_; }
    [[nodiscard]] std::uint64_t call() const { return call_; }
    [[nodiscard]] int socket() const { return socket_.get(); }

    // First step of a call that began here: the 101 response, and bytes that came behind the request's head.
    void open(std::string_view response, std::span<const std::uint8_t> behind, WsMode mode);
    // Goes on with a call of another worker: what it kept is parsed, what it queued is sent.
    void resume();
    void on_tick(TimePoint now);
    // What the agent thread says; flush() sends what comes of it.
    void on_agent(const FromAgentMessage& message, TimePoint now);
    void flush();
    void close(std::uint16_t code, std::string_view why);
    void condemn(std::string_view why);
    // Nobody is at the other end any more.
    void lose();
    // Lets go: nothing more is read, sent or changed. The caller hands the call back to the supervisor, and keeps the
    // socket until it is told that somebody else has it.
    [[nodiscard]] UniqueFd release();

private:
    // Names the slot in hand while it lives: whoever finds us dead knows which call may have killed us.
    class InHand;

    void on_events(std::uint32_t events) override;
    WireResult receive(std::span<std::uint8_t> into, std::size_t& count) override;
    WireResult send(const CallHandle::Unsent& bytes, std::size_t& count) override;
    void settle();
    void watch();
    void end();

    const MediaShell& shell_;
    const std::uint32_t slot_;
    const std::uint64_t call_;
    UniqueFd socket_;
    std::function<void(MediaPeer&)> on_done_;
    CallTransfer transfer_;
    std::uint32_t watched_ = 0;  // Events registered with the loop; 0: not registered.
    const TimePoint taken_at_ = Clock::now();
    TimePoint closed_since_{};  // When the stream closed with bytes still to send.
    bool ended_ = false;
};

}  // namespace agentlocator
