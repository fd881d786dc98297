// A model of workers, their sockets and a supervisor that dies, too: whatever the order of events, a call whose socket
// a living process holds goes on, in one worker; every other one is freed and counted.
#include <doctest/doctest.h>

#include <algorithm>
#include <deque>
#include <map>
#include <memory>
#include <random>
#include <set>

#include "common/io/call_slab_file.hpp"
#include "supervisor/call_vault.hpp"

using namespace agentlocator;

namespace {

struct ModelWorker {
    std::deque<ControlPacket> inbox;                // Survives the supervisor: it lies in the worker's own queue.
    std::deque<ControlPacket> outbox;               // Dies with the supervisor.
    std::map<std::uint32_t, std::uint64_t> serves;  // slot -> call
    std::map<std::uint64_t, std::uint32_t> keeps;   // call -> slot: released, the socket still here.
};

ControlPacket packet(PacketType type, std::uint32_t slot, std::uint64_t call) {
    ControlPacket made;
    made.type = type;
    made.slot = slot;
    made.call = call;
    return made;
}

class Model {
public:
    explicit Model(std::uint32_t seed) : random_(seed), file_(*create_slab("model")) { start_supervisor(); }

    void step() {
        switch (random_() % 16) {
            case 0:
                return spawn();
            case 1:
                return kill(true);
            case 2:
                return supervisor_dies();
            case 3:
            case 4:
            case 5:
                return open();
            case 6:
                return close();
            case 7:
                return leave();
            default:
                return any() ? (random_() % 2 == 0 ? work(pick()) : supervise(pick())) : spawn();
        }
    }

    void settle() {
        if (!any()) {
            spawn();
        }
        for (bool busy = true; busy;) {
            busy = false;
            for (auto& [worker, state] : workers_) {
                busy = busy || !state.inbox.empty() || !state.outbox.empty();
                work(worker);
                supervise(worker);
            }
        }
    }

    void check() {
        std::map<std::uint32_t, std::uint64_t> served;
        for (const auto& [worker, state] : workers_) {
            CHECK(state.keeps.empty());
            for (const auto& [slot, call] : state.serves) {
                CHECK(served.emplace(slot, call).second);
                CHECK(slab().directory[slot].owner.load() == worker + 1);
                CHECK(sockets_.at(slot) == call);
            }
        }
        CHECK(served == calls_);
        CHECK(vault_->calls() == calls_.size());
        CHECK(sockets_.size() == calls_.size());
        std::size_t owned = 0;
        for (const SlotEntry& entry : slab().directory) {
            owned += entry.owner.load() == no_worker ? 0U : 1U;
        }
        CHECK(owned == calls_.size());
    }
    [[nodiscard]] std::size_t lost() const { return lost_; }

private:
    CallSlab& slab() { return *file_.slab; }
    [[nodiscard]] bool any() const { return !workers_.empty(); }
    std::uint32_t pick() { return std::next(workers_.begin(), static_cast<long>(random_() % workers_.size()))->first; }

    void start_supervisor() { vault_ = std::make_unique<CallVault>(slab()); }

    void spawn() {
        std::uint32_t worker = 0;
        while (workers_.count(worker) != 0 || !vault_->entry_free(worker)) {
            ++worker;
        }
        if (workers_.size() < 4) {
            slab().workers[worker].seat.store(worker + 1);
            slab().workers[worker].region.store(0);
            workers_[worker] = {};
            workers_[worker].outbox.push_back(packet(PacketType::ready, no_slot, 0));
        }
    }

    void open() {
        if (!any()) {
            return;
        }
        const std::uint32_t worker = pick();
        std::uint32_t slot = 0;
        while (slab().directory[slot].owner.load() != no_worker) {
            ++slot;
        }
        slab().directory[slot].owner.store(worker + 1);
        const std::uint64_t call = slab().next_call.fetch_add(1);
        slab().directory[slot].call.store(call);
        workers_[worker].serves[slot] = call;
        workers_[worker].outbox.push_back(packet(PacketType::call_opened, slot, call));
        calls_[slot] = call;
    }

    void close() {
        if (!any()) {
            return;
        }
        ModelWorker& state = workers_[pick()];
        if (state.serves.empty()) {
            return;
        }
        const auto [slot, call] = *state.serves.begin();
        state.serves.erase(slot);
        state.outbox.push_back(packet(PacketType::call_closed, slot, call));
        slab().directory[slot].call.store(0);
        slab().directory[slot].owner.store(no_worker);
        calls_.erase(slot);
    }

    void leave() {
        if (any()) {
            VaultCommands out;
            vault_->on_leaving(pick(), out);
            perform(out);
        }
    }

    // The worker takes one packet.
    void work(std::uint32_t worker) {
        ModelWorker& state = workers_[worker];
        if (state.inbox.empty()) {
            return;
        }
        const ControlPacket order = state.inbox.front();
        state.inbox.pop_front();
        if (order.type == PacketType::parted) {
            state.keeps.erase(order.call);
        } else if (order.type == PacketType::adopt) {
            state.keeps.erase(order.call);
            state.serves[order.slot] = order.call;
            state.outbox.push_back(packet(PacketType::call_adopted, order.slot, order.call));
        } else if (order.type == PacketType::release) {
            const auto found = state.serves.find(order.slot);
            if (found != state.serves.end() && found->second == order.call) {
                state.serves.erase(found);
                state.keeps[order.call] = order.slot;
                state.outbox.push_back(packet(PacketType::call_released, order.slot, order.call));
            }
        }
    }

    // The supervisor takes one packet of this worker.
    void supervise(std::uint32_t worker) {
        ModelWorker& state = workers_[worker];
        if (state.outbox.empty()) {
            return;
        }
        const ControlPacket said = state.outbox.front();
        state.outbox.pop_front();
        VaultCommands out;
        if (said.type == PacketType::ready) {
            vault_->on_ready(worker, out);
        } else {
            if (said.type == PacketType::call_opened && vault_->is_current(said)) {
                sockets_[said.slot] = said.call;
            }
            vault_->on_packet(worker, said, out);
        }
        perform(out);
    }

    void perform(const VaultCommands& commands) {
        for (const VaultCommand& command : commands) {
            if (command.kind == VaultCommand::Kind::drop_socket) {
                sockets_.erase(command.packet.slot);
                continue;
            }
            if (command.packet.type == PacketType::adopt) {
                REQUIRE(sockets_.at(command.packet.slot) == command.packet.call);
            }
            if (const auto found = workers_.find(command.worker); found != workers_.end()) {
                found->second.inbox.push_back(command.packet);
            }
        }
    }

    void kill(bool noticed) {
        if (!any()) {
            return;
        }
        const std::uint32_t worker = pick();
        if (noticed) {
            while (!workers_[worker].outbox.empty()) {
                supervise(worker);
            }
        }
        ModelWorker gone = std::move(workers_[worker]);
        workers_.erase(worker);
        if (noticed) {
            VaultCommands out;
            vault_->on_died(worker, Death::killed, out);
            perform(out);
            slab().workers[worker].seat.store(0);
        }
    }

    void supervisor_dies() {
        for (auto more = random_() % 3; more > 0; --more) {
            kill(false);  // At the same time.
        }
        sockets_.clear();
        std::set<std::uint64_t> held;
        for (auto& [worker, state] : workers_) {
            while (!state.inbox.empty()) {
                work(worker);
            }
            state.outbox.clear();
            for (const auto& [slot, call] : state.serves) {
                held.insert(call);
            }
            for (const auto& [call, slot] : state.keeps) {
                held.insert(call);
            }
        }
        const std::size_t before = lost_;
        const std::size_t unheld = static_cast<std::size_t>(std::count_if(
            calls_.begin(), calls_.end(), [&](const auto& entry) { return held.count(entry.second) == 0; }));
        start_supervisor();
        VaultCommands out;
        for (auto& [worker, state] : workers_) {
            vault_->restore_worker(worker, random_() % 8 == 0, slab().next_call.load());
            for (const auto& [slot, call] : state.serves) {
                sockets_[slot] = call;
                vault_->restore_call(worker, {slot, call, false}, out);
            }
            for (const auto& [call, slot] : state.keeps) {
                if (slab().directory[slot].call.load() == call) {
                    sockets_[slot] = call;
                }
                vault_->restore_call(worker, {slot, call, true}, out);
            }
            // What it begins after it told, and before the supervisor looks at the slab.
            if (random_() % 4 == 0) {
                open();
            }
        }
        vault_->finish_restore(
            [&](std::uint32_t slot) {
                ++lost_;
                calls_.erase(slot);
            },
            out);
        CHECK(lost_ - before == unheld);
        perform(out);
        for (std::uint32_t worker = 0; worker < worker_entries_max; ++worker) {
            if (workers_.count(worker) == 0) {
                slab().workers[worker].seat.store(0);
            }
        }
    }

    std::mt19937 random_;
    SlabFile file_;
    std::unique_ptr<CallVault> vault_;
    std::map<std::uint32_t, ModelWorker> workers_;
    std::map<std::uint32_t, std::uint64_t> sockets_;  // The supervisor's duplicates, by slot.
    std::map<std::uint32_t, std::uint64_t> calls_;    // slot -> call: those that shall live.
    std::size_t lost_ = 0;
};

}  // namespace

TEST_CASE("call_recovery: supervisors and workers that die in any order lose no call that a living process holds") {
    std::size_t lost = 0;
    for (std::uint32_t seed = 0; seed < 300; ++seed) {
        CAPTURE(seed);
        Model model(seed);
        for (int i = 0; i < 300; ++i) {
            model.step();
        }
        model.settle();
        model.check();
        lost += model.lost();
    }
    CHECK(lost > 0);  // Workers did die together with their supervisor.
}
