#include "supervisor/call_vault.hpp"

#include <algorithm>
#include <utility>

namespace agentlocator {
namespace {

// A difference of one is as even as it gets; moving a call for it would only move it back.
constexpr std::uint32_t imbalance_max = 1;

ControlPacket make_packet(PacketType type, std::uint32_t slot, std::uint64_t call) {
    ControlPacket packet;
    packet.type = type;
    packet.slot = slot;
    packet.call = call;
    return packet;
}

}  // namespace

void CallVault::on_ready(std::uint32_t worker, VaultCommands& out) {
    workers_[worker] = {};
    for (auto& [slot, call] : calls_) {
        if (call.state == State::waiting) {
            place(slot, call, out);
        }
    }
}

void CallVault::on_leaving(std::uint32_t worker, VaultCommands& out) {
    const auto found = workers_.find(worker);
    if (found == workers_.end()) {
        return;
    }
    found->second.leaving = true;
    const std::uint32_t other = lightest();
    if (other == no_slot || workers_.at(other).leaving) {
        return;  // Everybody leaves: calls end where they are.
    }
    for (auto& [slot, call] : calls_) {
        if (call.state == State::serving && call.worker == worker) {
            release(slot, call, out);
        }
    }
}

bool CallVault::on_died(std::uint32_t worker, Death death, VaultCommands& out) {
    workers_.erase(worker);
    const bool blamed = count_death(worker, death);
    for (auto& [slot, call] : calls_) {
        if (call.worker != worker || call.state == State::waiting) {
            continue;
        }
        if (call.state != State::adopting) {
            call.source = worker;  // An adopter that died never touched the stream: its predecessor stays the source.
        }
        call.lost = call.lost || slab_.blind.load() != 0;
        place(slot, call, out);
    }
    free_unannounced(worker);
    slab_.workers[worker].calls.store(0);
    return blamed;
}

void CallVault::on_packet(std::uint32_t worker, const ControlPacket& packet, VaultCommands& out) {
    if (packet.slot >= call_slots_max) {
        return;
    }
    const auto found = calls_.find(packet.slot);
    const bool known = found != calls_.end() && found->second.call == packet.call;
    switch (packet.type) {
        case PacketType::call_opened: {
            if (!is_current(packet)) {
                return;
            }
            if (found != calls_.end()) {
                part(packet.slot, found->second, out);
                lose(packet.slot);  // Its call_closed is still on its way from another worker.
            }
            Call& call = calls_[packet.slot];
            call = {packet.call, State::serving, worker, worker};
            ++workers_[worker].calls;
            return balance(packet.slot, call, out);
        }
        case PacketType::call_released:
            if (known && found->second.state == State::releasing && found->second.worker == worker) {
                --workers_[worker].calls;
                found->second.source = worker;
                found->second.keeper = worker;
                const bool packed = (packet.flags & packet_flag_snapshot) != 0;
                found->second.packed = packed ? slab_.directory[packet.slot].region.load() : no_region;
                place(packet.slot, found->second, out);
            }
            return;
        case PacketType::call_adopted:
            if (known && found->second.state == State::adopting && found->second.worker == worker) {
                found->second.state = State::serving;
                found->second.packed = no_region;
                slab_.calls_moved.fetch_add(1);
                part(packet.slot, found->second, out);
                if (workers_[worker].leaving) {
                    balance(packet.slot, found->second, out);
                }
            }
            return;
        case PacketType::call_closed:
            if (known) {
                out.push_back({VaultCommand::Kind::drop_socket, worker, packet});
                part(packet.slot, found->second, out);
                lose(packet.slot);
            }
            return;
        case PacketType::ready:
        case PacketType::drained:
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
            return;
    }
}

bool CallVault::is_current(const ControlPacket& packet) const {
    return packet.slot < call_slots_max && slab_.directory[packet.slot].call.load() == packet.call;
}

void CallVault::place(std::uint32_t slot, Call& call, VaultCommands& out) {
    const std::uint32_t target = lightest_for(slot, call);
    if (target == no_slot) {
        call.state = State::waiting;
        return;
    }
    call.state = State::adopting;
    call.worker = target;
    ++workers_[target].calls;
    SlotEntry& entry = slab_.directory[slot];
    entry.owner.store(target + 1);
    entry.moves.fetch_add(1);
    ControlPacket packet = make_packet(PacketType::adopt, slot, call.call);
    packet.arg = call.source;
    if (entry.deaths.load() >= deaths_max || entry.excused_deaths.load() >= excused_deaths_max) {
        packet.flags |= packet_flag_poison;
        slab_.poisoned.fetch_add(std::exchange(call.poisoned, true) ? 0 : 1);
    }
    packet.flags |= call.lost ? packet_flag_lost : 0;
    packet.flags |= call.foreign ? packet_flag_foreign : 0;
    const bool reads_it = slab_.workers[target].region.load() == entry.region.load();
    packet.flags |= reads_it || call.foreign ? 0 : packet_flag_snapshot;
    out.push_back({VaultCommand::Kind::send, target, packet});
}

void CallVault::release(std::uint32_t slot, Call& call, VaultCommands& out) {
    call.state = State::releasing;
    ControlPacket packet = make_packet(PacketType::release, slot, call.call);
    packet.flags |= several_layouts() ? packet_flag_snapshot : 0;
    out.push_back({VaultCommand::Kind::send, call.worker, packet});
}

void CallVault::balance(std::uint32_t slot, Call& call, VaultCommands& out) {
    const std::uint32_t other = lightest();
    if (other == no_slot || other == call.worker || workers_.at(other).leaving) {
        return;
    }
    const Worker& here = workers_.at(call.worker);
    if (here.leaving || here.calls > workers_.at(other).calls + imbalance_max) {
        release(slot, call, out);
    }
}

void CallVault::lose(std::uint32_t slot) {
    const auto found = calls_.find(slot);
    if (found->second.state != State::waiting) {
        if (const auto worker = workers_.find(found->second.worker); worker != workers_.end()) {
            --worker->second.calls;
        }
    }
    calls_.erase(found);
}

// The call has a worker again, or is over: whoever released it may let its socket go.
void CallVault::part(std::uint32_t slot, Call& call, VaultCommands& out) {
    const std::uint32_t keeper = std::exchange(call.keeper, no_keeper);
    // An adopter that gets its own call back has forgotten that it ever gave it up.
    if (keeper != call.worker && workers_.contains(keeper)) {
        out.push_back({VaultCommand::Kind::send, keeper, make_packet(PacketType::parted, slot, call.call)});
    }
}

void CallVault::restore_worker(std::uint32_t worker, bool leaving, std::uint64_t began_later) {
    workers_[worker] = {0, leaving, began_later};
}

void CallVault::restore_call(std::uint32_t worker, const CallReport& report, VaultCommands& out) {
    const auto parted = [&](std::uint32_t to) {
        out.push_back({VaultCommand::Kind::send, to, make_packet(PacketType::parted, report.slot, report.call)});
    };
    const SlotEntry* const entry = report.slot < call_slots_max ? &slab_.directory[report.slot] : nullptr;
    if (entry == nullptr || entry->call.load() != report.call) {
        if (report.released) {
            parted(worker);  // The call it gave away has ended meanwhile.
        }
        return;
    }
    const auto [found, is_new] = calls_.try_emplace(report.slot);
    Call& call = found->second;
    if (report.released) {
        if (!is_new) {
            return parted(worker);  // Served, or kept by another: one is enough, and we have a duplicate.
        }
        // Whose staging area may hold bytes: the slot's owner, be it the one who gave up or one who took and died.
        const std::uint32_t owner = entry->owner.load();
        call = {report.call, State::waiting, worker, owner == no_worker ? worker : owner - 1};
        call.keeper = worker;
        call.lost = call.source != worker && slab_.blind.load() != 0;
        return;
    }
    if (!is_new && call.keeper != no_keeper) {
        parted(call.keeper);
    }
    call = {report.call, State::serving, worker, worker};
    ++workers_[worker].calls;
}

void CallVault::restore_kept(std::uint32_t slot, std::uint64_t call) {
    if (slot >= call_slots_max || slab_.directory[slot].call.load() != call || calls_.contains(slot)) {
        return;  // Over, or told of by the worker that has it.
    }
    const std::uint32_t owner = slab_.directory[slot].owner.load();
    if (owner != no_worker && !workers_.contains(owner - 1)) {
        Call& kept = calls_[slot];
        kept = {call, State::waiting, owner - 1, owner - 1};
        kept.lost = slab_.blind.load() != 0;
    }
}

bool CallVault::calls_wait() const {
    return std::ranges::any_of(calls_, [](const auto& call) { return call.second.state == State::waiting; });
}

std::optional<std::uint8_t> CallVault::region_to_rescue() const {
    for (const auto& [slot, call] : calls_) {
        if (!workers_.empty() && call.state == State::waiting) {
            return slab_.directory[slot].region.load();
        }
    }
    return std::nullopt;
}

void CallVault::give_up(std::uint8_t region, VaultCommands& out) {
    for (auto& [slot, call] : calls_) {
        if (call.state == State::waiting && slab_.directory[slot].region.load() == region) {
            call.foreign = true;
            place(slot, call, out);
        }
    }
}

bool CallVault::at_rest() const {
    return std::all_of(calls_.begin(), calls_.end(),
                       [](const auto& entry) { return entry.second.state == State::serving; });
}

std::uint64_t CallVault::call_in(std::uint32_t slot) const {
    const auto found = calls_.find(slot);
    return found == calls_.end() ? 0 : found->second.call;
}

void CallVault::finish_restore(const std::function<void(std::uint32_t slot)>& lost, VaultCommands& out) {
    for (std::uint32_t worker = 0; worker < worker_entries_max; ++worker) {
        if (slab_.workers[worker].seat.load() != 0 && !workers_.contains(worker)) {
            (void)count_death(worker, Death::killed);
            slab_.workers[worker].calls.store(0);
        }
    }
    for (std::uint32_t slot = 0; slot < call_slots_max; ++slot) {
        SlotEntry& entry = slab_.directory[slot];
        const std::uint32_t owner = entry.owner.load();
        if (owner == no_worker || calls_.contains(slot)) {
            continue;
        }
        // A living worker's slot that it did not tell of: taken a moment ago, or meant for it by an order that never
        // left the dead supervisor, which took the socket along.
        const auto living = workers_.find(owner - 1);
        if (living != workers_.end() && (entry.call.load() == 0 || entry.call.load() >= living->second.began_later)) {
            continue;
        }
        lost(slot);
        entry.call.store(0);
        entry.owner.store(no_worker);
    }
    for (auto& [slot, call] : calls_) {
        if (call.state == State::waiting) {
            place(slot, call, out);
        }
    }
    // What a leaving worker was not yet told to let go of would end with it.
    for (const auto& [worker, facts] : workers_) {
        if (facts.leaving) {
            on_leaving(worker, out);
        }
    }
}

// It died between claiming a slot and telling us of the call: nobody else knows that connection, and it died with it.
void CallVault::free_unannounced(std::uint32_t worker) {
    for (std::uint32_t slot = 0; slot < call_slots_max; ++slot) {
        SlotEntry& entry = slab_.directory[slot];
        if (entry.owner.load() == worker + 1 && calls_.find(slot) == calls_.end()) {
            // With a `start` it had been announced, and is only not tidied up.
            slab_.calls_lost.fetch_add(entry.call.load() != 0 && entry.sid_key.load() == 0 ? 1 : 0);
            entry.call.store(0);
            entry.owner.store(no_worker);
        }
    }
}

bool CallVault::count_death(std::uint32_t worker, Death death) {
    const std::uint32_t in_hand = slab_.workers[worker].slot_in_hand.load();
    const std::uint32_t adopting = slab_.workers[worker].slot_adopting.load();
    if (in_hand < call_slots_max) {
        SlotEntry& entry = slab_.directory[in_hand];
        (death == Death::of_itself ? entry.deaths : entry.excused_deaths).fetch_add(1);
    }
    if (adopting < call_slots_max) {
        slab_.directory[adopting].excused_deaths.fetch_add(1);
    }
    return in_hand < call_slots_max;
}

template <class Fits>
std::uint32_t CallVault::lightest_where(Fits fits) const {
    std::uint32_t best = no_slot;
    const auto weight = [](const Worker& worker) { return std::pair(worker.leaving, worker.calls); };
    for (const auto& [number, worker] : workers_) {
        if (fits(number) && (best == no_slot || weight(worker) < weight(workers_.at(best)))) {
            best = number;
        }
    }
    return best;
}

std::uint32_t CallVault::lightest() const {
    return lightest_where([](std::uint32_t) { return true; });
}

std::uint32_t CallVault::lightest_for(std::uint32_t slot, const Call& call) const {
    const std::uint8_t region = slab_.directory[slot].region.load();
    // A snapshot is good for as long as the memory it was made from is the call's: an adopter that died may have been
    // the first to write another.
    const bool anybody = call.foreign || (call.packed != no_region && call.packed == region);
    return lightest_where(
        [&](std::uint32_t worker) { return anybody || slab_.workers[worker].region.load() == region; });
}

bool CallVault::several_layouts() const {
    return std::any_of(workers_.begin(), workers_.end(), [&](const auto& worker) {
        return slab_.workers[worker.first].region.load() != slab_.workers[workers_.begin()->first].region.load();
    });
}

bool CallVault::entry_free(std::uint32_t worker) const {
    return workers_.find(worker) == workers_.end() &&
           std::none_of(calls_.begin(), calls_.end(), [&](const auto& entry) {
               const Call& call = entry.second;
               return call.worker == worker ||
                      ((call.state == State::adopting || call.state == State::waiting) && call.source == worker);
           });
}

std::uint32_t CallVault::calls_of(std::uint32_t worker) const {
    const auto found = workers_.find(worker);
    return found == workers_.end() ? 0 : found->second.calls;
}

}  // namespace agentlocator
