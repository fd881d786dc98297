#include "supervisor/io/call_keeper.hpp"

#include <new>

#include "common/crash_point.hpp"
#include "common/log_ring.hpp"

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
}

void CallKeeper::on_packet(std::uint32_t worker, const ControlPacket& packet, UniqueFd fd) {
    VaultCommands commands;
    switch (packet.type) {
        case PacketType::ready:
            vault_.on_ready(worker, commands);
            perform(commands);
            return events_.on_ready(worker);
        case PacketType::drained:
            return events_.on_drained(worker);
        case PacketType::call_opened:
            if (!fd) {
                return;  // Without its socket a call cannot be kept; the worker serves it as long as it lives.
            }
            CRASH_POINT(keeper_before_store);
            sockets_[packet.slot] = std::move(fd);
            CRASH_POINT(keeper_after_store);
            break;
        case PacketType::call_released:
        case PacketType::call_adopted:
        case PacketType::call_closed:
        case PacketType::adopt:
        case PacketType::release:
        case PacketType::drain:
        case PacketType::stop:
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
            sockets_.erase(slot);
            CRASH_POINT(keeper_dropped);
            continue;
        }
        const auto channel = channels_.find(command.worker);
        if (channel == channels_.end()) {
            continue;  // It died meanwhile; on_died places the call again.
        }
        const auto socket = sockets_.find(slot);
        const bool carries = command.packet.type == PacketType::adopt && socket != sockets_.end();
        channel->second->send(command.packet, carries ? socket->second.get() : -1);
        CRASH_POINT(keeper_after_command);
    }
}

void CallKeeper::send(std::uint32_t worker, PacketType type) {
    if (const auto channel = channels_.find(worker); channel != channels_.end()) {
        ControlPacket packet;
        packet.type = type;
        channel->second->send(packet);
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

CallKeeper::WorkerEnd CallKeeper::on_died(std::uint32_t worker) {
    if (const auto channel = channels_.find(worker); channel != channels_.end()) {
        channel->second->receive_all();  // What it said before it died comes first.
        channels_.erase(worker);
    }
    CRASH_POINT(keeper_death_seen);
    VaultCommands commands;
    WorkerEnd end;
    end.call_in_hand = vault_.on_died(worker, commands);
    perform(commands);
    for (auto bytes = waiting(slab_.logs[worker]); !bytes.empty(); bytes = waiting(slab_.logs[worker])) {
        end.unsaid.append(bytes.data(), bytes.size());
        consume(slab_.logs[worker], bytes.size());
    }
    slab_.workers[worker].seat.store(0);
    return end;
}

}  // namespace agentlocator
