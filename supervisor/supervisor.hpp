#pragma once
// The whole: which processes there should be, in which order they start, are replaced and end. Pure: events and time
// in, actions for seats out; the shell (io/supervisor_runner) performs them and reports back.
//
//   starting --all workers ready--> running <--> degraded (a slot waits, is held, or starts again)
//        \______________________________|______________/
//                                       v stop, or every worker slot held
//                                   stopping --nothing left, or the stop deadline--> finished
//
// A seat is a slot plus its part in the pool. During a rolling restart the seat with number 3 has a successor with the
// same number; when that is ready it becomes the current one and the old seat leaves. One number at a time.
// The bridge and the speech helper are independent: whatever they do, no worker hears of it.
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/exit_code.hpp"
#include "common/result.hpp"
#include "common/time.hpp"
#include "supervisor/process_slot.hpp"
#include "supervisor/restart_policy.hpp"
#include "supervisor/seat_id.hpp"

namespace agentlocator {

// Two generations of every worker fit into the slab's worker entries (common/call_slab.hpp).
inline constexpr std::uint32_t workers_max = 120;

enum class SeatRole : std::uint8_t { current, successor, outgoing, bridge, speech };
[[nodiscard]] constexpr bool is_worker(SeatRole role) {
    return role != SeatRole::bridge && role != SeatRole::speech;
}

struct Seat {
    SeatId id{};
    std::uint32_t number = 0;  // As people see it, from 1; 0: no worker.
    SeatRole role = SeatRole::current;
    ProcessSlot slot;
    std::uint32_t spawns = 0;  // Of this number, successors included.
    bool rescuer = false;      // Started to hand the calls of a dead worker over, and to leave.
};

struct SeatAction {
    SeatId seat{};
    SlotAction action = SlotAction::none;
    friend bool operator==(const SeatAction&, const SeatAction&) = default;
};
using SeatActions = std::vector<SeatAction>;

struct SupervisorPlan {
    std::uint32_t workers = 2;
    bool bridge = false;
    bool speech = false;
    SlotLimits worker_limits;
    SlotLimits helper_limits;  // Of the bridge and the speech helper: SIGTERM without a drain.
    RestartLimits restart;
    Duration stop_margin =
        10s;  // Beyond the sum of a stop's deadlines: a process in the kernel's hands cannot be ended.
};

enum class SupervisorState : std::uint8_t { starting, running, degraded, stopping };
[[nodiscard]] std::string_view to_string(SupervisorState state);

// What `restart` names: one worker, the bridge, the speech helper, or everything.
struct RestartTarget {
    enum class Kind : std::uint8_t { worker, bridge, speech, all } kind = Kind::all;
    std::uint32_t number = 0;
};

class Supervisor {
public:
    explicit Supervisor(const SupervisorPlan& plan) : plan_(plan) {}

    // Before on_start: a process that an earlier supervisor left in this number. A second one of the same number is an
    // unfinished replacement: the later one stays.
    struct Adopted {
        std::uint32_t number = 0;  // 0: the bridge.
        bool leaving = false;      // It had been told to go.
        std::uint32_t spawns = 1;
        std::uint32_t level = 0;
        std::deque<TimePoint> crashes;
    };
    // Before on_start: another number than the plan's.
    void plan_workers(std::uint32_t workers) { plan_.workers = workers; }
    [[nodiscard]] SeatId adopt(TimePoint now, const Adopted& process, SeatActions& out);

    // Events. Each appends to `out` what the shell must do, in order.
    // Starts what was not adopted, and sends away what is too many.
    void on_start(TimePoint now, SeatActions& out);
    void on_spawn_failed(TimePoint now, SeatId seat, std::uint64_t random, SeatActions& out);
    void on_ready(TimePoint now, SeatId seat, SeatActions& out);
    void on_exited(TimePoint now, SeatId seat, ExitKind kind, std::uint64_t random, SeatActions& out);
    void on_hang(TimePoint now, SeatId seat, SeatActions& out);
    void on_deadline(TimePoint now, SeatActions& out);
    // The first ends everything in order; each further one goes to the next, harsher step.
    void on_stop(TimePoint now, SeatActions& out);

    // A process of its own beside those of this number: of another build, whose memory of calls only it can read. It
    // leaves as soon as it serves, and is not started again.
    void rescue(TimePoint now, std::uint32_t number, SeatActions& out);
    [[nodiscard]] bool rescuing() const;

    // Commands of the operator. An error leaves everything as it was.
    [[nodiscard]] Result<void> restart(TimePoint now, RestartTarget target, bool rolling, SeatActions& out);
    [[nodiscard]] Result<void> scale(TimePoint now, std::uint32_t workers, SeatActions& out);
    // New limits after a reload; the number of workers and the bridge are not touched.
    void set_limits(const SupervisorPlan& plan);

    [[nodiscard]] std::optional<TimePoint> deadline() const;
    [[nodiscard]] SupervisorState state() const;
    [[nodiscard]] std::optional<ExitCode> finished(TimePoint now) const;
    [[nodiscard]] const std::vector<Seat>& seats() const { return seats_; }
    [[nodiscard]] const Seat* find(SeatId seat) const;
    [[nodiscard]] std::uint32_t workers() const { return plan_.workers; }
    [[nodiscard]] bool rolling() const { return rolling_.has_value(); }
    // Why the last rolling restart was given up; empty after one that went through.
    [[nodiscard]] const std::string& rolling_fault() const { return rolling_fault_; }

private:
    struct Rolling {
        std::deque<std::uint32_t> left;
        std::optional<SeatId> successor;
        std::optional<SeatId> leaving;
    };

    Seat& add(std::uint32_t number, SeatRole role);
    Seat* find_mutable(SeatId seat);
    Seat* current(std::uint32_t number);
    Seat* helper(SeatRole role);
    void add_helper(TimePoint now, SeatRole role, SeatActions& out);
    void act(Seat& seat, SlotAction action, SeatActions& out);
    void settle(TimePoint now, SeatActions& out);
    void advance_rolling(TimePoint now, SeatActions& out);
    [[nodiscard]] bool roll_one(TimePoint now, SeatActions& out);
    void begin_stop(TimePoint now, ExitCode code, SeatActions& out);
    void remove_empty();
    [[nodiscard]] bool all_held() const;

    SupervisorPlan plan_;
    std::vector<Seat> seats_;
    std::uint64_t next_seat_ = 1;
    bool was_running_ = false;
    std::optional<Rolling> rolling_;
    std::string rolling_fault_;
    std::optional<TimePoint> stop_deadline_;  // Set: stopping.
    ExitCode exit_code_ = ExitCode::ok;
};

}  // namespace agentlocator
