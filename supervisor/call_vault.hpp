#pragma once
// Which worker carries which call: spreads new calls, moves calls away from a worker that leaves, and gives the calls
// of a dead worker to a living one. Pure: packets and deaths in, commands out; the sockets are kept by io/call_keeper.
//
//   serving --release--> releasing --call_released--> adopting --call_adopted--> serving
//      |                                                 ^
//      +-- its worker dies --> (waiting, nobody alive) --+       call_closed ends it from any state
//
// A worker keeps the socket of a call it released until `parted` says that another has the call: should this process
// die in between, the next one finds the connection there. What the workers of a dead supervisor report is taken in by
// restore_*, and then everything goes on as if nothing had happened.
//
// While a call is adopted, its last worker's staging area may hold bytes of it: that entry is not given to a new
// process before call_adopted (entry_free).
//
// While builds of several layouts live (common/call_slab.hpp), calls are released with a snapshot, which workers of any
// layout can read. What a dead worker carried can be read by its own layout only: if none of that lives, the call waits
// for a rescuer, a worker of that build that is started to hand it over, or is given up.
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <vector>

#include "common/call_slab.hpp"
#include "common/control_packet.hpp"

namespace agentlocator {

struct VaultCommand {
    enum class Kind : std::uint8_t {
        send,         // `packet` to worker `worker`; `adopt` carries the call's socket.
        drop_socket,  // Close our duplicate of packet.slot.
    };
    Kind kind = Kind::send;
    std::uint32_t worker = 0;  // Worker entry.
    ControlPacket packet;
};
using VaultCommands = std::vector<VaultCommand>;

// What a worker says after the death of a supervisor about one call.
struct CallReport {
    std::uint32_t slot = no_slot;
    std::uint64_t call = 0;
    bool released = false;  // It gave the call up and still keeps the socket; somebody else may serve it.
};

// of_itself: it crashed, hung or ended, which may be the fault of the call it had in hand. killed: by somebody else's
// SIGKILL, or nobody knows how.
enum class Death : std::uint8_t { of_itself, killed };

class CallVault {
public:
    // Reads who died of what from the slab, writes owners, frees what a dead worker claimed and never announced.
    explicit CallVault(CallSlab& slab) : slab_(slab) {}

    void on_ready(std::uint32_t worker, VaultCommands& out);
    // The worker takes no new calls; those it has move on if anybody else can take them.
    void on_leaving(std::uint32_t worker, VaultCommands& out);
    // Whatever it had sent before must have been handed in first.
    // True: it died with a call in hand, which is blamed for it.
    bool on_died(std::uint32_t worker, Death death, VaultCommands& out);
    // Packets of workers: call_opened, call_released, call_adopted, call_closed. Others are ignored.
    void on_packet(std::uint32_t worker, const ControlPacket& packet, VaultCommands& out);

    // After the death of another supervisor, in this order; every worker that is not restored must be dead by then.
    // `began_later`: calls with this serial number and above may be the worker's without having been told.
    void restore_worker(std::uint32_t worker, bool leaving, std::uint64_t began_later);
    void restore_call(std::uint32_t worker, const CallReport& report, VaultCommands& out);
    // A call whose socket this process kept across an exec; its worker may have died meanwhile.
    void restore_kept(std::uint32_t slot, std::uint64_t call);
    // Places what nobody serves, and frees the slots whose connection died with a worker; `lost` is asked first.
    void finish_restore(const std::function<void(std::uint32_t slot)>& lost, VaultCommands& out);

    // False for a call that has ended already: another may have its slot, and another worker's packets come first.
    [[nodiscard]] bool is_current(const ControlPacket& packet) const;
    [[nodiscard]] bool entry_free(std::uint32_t worker) const;
    // A call has nobody who could serve it.
    [[nodiscard]] bool calls_wait() const;
    // The region of a call that waits although workers live: none of them can read it.
    [[nodiscard]] std::optional<std::uint8_t> region_to_rescue() const;
    // No rescuer can be had for that region: the connections of its calls are cut, and Twilio asks stream_ended.
    void give_up(std::uint8_t region, VaultCommands& out);
    // No call is between two workers.
    [[nodiscard]] bool at_rest() const;
    [[nodiscard]] std::uint64_t call_in(std::uint32_t slot) const;  // 0: none.
    [[nodiscard]] std::size_t calls() const { return calls_.size(); }
    [[nodiscard]] std::uint32_t calls_of(std::uint32_t worker) const;
    // Take-overs and hand-overs, since the slab was made.
    [[nodiscard]] std::uint64_t moved() const { return slab_.calls_moved.load(); }
    // Calls closed because handling them ended two workers, since the slab was made.
    [[nodiscard]] std::uint64_t poisoned() const { return slab_.poisoned.load(); }

private:
    enum class State : std::uint8_t { serving, releasing, adopting, waiting };
    struct Call {
        std::uint64_t call = 0;
        State state = State::serving;
        std::uint32_t worker = 0;          // serving, releasing: who has it; adopting: who shall have it.
        std::uint32_t source = 0;          // adopting, waiting: whose staging area may hold bytes.
        std::uint32_t keeper = no_keeper;  // Who released it and keeps the socket until `parted`.
        bool poisoned = false;             // Counted; it is only still to be closed.
        bool lost = false;                 // Its worker died under a kernel that does not count: it can only be cut.
        bool foreign = false;              // Given up: nobody can read its memory, it can only be cut.
        std::uint8_t packed = no_region;   // A snapshot was made from this region's memory.
    };
    struct Worker {
        std::uint32_t calls = 0;  // Carried, or on their way to it.
        bool leaving = false;
        std::uint64_t began_later = 0;  // Restored: see restore_worker.
    };
    static constexpr std::uint32_t no_keeper = 0xffff'ffffU;

    void place(std::uint32_t slot, Call& call, VaultCommands& out);
    void release(std::uint32_t slot, Call& call, VaultCommands& out);
    void balance(std::uint32_t slot, Call& call, VaultCommands& out);
    void lose(std::uint32_t slot);
    void part(std::uint32_t slot, Call& call, VaultCommands& out);
    void free_unannounced(std::uint32_t worker);
    bool count_death(std::uint32_t worker, Death death);
    // The living worker with the fewest calls; those that leave only when nobody stays. no_slot: nobody.
    [[nodiscard]] std::uint32_t lightest() const;
    // The same among those who can go on with the call in `slot`.
    [[nodiscard]] std::uint32_t lightest_for(std::uint32_t slot, const Call& call) const;
    template <class Fits>
    [[nodiscard]] std::uint32_t lightest_where(Fits fits) const;
    [[nodiscard]] bool several_layouts() const;

    CallSlab& slab_;
    std::map<std::uint32_t, Call> calls_;      // By slot.
    std::map<std::uint32_t, Worker> workers_;  // Ready ones, by entry.
};

}  // namespace agentlocator
