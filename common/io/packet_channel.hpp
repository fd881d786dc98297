#pragma once
// One end of the control channel between supervisor and worker (common/control_packet.hpp). Never blocks: when the
// other side stalls, packets wait here in order and the calls go on.
#include <deque>
#include <functional>

#include "common/control_packet.hpp"
#include "common/io/event_loop.hpp"
#include "common/io/unique_fd.hpp"

namespace agentlocator {

class PacketChannel final : private EventSink {
public:
    struct Events {
        std::function<void(const ControlPacket&, UniqueFd)> on_packet;
        std::function<void()> on_lost;  // The other side is gone. Once; the channel is dead then.
    };

    PacketChannel(EventLoop& loop, UniqueFd socket, Events events);
    ~PacketChannel();

    // `fd` travels as a duplicate and stays the caller's; it must stay open until the packet has left or forget().
    void send(const ControlPacket& packet, int fd = -1);
    // The call's socket is about to be closed: waiting packets that carry it are dropped.
    void forget(std::uint64_t call);
    [[nodiscard]] bool idle() const { return waiting_.empty(); }  // Everything sent has left.
    // Takes in all that the other side has sent, to its end: before a dead peer's state is judged.
    void receive_all();

private:
    struct Waiting {
        ControlPacket packet;
        int fd;
    };

    void on_events(std::uint32_t events) override;
    void flush();
    void lose();

    EventLoop& loop_;
    UniqueFd socket_;
    Events events_;
    std::deque<Waiting> waiting_;
    bool watching_out_ = false;
};

}  // namespace agentlocator
