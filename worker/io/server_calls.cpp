// The server's calls: taking a slot, the life of a peer, and what the supervisor asks for them.
#include <sys/socket.h>
#include <time.h>

#include "common/crash_point.hpp"
#include "common/ensure.hpp"
#include "common/io/memory_file.hpp"
#include "common/io/socket_count.hpp"
#include "common/log_line.hpp"
#include "worker/call_adoption.hpp"
#include "worker/call_record.hpp"
#include "worker/call_snapshot.hpp"
#include "worker/io/server.hpp"
#include "worker/io/slot_pages.hpp"
#include "worker/stream_token.hpp"

namespace agentlocator {

void Server::on_stream(UniqueFd socket, const AcceptStream& stream, std::span<const char> behind) {
    const bool blind = slab_.blind.load(std::memory_order_relaxed) != 0;
    const auto count = blind ? Result<SocketCount>(SocketCount{}) : count_socket(socket.get());
    const auto slot = count ? claim_slot(slab_, worker_, next_slot_, Clock::now()) : std::nullopt;
    if (!slot) {
        const std::string line = log_line(
            "stream_refused", {{"cause", count ? "all " + std::to_string(call_slots_max) + " call slots are in use"
                                               : count.error().detail}});
        refuse({&line, 1});
        return;  // Closes the connection before the 101: Twilio reports 31920.
    }
    CRASH_POINT(slot_claimed);
    next_slot_ = *slot + 1;
    SlotEntry& entry = slab_.directory[*slot];
    const std::uint64_t call = slab_.next_call.fetch_add(1);
    CallHandle handle(slab_, *slot);
    if (entry.region.load() != entry_.region.load()) {
        entry.region.store(entry_.region.load());  // The last call there was of another layout.
    } else if (handle.state().fate == StreamFate::lost) {
        give_back_voice(slab_.slots[*slot]);  // Kept until now: the lost call might have come back for it.
    }
    handle.reset();
    entry.call.store(call);
    entry.sent_base.store(count->sent);
    entry.received_base.store(count->received - behind.size());
    const int fd = socket.get();
    auto peer = std::make_unique<MediaPeer>(media_shell_, *slot, call, std::move(socket),
                                            [this](MediaPeer& done) { on_call_done(done); });
    MediaPeer& opened = *peer;
    opened.open(stream.response, {reinterpret_cast<const std::uint8_t*>(behind.data()), behind.size()},
                static_cast<WsMode>(slab_.mode.load(std::memory_order_relaxed)));
    CRASH_POINT(before_call_opened);
    slab_.marks[*slot].cookie.store(socket_cookie(fd));
    slab_.marks[*slot].call.store(call);
    tell(PacketType::call_opened, *slot, call, 0, fd);
    CRASH_POINT(after_call_opened);
    entry_.calls_served.fetch_add(1, std::memory_order_relaxed);
    add_peer(std::move(peer));
    opened.resume();
}

void Server::add_peer(std::unique_ptr<MediaPeer> peer) {
    const std::uint32_t slot = peer->slot();
    if (calls_.empty()) {
        next_tick_ = Clock::now();
    }
    calls_.insert_or_assign(slot, std::move(peer));
    count_calls();
}

void Server::count_calls() {
    entry_.calls.store(static_cast<std::uint32_t>(calls_.size()), std::memory_order_relaxed);
    entry_.connections.store(static_cast<std::uint32_t>(http_.size()), std::memory_order_relaxed);
}

void Server::on_call_done(MediaPeer& peer) {
    SlotEntry& entry = slab_.directory[peer.slot()];
    const std::uint64_t call = peer.call();
    if (link_) {
        link_->forget(call);
    }
    CRASH_POINT(closing_untold);
    tell(PacketType::call_closed, peer.slot(), call);
    CRASH_POINT(closing_told);
    if (const CallState& state = CallHandle(slab_, peer.slot()).state();
        state.mode == WsMode::ai && state.fate != StreamFate::lost) {
        give_back_voice(slab_.slots[peer.slot()]);
    }
    free_slot(entry, Clock::now());
    CRASH_POINT(closing_freed);
    remove_peer(peer.slot());
}

std::optional<ResumedCall> Server::resumed(std::string_view call_sid, std::string_view token) {
    const auto number = check_resume_token(settings_, slab_.instance.data(), token, call_sid, ::time(nullptr));
    if (!number) {
        return std::nullopt;
    }
    ResumedCall call;
    call.number = *number;
    if (const auto record = find_call(slab_, entry_.region.load(), call_sid)) {
        if (record->served) {
            supersede(slab_, record->slot);  // Half-open: Twilio has left it, we had not noticed.
        }
        call.voice = &slab_.slots[record->slot].voice;
        call.state = record->state;
    }
    slab_.resumed.fetch_add(1, std::memory_order_relaxed);
    return call;
}

void Server::end_superseded() {
    for (auto& [slot, peer] : calls_) {
        if (peer && slab_.directory[slot].superseded.load(std::memory_order_acquire) != 0) {
            peer->lose();
        }
    }
}

// Deferred: the peer may be the one that is talking to us.
void Server::remove_peer(std::uint32_t slot) {
    const auto found = calls_.find(slot);
    ENSURE(found != calls_.end());
    std::shared_ptr<MediaPeer> peer = std::move(found->second);  // Shared only because std::function copies.
    loop_.defer([peer] {});
    loop_.defer([this, slot] {
        if (const auto it = calls_.find(slot); it != calls_.end() && !it->second) {
            calls_.erase(it);
        }
        count_calls();
        check_drained();
    });
}

void Server::on_packet(const ControlPacket& packet, UniqueFd fd) {
    switch (packet.type) {
        case PacketType::adopt:
            return adopt(packet, std::move(fd));
        case PacketType::snapshot:
            snapshots_.insert_or_assign(packet.call, std::move(fd));
            return;
        case PacketType::release:
            return release(packet);
        case PacketType::drain:
            return drain(std::nullopt);
        case PacketType::stop:
            drain(context_.close_max);
            return close_calls("the server is stopping");
        case PacketType::parted:
            parted_.erase(packet.call);
            return check_drained();
        case PacketType::bridge:
            bridge_ = std::move(fd);
            return;
        case PacketType::adopted:
            return on_adopted();
        case PacketType::ready:
        case PacketType::call_opened:
        case PacketType::call_released:
        case PacketType::call_adopted:
        case PacketType::call_closed:
        case PacketType::drained:
        case PacketType::returned:
        case PacketType::returned_listener:
        case PacketType::returned_call:
        case PacketType::returned_all:
            break;  // Ours to send; the supervisor never does.
    }
    log_.line(log_line("packet_ignored", {{"type", static_cast<int>(packet.type)}}));
}

void Server::adopt(const ControlPacket& packet, UniqueFd socket) {
    parted_.erase(packet.call);  // It came back to us.
    entry_.slot_adopting.store(packet.slot, std::memory_order_release);
    CRASH_POINT(adopt_begin);
    if ((packet.flags & packet_flag_foreign) != 0 || ((packet.flags & packet_flag_snapshot) != 0 && !unpack(packet))) {
        entry_.slot_adopting.store(no_slot, std::memory_order_release);
        return cut(packet, socket);
    }
    // Without counts a call that its last worker let go of is exact by its record, and one whose worker died is lost.
    const bool lost = (packet.flags & packet_flag_lost) != 0;
    const bool counts = slab_.blind.load(std::memory_order_relaxed) == 0 && !lost;
    const auto adopted = counts ? adopt_call(slab_, packet, socket.get()) : Result<void>();
    CRASH_POINT(adopt_counted);
    entry_.slot_adopting.store(no_slot, std::memory_order_release);
    if (!adopted) {
        log_.line(log_line("adoption_failed", {{"slot", packet.slot}, {"cause", adopted.error().detail}}));
    }
    auto peer = std::make_unique<MediaPeer>(media_shell_, packet.slot, packet.call, std::move(socket),
                                            [this](MediaPeer& done) { on_call_done(done); });
    MediaPeer& taken = *peer;
    add_peer(std::move(peer));
    tell(PacketType::call_adopted, packet.slot, packet.call);
    CRASH_POINT(adopt_told);
    if (lost) {
        taken.lose();
    } else if (!adopted) {
        taken.close(ws_close::internal, "the call could not be taken over exactly");
    } else if ((packet.flags & packet_flag_poison) != 0) {
        taken.condemn("handling this call ended two workers: it is closed to keep the others alive");
    } else {
        taken.resume();
    }
}

// Into our own memory of that slot, which becomes the call's with the last store.
bool Server::unpack(const ControlPacket& packet) {
    const auto came = snapshots_.extract(packet.call);
    const auto bytes = came ? read_memory_file(came.mapped().get(), snapshot_bytes_max)
                            : Result<std::vector<std::uint8_t>>(error(Errc::not_found, "no snapshot of the call came"));
    const auto read = bytes ? read_snapshot(slab_, packet.slot, *bytes) : Result<void>(bytes.error());
    if (!read) {
        log_.line(log_line("adoption_failed", {{"slot", packet.slot}, {"cause", read.error().detail}}));
        return false;
    }
    CRASH_POINT(adopt_unpacked);
    slab_.directory[packet.slot].region.store(entry_.region.load());
    return true;
}

// The slot's memory is none that any living program can read: the call ends.
void Server::cut(const ControlPacket& packet, const UniqueFd& socket) {
    log_.line(log_line("call_cut", {{"slot", packet.slot},
                                    {"cause", "its worker died, and no build is left that can read its memory"}}));
    ::shutdown(socket.get(), SHUT_RDWR);
    SlotEntry& entry = slab_.directory[packet.slot];
    entry.sid_key.store(0);  // Nobody can say what became of it.
    tell(PacketType::call_closed, packet.slot, packet.call);
    free_slot(entry, Clock::now());
}

void Server::release(const ControlPacket& packet) {
    const auto found = calls_.find(packet.slot);
    if (found == calls_.end() || !found->second || found->second->call() != packet.call) {
        return;  // It ended meanwhile; call_closed is on its way.
    }
    CRASH_POINT(release_begin);
    link_->forget(packet.call);
    Parted& parted =
        parted_.insert_or_assign(packet.call, Parted{packet.slot, found->second->release(), UniqueFd()}).first->second;
    if ((packet.flags & packet_flag_snapshot) != 0) {
        parted.snapshot = write_memory_file("agentlocator-call", write_snapshot(slab_, packet.slot));
    }
    CRASH_POINT(release_untold);
    tell(PacketType::call_released, packet.slot, packet.call, 0, parted.snapshot ? parted.snapshot.get() : -1);
    CRASH_POINT(released);
    remove_peer(packet.slot);
}

void Server::tell(PacketType type, std::uint32_t slot, std::uint64_t call, std::uint32_t arg, int fd) {
    if (link_) {
        ControlPacket packet;
        packet.type = type;
        packet.slot = slot;
        packet.call = call;
        packet.arg = arg;
        link_->send(packet, fd);
    }
}

void Server::close_calls(std::string_view why) {
    for (auto& [slot, peer] : calls_) {
        if (peer) {
            peer->close(ws_close::going_away, why);
        }
    }
}

}  // namespace agentlocator
