#include "supervisor/io/call_keeper.hpp"

#include <fcntl.h>

#include <algorithm>
#include <new>
#include <utility>

#include "common/crash_point.hpp"
#include "common/log_ring.hpp"
#include "common/ws_log.hpp"

namespace agentlocator {

CallKeeper::CallKeeper(EventLoop& loop, CallSlab& slab, Events events)
    : loop_(loop), slab_(slab), events_(std::move(events)), vault_(slab) {}

std::optional<std::uint32_t> CallKeeper::take_entry(std::uint32_t seat) {
    for (std::uint32_t worker = 0; worker < worker_entries_max; ++worker) {
        if (slab_.workers[worker].seat.load() == 0 && vault_.entry_free(worker)) {
            new (&slab_.workers[worker]) WorkerEntry;
            slab_.logs[worker].head.store(0);
            slab_.logs[worker].tail.store(0);
            slab_.workers[worker].seat.store(seat);
            return worker;
        }
    }
    return std::nullopt;
}

void CallKeeper::give_back(std::uint32_t worker) {
    slab_.workers[worker].seat.store(0);
}

void CallKeeper::attach(std::uint32_t worker, UniqueFd control) {
    channels_[worker] = std::make_unique<PacketChannel>(
        loop_, std::move(control),
        PacketChannel::Events{
            [this, worker](const ControlPacket& packet, UniqueFd fd) { on_packet(worker, packet, std::move(fd)); },
            [] {}});  // Its death is told by its pidfd, never by an end of file.
    if (bridge_) {
        send(worker, PacketType::bridge, bridge_.get());
    }
}

void CallKeeper::adopt(std::uint32_t worker, AdoptedChild& child) {
    vault_.restore_worker(worker, child.told.draining(), child.told.began_later());
    const std::vector<CallReport>& calls = child.told.calls();
    for (std::size_t i = 0; i < calls.size(); ++i) {
        if (slab_.directory[calls[i].slot].call.load() == calls[i].call) {
            sockets_[calls[i].slot] = std::move(child.sockets[i]);
        }
        vault_.restore_call(worker, calls[i], adoption_commands_);
    }
    attach(worker, std::move(child.control));
    send(worker, PacketType::adopted);
}

void CallKeeper::keep(Adoption::Kept& call) {
    vault_.restore_kept(call.slot, call.call);
    if (vault_.call_in(call.slot) == call.call) {
        sockets_[call.slot] = std::move(call.socket);
    }
}

bool CallKeeper::at_rest() const {
    return vault_.at_rest() &&
           std::all_of(channels_.begin(), channels_.end(), [](const auto& channel) { return channel.second->idle(); });
}

std::vector<KeptSocket> CallKeeper::sockets() const {
    std::vector<KeptSocket> list;
    for (const auto& [slot, socket] : sockets_) {
        if (const std::uint64_t call = vault_.call_in(slot); call != 0) {
            list.push_back({slot, call, socket.get()});
        }
    }
    return list;
}

std::vector<CallKeeper::Remains> CallKeeper::end_adoption() {
    std::map<std::uint32_t, Remains> dead;  // By worker entry.
    for (std::uint32_t worker = 0; worker < worker_entries_max; ++worker) {
        const std::uint32_t seat = slab_.workers[worker].seat.load();
        if (seat != 0 && !channels_.contains(worker)) {
            dead[worker] = {seat, take_unsaid(worker), slab_.workers[worker].calls_served.load()};
        }
    }
    const auto lost = [&](std::uint32_t slot) {
        slab_.calls_lost.fetch_add(1);
        const SlotEntry& entry = slab_.directory[slot];
        if (!holds_memory(slab_, slot)) {
            return;
        }
        const CallState& state = slab_.slots[slot].states[entry.current.load() & 1U];
        // Whoever ends a call prints its last line, unless the worker got as far itself.
        if (entry.call.load() != 0 && !state.done_logged) {
            Remains& remains = dead[entry.owner.load() - 1];
            remains.seat = std::max(remains.seat, 1U);
            remains.lines += ws_log::done(state.stream_sid.view(), state.rx, state.tx) + "\n";
        }
    };
    vault_.finish_restore(lost, adoption_commands_);
    CRASH_POINT(adoption_placed);
    perform(std::exchange(adoption_commands_, {}));
    std::vector<Remains> list;
    for (auto& [worker, remains] : dead) {
        if (!channels_.contains(worker)) {
            give_back(worker);
        }
        list.push_back(std::move(remains));
    }
    return list;
}

void CallKeeper::set_bridge(int pidfd) {
    for (auto& [worker, channel] : channels_) {
        channel->forget(0);  // One that still waits to be told carries the descriptor we are about to close.
    }
    bridge_.reset(pidfd < 0 ? -1 : ::fcntl(pidfd, F_DUPFD_CLOEXEC, 0));
    if (!bridge_) {
        return;
    }
    for (auto& [worker, channel] : channels_) {
        send(worker, PacketType::bridge, bridge_.get());
    }
}

void CallKeeper::on_packet(std::uint32_t worker, ControlPacket packet, UniqueFd fd) {
    VaultCommands commands;
    switch (packet.type) {
        case PacketType::ready:
            vault_.on_ready(worker, commands);
            perform(commands);
            return events_.on_ready(worker);
        case PacketType::drained:
            return events_.on_drained(worker);
        case PacketType::call_opened:
            if (!fd || !vault_.is_current(packet)) {
                return;  // Without its socket a call cannot be kept; the worker serves it as long as it lives.
            }
            CRASH_POINT(keeper_before_store);
            sockets_[packet.slot] = std::move(fd);
            CRASH_POINT(keeper_after_store);
            break;
        case PacketType::call_released:
            packet.flags = fd ? packet_flag_snapshot : 0;
            if (fd && vault_.is_current(packet)) {
                snapshots_[packet.slot] = std::move(fd);
            }
            break;
        case PacketType::call_adopted:
            if (vault_.is_current(packet)) {
                drop_snapshot(packet.slot, packet.call);
            }
            break;
        case PacketType::call_closed:
        case PacketType::adopt:
        case PacketType::release:
        case PacketType::drain:
        case PacketType::stop:
        case PacketType::parted:
        case PacketType::bridge:
        case PacketType::adopted:
        case PacketType::returned:
        case PacketType::returned_listener:
        case PacketType::returned_call:
        case PacketType::returned_all:
        case PacketType::snapshot:
            break;
    }
    vault_.on_packet(worker, packet, commands);
    perform(commands);
}

void CallKeeper::perform(const VaultCommands& commands) {
    for (const VaultCommand& command : commands) {
        const std::uint32_t slot = command.packet.slot;
        if (command.kind == VaultCommand::Kind::drop_socket) {
            for (auto& [worker, channel] : channels_) {
                channel->forget(command.packet.call);
            }
            snapshots_.erase(slot);
            sockets_.erase(slot);
            CRASH_POINT(keeper_dropped);
            continue;
        }
        const auto channel = channels_.find(command.worker);
        if (channel == channels_.end()) {
            continue;  // It died meanwhile; on_died places the call again.
        }
        if (command.packet.type == PacketType::adopt && (command.packet.flags & packet_flag_snapshot) != 0) {
            ControlPacket snapshot = command.packet;
            snapshot.type = PacketType::snapshot;
            const auto file = snapshots_.find(slot);
            channel->second->send(snapshot, file == snapshots_.end() ? -1 : file->second.get());
        }
        const auto socket = sockets_.find(slot);
        const bool carries = command.packet.type == PacketType::adopt && socket != sockets_.end();
        channel->second->send(command.packet, carries ? socket->second.get() : -1);
        CRASH_POINT(keeper_after_command);
    }
}

// A packet that still waits to be sent may carry it.
void CallKeeper::drop_snapshot(std::uint32_t slot, std::uint64_t call) {
    if (const auto file = snapshots_.find(slot); file != snapshots_.end()) {
        for (auto& [worker, channel] : channels_) {
            channel->forget(call);
        }
        snapshots_.erase(file);
    }
}

void CallKeeper::give_up(std::uint8_t region) {
    VaultCommands commands;
    vault_.give_up(region, commands);
    perform(commands);
}

void CallKeeper::send(std::uint32_t worker, PacketType type, int fd) {
    if (const auto channel = channels_.find(worker); channel != channels_.end()) {
        ControlPacket packet;
        packet.type = type;
        channel->second->send(packet, fd);
    }
}

void CallKeeper::drain(std::uint32_t worker) {
    send(worker, PacketType::drain);
    VaultCommands commands;
    vault_.on_leaving(worker, commands);
    perform(commands);
}

void CallKeeper::stop(std::uint32_t worker) {
    send(worker, PacketType::stop);
}

CallKeeper::WorkerEnd CallKeeper::on_died(std::uint32_t worker, Death death) {
    if (const auto channel = channels_.find(worker); channel != channels_.end()) {
        channel->second->receive_all();  // What it said before it died comes first.
        channels_.erase(worker);
    }
    CRASH_POINT(keeper_death_seen);
    VaultCommands commands;
    WorkerEnd end;
    const std::uint64_t lost_before = slab_.calls_lost.load();
    end.call_in_hand = vault_.on_died(worker, death, commands);
    end.lost = slab_.calls_lost.load() - lost_before;
    end.calls_wait = vault_.calls_wait();
    perform(commands);
    end.unsaid = take_unsaid(worker);
    slab_.workers[worker].seat.store(0);
    return end;
}

std::string CallKeeper::take_unsaid(std::uint32_t worker) {
    std::string unsaid;
    for (auto bytes = waiting(slab_.logs[worker]); !bytes.empty(); bytes = waiting(slab_.logs[worker])) {
        unsaid.append(bytes.data(), bytes.size());
        consume(slab_.logs[worker], bytes.size());
    }
    return unsaid;
}

}  // namespace agentlocator
