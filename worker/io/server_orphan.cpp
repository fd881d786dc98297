// The server without a supervisor: calls go on and new ones are taken, and the next supervisor is handed everything.
#include <sys/syscall.h>
#include <unistd.h>

#include <csignal>

#include "common/crash_point.hpp"
#include "common/log_line.hpp"
#include "worker/io/server.hpp"
#include "worker/io/supervisor_search.hpp"

namespace agentlocator {
namespace {

constexpr Duration seek_every = std::chrono::milliseconds(20);  // A failed look is two system calls.

}  // namespace

void Server::adopt_link(UniqueFd control) {
    link_ = std::make_unique<PacketChannel>(
        loop_, std::move(control),
        PacketChannel::Events{[this](const ControlPacket& packet, UniqueFd fd) { on_packet(packet, std::move(fd)); },
                              [this] { on_supervisor_lost(); }});
}

void Server::on_supervisor_lost() {
    if (!orphaned_) {
        log_.line(log_line("supervisor_lost",
                           {{"worker", seat_},
                            {"detail", "serving on; without a new supervisor draining begins in " +
                                           std::to_string(settings_.orphan_grace.count() / 1000) + " s"}}));
    }
    orphaned_ = true;
    if (!orphan_deadline_) {
        orphan_deadline_ = Clock::now() + settings_.orphan_grace;
    }
    // Deferred: the channel is the one that is talking to us.
    loop_.defer([this] {
        link_.reset();
        seek_supervisor();
    });
}

void Server::seek_supervisor() {
    if (done_) {
        return;
    }
    if (auto control = find_supervisor(settings_.runtime_dir)) {
        adopt_link(std::move(*control));
        return hand_back();
    }
    loop_.call_at(Clock::now() + seek_every, [this] { seek_supervisor(); });
}

// In one go, between two events: nothing changes while it is told.
void Server::hand_back() {
    const auto give = [this](PacketType type, int fd, std::uint32_t slot, std::uint64_t call, std::uint32_t arg,
                             std::uint32_t flags) {
        ControlPacket packet;
        packet.type = type;
        packet.slot = slot;
        packet.call = call;
        packet.arg = arg;
        packet.flags = flags;
        link_->send(packet, fd);
    };
    give(PacketType::returned, slab_file_.get(), no_slot, 0, worker_, draining_ ? packet_flag_draining : 0);
    give(PacketType::returned_listener, listener_.get(), no_slot, 0, 0, 0);
    CRASH_POINT(hand_back_begun);
    std::uint32_t told = 0;
    for (const auto& [slot, peer] : calls_) {
        if (peer) {
            give(PacketType::returned_call, peer->socket(), slot, peer->call(), 0, 0);
            ++told;
        }
    }
    for (const auto& [call, parted] : parted_) {
        give(PacketType::returned_call, parted.socket.get(), parted.slot, call, 0, packet_flag_released);
        ++told;
    }
    give(PacketType::returned_all, -1, no_slot, slab_.next_call.load(), told, 0);
    CRASH_POINT(hand_back_done);
}

void Server::on_adopted() {
    log_.line(log_line("supervisor_found", {{"worker", seat_}, {"calls", calls_.size()}}));
    orphaned_ = false;
    orphan_deadline_.reset();
}

void Server::on_orphan_deadline() {
    orphan_deadline_.reset();
    log_.line(log_line("worker_orphaned", {{"worker", seat_}, {"detail", "no supervisor came back; draining"}}));
    if (bridge_) {
        // Nobody watches it any more, and a supervisor that starts later must not find a second one on the account.
        ::syscall(SYS_pidfd_send_signal, bridge_.get(), SIGTERM, nullptr, 0U);
    }
    parted_.clear();  // Calls that nobody was left to carry.
    drain(settings_.drain_timeout);
}

}  // namespace agentlocator
