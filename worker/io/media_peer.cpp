#include "worker/io/media_peer.hpp"

#include <sys/socket.h>

#include <array>
#include <cerrno>

#include "common/ensure.hpp"

namespace agentlocator {
namespace {

// Handled this long without harm, a call was not what its last workers died of.
constexpr Duration innocent_after = std::chrono::seconds(2);

}  // namespace

class MediaPeer::InHand {
public:
    InHand(WorkerEntry& entry, std::uint32_t slot) : entry_(entry) {
        entry_.slot_in_hand.store(slot, std::memory_order_release);
    }
    ~InHand() { entry_.slot_in_hand.store(no_slot, std::memory_order_release); }
    InHand(const InHand&) = delete;
    InHand& operator=(const InHand&) = delete;

private:
    WorkerEntry& entry_;
};

MediaPeer::MediaPeer(const MediaShell& shell, std::uint32_t slot, std::uint64_t call, UniqueFd socket,
                     std::function<void(MediaPeer&)> on_done)
    : shell_(shell),
      slot_(slot),
      call_(call),
      socket_(std::move(socket)),
      on_done_(std::move(on_done)),
      transfer_(shell.slab, shell.worker, slot, shell.context, shell.scratch) {}

MediaPeer::~MediaPeer() {
    if (watched_ != 0) {
        shell_.loop.remove(socket_.get(), *this);
    }
}

void MediaPeer::open(std::string_view response, std::span<const std::uint8_t> behind, WsMode mode) {
    const InHand in_hand(shell_.entry(), slot_);
    transfer_.open(response, behind, mode, Clock::now());
}

void MediaPeer::resume() {
    {
        const InHand in_hand(shell_.entry(), slot_);
        transfer_.parse_kept(Clock::now());
        transfer_.flush(*this);
    }
    settle();
}

void MediaPeer::on_events(std::uint32_t events) {
    {
        const InHand in_hand(shell_.entry(), slot_);
        if ((events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0 && transfer_.wants_to_read()) {
            transfer_.receive(*this, Clock::now());
        }
        transfer_.flush(*this);
    }
    settle();
}

WireResult MediaPeer::receive(std::span<std::uint8_t> into, std::size_t& count) {
    const ssize_t result = ::recv(socket_.get(), into.data(), into.size(), MSG_DONTWAIT);
    if (result > 0) {
        count = static_cast<std::size_t>(result);
        return WireResult::done;
    }
    return result < 0 && (errno == EAGAIN || errno == EINTR) ? WireResult::again : WireResult::gone;
}

WireResult MediaPeer::send(const CallHandle::Unsent& bytes, std::size_t& count) {
    std::array<iovec, 2> pieces;
    for (std::size_t i = 0; i < pieces.size(); ++i) {
        // sendmsg does not write through the pointer; its type is older than const.
        pieces[i] = {const_cast<std::uint8_t*>(bytes.pieces[i].data()), bytes.pieces[i].size()};
    }
    msghdr message{};
    message.msg_iov = pieces.data();
    message.msg_iovlen = bytes.pieces[1].empty() ? 1 : 2;
    ssize_t result = -1;
    do {
        result = ::sendmsg(socket_.get(), &message, MSG_DONTWAIT | MSG_NOSIGNAL);
    } while (result < 0 && errno == EINTR);
    if (result >= 0) {
        count = static_cast<std::size_t>(result);
        return WireResult::done;
    }
    return errno == EAGAIN ? WireResult::again : WireResult::gone;
}

// After every turn: what to wait for next, or the end.
void MediaPeer::settle() {
    if (ended_) {
        return;
    }
    while (transfer_.can_go_on()) {
        const InHand in_hand(shell_.entry(), slot_);
        transfer_.parse_kept(Clock::now());
        transfer_.flush(*this);
    }
    if (transfer_.finished()) {
        return end();
    }
    watch();
}

void MediaPeer::watch() {
    std::uint32_t wanted = transfer_.wants_to_read() ? EPOLLIN : 0U;  // If not, there is something to send.
    wanted |= transfer_.has_unsent() ? EPOLLOUT : 0U;
    if (wanted == watched_) {
        return;
    }
    if (watched_ == 0) {
        shell_.loop.add(socket_.get(), wanted, *this);
    } else {
        shell_.loop.modify(socket_.get(), wanted, *this);
    }
    watched_ = wanted;
}

void MediaPeer::on_tick(TimePoint now) {
    if (ended_) {
        return;
    }
    {
        const InHand in_hand(shell_.entry(), slot_);
        transfer_.stream().on_tick(now);
        transfer_.flush(*this);
        if (now - taken_at_ > innocent_after) {
            SlotEntry& entry = transfer_.handle().entry();
            entry.deaths.store(0, std::memory_order_relaxed);
            entry.excused_deaths.store(0, std::memory_order_relaxed);
        }
        if (transfer_.stream().closed()) {
            if (closed_since_ == TimePoint{}) {
                closed_since_ = now;
            } else if (now - closed_since_ > shell_.context.close_max) {
                transfer_.drop_unsent();  // The peer does not even read our close frame.
            }
        }
    }
    settle();
}

void MediaPeer::on_agent(const FromAgentMessage& message, TimePoint now) {
    if (!ended_) {
        const InHand in_hand(shell_.entry(), slot_);
        transfer_.stream().on_agent(message, now);
    }
}

void MediaPeer::flush() {
    if (ended_) {
        return;
    }
    {
        const InHand in_hand(shell_.entry(), slot_);
        transfer_.flush(*this);
    }
    settle();
}

void MediaPeer::close(std::uint16_t code, std::string_view why) {
    {
        const InHand in_hand(shell_.entry(), slot_);
        transfer_.stream().close(code, why, Clock::now());
        transfer_.flush(*this);
    }
    settle();
}

void MediaPeer::condemn(std::string_view why) {
    {
        const InHand in_hand(shell_.entry(), slot_);
        transfer_.stream().condemn(why, Clock::now());
        transfer_.parse_kept(Clock::now());  // Unread: what is kept must be gone before more can come.
        transfer_.flush(*this);
    }
    settle();
}

void MediaPeer::lose() {
    {
        const InHand in_hand(shell_.entry(), slot_);
        transfer_.stream().on_peer_gone();
        transfer_.drop_unsent();
    }
    settle();
}

UniqueFd MediaPeer::release() {
    ENSURE(!ended_);
    shell_.context.conversation.on_end(slot_, call_, "moved");
    if (watched_ != 0) {
        shell_.loop.remove(socket_.get(), *this);
        watched_ = 0;
    }
    ended_ = true;
    return std::move(socket_);
}

void MediaPeer::end() {
    ended_ = true;
    if (watched_ != 0) {
        shell_.loop.remove(socket_.get(), *this);
        watched_ = 0;
    }
    // The supervisor holds a duplicate, so closing ours alone would send no FIN.
    ::shutdown(socket_.get(), SHUT_RDWR);
    on_done_(*this);
}

}  // namespace agentlocator
