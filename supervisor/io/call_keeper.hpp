#pragma once
// Keeps a duplicate of every live call's socket and talks to the workers about them; CallVault decides. Also hands out
// the slab's worker entries. Single-threaded, never blocks.
//
// For each worker process: take_entry() before the spawn, attach() with our end of its control channel after it,
// on_died() when it was reaped.
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "common/io/packet_channel.hpp"
#include "supervisor/call_vault.hpp"
#include "supervisor/io/adoption.hpp"

namespace agentlocator {

class CallKeeper {
public:
    struct Events {
        std::function<void(std::uint32_t worker)> on_ready;    // The seat is serving.
        std::function<void(std::uint32_t worker)> on_drained;  // Nothing left; it is about to exit with 0.
    };

    CallKeeper(EventLoop& loop, CallSlab& slab, Events events);

    // An entry for a new process in seat `seat` (from 1), cleared; nothing when all are taken.
    [[nodiscard]] std::optional<std::uint32_t> take_entry(std::uint32_t seat);
    // The spawn failed: the entry was never used.
    void give_back(std::uint32_t worker);
    void attach(std::uint32_t worker, UniqueFd control);

    // A worker of a dead supervisor: all of them, then end_adoption(), which gives every call to somebody.
    void adopt(std::uint32_t worker, AdoptedChild& child);
    void keep(Adoption::Kept& call);
    // What no living worker has: log lines of dead workers, and WS_DONE of the calls that died with them, by seat.
    struct Remains {
        std::uint32_t seat = 0;
        std::string lines;
        std::uint64_t calls_served = 0;
    };
    [[nodiscard]] std::vector<Remains> end_adoption();

    // Nothing is on its way: an exec now loses no order and no call.
    [[nodiscard]] bool at_rest() const;
    [[nodiscard]] std::vector<KeptSocket> sockets() const;

    // Whom workers shall end when no supervisor comes back; the descriptor is copied.
    void set_bridge(int pidfd);

    // The worker takes no new connections and gives its calls away; it says `drained` when nothing is left.
    void drain(std::uint32_t worker);
    // The worker ends its calls now.
    void stop(std::uint32_t worker);
    struct WorkerEnd {
        std::string unsaid;         // Log lines it had not written yet.
        bool call_in_hand = false;  // It died while it handled a call's bytes.
        bool calls_wait = false;    // Nobody else lives who could take its calls.
        std::uint64_t lost = 0;     // Calls whose connections it had taken and not yet handed to us.
    };
    // Its calls go to the living.
    [[nodiscard]] WorkerEnd on_died(std::uint32_t worker, Death death);

    // No program is left that could read that region: its calls are cut.
    void give_up(std::uint8_t region);

    [[nodiscard]] const WorkerEntry& entry(std::uint32_t worker) const { return slab_.workers[worker]; }
    [[nodiscard]] const CallVault& vault() const { return vault_; }

private:
    void on_packet(std::uint32_t worker, ControlPacket packet, UniqueFd fd);
    void perform(const VaultCommands& commands);
    void drop_snapshot(std::uint32_t slot, std::uint64_t call);
    void send(std::uint32_t worker, PacketType type, int fd = -1);
    [[nodiscard]] std::string take_unsaid(std::uint32_t worker);

    EventLoop& loop_;
    CallSlab& slab_;
    Events events_;
    CallVault vault_;
    std::map<std::uint32_t, std::unique_ptr<PacketChannel>>
        channels_;                                 // By worker entry, also of the dead until reaped.
    std::map<std::uint32_t, UniqueFd> sockets_;    // By slot.
    std::map<std::uint32_t, UniqueFd> snapshots_;  // Of calls between two workers, by slot.
    UniqueFd bridge_;
    VaultCommands adoption_commands_;
};

}  // namespace agentlocator
