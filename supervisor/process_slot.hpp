#pragma once
// One place for a child process, a worker or the bridge, and the life of whatever process is in it. Pure: events and
// time go in, one action comes out; the shell performs it and reports back.
//
//            on_start                on_ready             on_stop            on_exited
//   vacant ----------> starting ------------> serving ------------> draining ----------> vacant, or starting again
//                         |  ^                   |                     | deadline: terminate
//                         |  | deadline          | on_hang: abort      v
//               on_exited |  +---- waiting <-----+--------------> stopping -- deadline: kill, and kill again
//                         v           ^   on_exited (a crash)          |
//                        held <-------+--------------------------------+
//
// * A slot has at most one process: spawn is only ever asked for when the last one was reported gone.
// * starting, draining, stopping and waiting have a deadline; serving, held and vacant have none.
// * A silent start and a hang are both answered with SIGABRT (a backtrace is kept), then SIGKILL.
// * Late or repeated events change nothing.
#include <cstdint>
#include <optional>
#include <string_view>

#include "common/time.hpp"
#include "supervisor/restart_policy.hpp"

namespace agentlocator {

enum class SlotState : std::uint8_t { vacant, starting, serving, draining, waiting, held, stopping };
[[nodiscard]] std::string_view to_string(SlotState state);

enum class SlotAction : std::uint8_t {
    none,
    spawn,
    drain,      // Tell it over the control channel to accept no more and finish.
    terminate,  // SIGTERM, with SIGCONT so that a stopped process can react.
    abort,      // SIGABRT, to keep a backtrace.
    kill,       // SIGKILL to its whole process group.
};
[[nodiscard]] std::string_view to_string(SlotAction action);

enum class ExitKind : std::uint8_t {
    ordinary,   // Whether it was a crash depends on what we had asked for.
    permanent,  // It says that starting it again cannot help (wrong settings, missing program): hold at once.
    awaited,    // As ordinary, but calls have no other worker to go to.
    of_a_call,  // A call's bytes were being handled: the call is judged (CallVault), not the slot.
};

struct SlotLimits {
    Duration start = 15s;  // Spawned to ready. Loading a worker takes tens of ms; a swapping host a few seconds.
    Duration drain = 30s;  // Zero: no drain, straight to SIGTERM (the bridge).
    Duration term = 5s;    // SIGTERM to SIGKILL.
    Duration abort = 3s;   // SIGABRT to SIGKILL: writing a core takes a moment.
    Duration kill_again = 1s;
};

class ProcessSlot {
public:
    ProcessSlot(SlotLimits limits, RestartLimits restart) : limits_(limits), policy_(restart) {}

    // Fills the slot. In `held` and `waiting` the crashes of the past are forgiven: somebody asked.
    [[nodiscard]] SlotAction on_start(TimePoint now);
    // A process of an earlier supervisor that serves already, or is leaving.
    void on_adopted(TimePoint now, const RestartPolicy& past, bool leaving);
    [[nodiscard]] SlotAction on_spawn_failed(TimePoint now, std::uint64_t random);
    [[nodiscard]] SlotAction on_ready(TimePoint now);
    [[nodiscard]] SlotAction on_exited(TimePoint now, ExitKind kind, std::uint64_t random);
    [[nodiscard]] SlotAction on_hang(TimePoint now);
    [[nodiscard]] SlotAction on_deadline(TimePoint now);
    // Empties the slot in order. start_again: a restart; an empty or held slot then starts at once.
    enum class After : std::uint8_t { vacate, start_again };
    [[nodiscard]] SlotAction on_stop(TimePoint now, After after);
    // Skips to the next, harsher step of a stop in progress.
    [[nodiscard]] SlotAction on_hurry(TimePoint now);

    void set_limits(SlotLimits limits, RestartLimits restart);
    // A successor that takes this slot's number also takes its past.
    [[nodiscard]] const RestartPolicy& policy() const { return policy_; }
    void inherit(const RestartPolicy& policy) { policy_ = policy; }

    [[nodiscard]] SlotState state() const { return state_; }
    [[nodiscard]] std::optional<TimePoint> deadline() const { return deadline_; }
    [[nodiscard]] bool has_process() const;
    [[nodiscard]] TimePoint ready_at() const { return ready_at_; }
    // Held because the process itself said that another start cannot help, not because it crashed too often.
    [[nodiscard]] bool held_for_good() const { return state_ == SlotState::held && permanent_; }

private:
    enum class Next : std::uint8_t { vacate, start_again, crashed };  // What the end of the process will mean.
    enum class Step : std::uint8_t { term, abort, kill };             // How far `stopping` has gone.

    SlotAction spawn(TimePoint now);
    SlotAction stop_with(TimePoint now, Step step);
    SlotAction crash(TimePoint now, Duration served, bool awaited, std::uint64_t random);
    void rest(SlotState state);

    SlotLimits limits_;
    RestartPolicy policy_;

    SlotState state_ = SlotState::vacant;
    std::optional<TimePoint> deadline_;
    TimePoint ready_at_{};
    Duration served_{};  // Of the process being stopped after a hang.
    Next next_ = Next::crashed;
    Step step_ = Step::term;
    bool permanent_ = false;
};

}  // namespace agentlocator
