#pragma once
// One running child of ours with what the supervisor holds of it: pidfd, exec report, output pipe. Watches them in the
// event loop and reports; decides nothing. Owned by the runner.
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "common/io/event_loop.hpp"
#include "common/io/unique_fd.hpp"
#include "common/result.hpp"
#include "supervisor/exit_cause.hpp"
#include "supervisor/io/log_writer.hpp"
#include "supervisor/io/spawner.hpp"
#include "supervisor/line_splitter.hpp"
#include "supervisor/seat_id.hpp"

namespace agentlocator {

inline constexpr int output_pipe_bytes = 1024 * 1024;  // What a child may write while we look elsewhere.
// Read from one child in one turn of the loop, and in one period: a child that writes without pause must not starve
// its brothers or the control socket, nor burn a core that calls need.
inline constexpr std::size_t output_turn_bytes = 64 * 1024;
inline constexpr std::size_t output_period_bytes = 2 * 1024 * 1024;
inline constexpr Duration output_period = 100ms;

struct ChildSpec {
    SeatId seat{};
    std::uint32_t number = 0;  // 0: the bridge.
    std::string name;          // "worker-1", "bridge": log target and prefix.
    std::uint32_t entry = 0;   // Worker entry in the slab.
    std::uint64_t serial = 0;  // Of this process, never reused; in its environment, to know its descendants by.
    std::string made_for;      // Fingerprint of the settings and the build it was started with.
    SpawnPlan plan;            // `output` and the control channel in `passed` are filled in by start().
    bool is_worker = false;    // Has a control channel (as descriptor 4), and an output that never blocks it.
    bool is_speech = false;
};

class ChildProcess;

struct AdoptedIdentity {
    pid_t pid = 0;
    std::uint64_t start_ticks = 0;
    UniqueFd pidfd;
};

class ChildEvents {
public:
    virtual void on_executed(ChildProcess& child, int exec_errno) = 0;  // 0: the program runs.
    virtual void on_line(ChildProcess& child, std::string_view line) = 0;
    virtual void on_died(ChildProcess& child) = 0;  // Dead and not reaped yet.

protected:
    ChildEvents() = default;
    ChildEvents(const ChildEvents&) = default;
    ChildEvents& operator=(const ChildEvents&) = default;
    ~ChildEvents() = default;
};

class ChildProcess {
public:
    // The child waits at its gate afterwards.
    [[nodiscard]] static Result<std::unique_ptr<ChildProcess>> start(EventLoop& loop, ChildEvents& events,
                                                                     ChildSpec spec, TimePoint now);
    // One that an earlier supervisor started, pinned by `pidfd`. Its output is read on where it was left.
    [[nodiscard]] static Result<std::unique_ptr<ChildProcess>> adopt(EventLoop& loop, ChildEvents& events,
                                                                     ChildSpec spec, TimePoint spawned_at,
                                                                     AdoptedIdentity identity);
    ~ChildProcess();
    ChildProcess(const ChildProcess&) = delete;
    ChildProcess& operator=(const ChildProcess&) = delete;

    void release() { open_gate(process_); }
    // Whether it was delivered.
    bool signal(int number) const { return signal_child(process_.pid, process_.pidfd.get(), number); }
    // Everything in its process group, which has the leader's number as long as that is not reaped.
    void kill_group() const;
    // Kills what is left of its group, then takes its status. Nothing: it lives.
    [[nodiscard]] std::optional<ExitFacts> reap();
    // The rest of its output, bounded. After reap().
    void drain_output();
    // No more events; the object may be destroyed after the current batch.
    void unwatch();
    // Our end of the control channel; whoever keeps calls talks over it. Once.
    [[nodiscard]] UniqueFd take_control() { return std::move(control_); }

    [[nodiscard]] const ChildSpec& spec() const { return spec_; }
    [[nodiscard]] int pidfd() const { return process_.pidfd.get(); }
    [[nodiscard]] pid_t pid() const { return process_.pid; }
    [[nodiscard]] std::uint64_t start_ticks() const { return start_ticks_; }  // For its record; see child_record.hpp.
    [[nodiscard]] TimePoint spawned_at() const { return spawned_at_; }

    // Notes of the runner for the exit record.
    ExitFacts notes;

private:
    ChildProcess(EventLoop& loop, ChildEvents& events, ChildSpec spec, TimePoint now);
    [[nodiscard]] Result<void> launch();
    void watch();
    [[nodiscard]] bool has_ended() const;
    [[nodiscard]] ExitFacts ended_elsewhere() const;
    void read_exec_report();
    void read_output();
    [[nodiscard]] std::size_t read_once();
    void pause_output(TimePoint until);

    EventLoop& loop_;
    ChildEvents& events_;
    ChildSpec spec_;
    TimePoint spawned_at_;

    Spawned process_;
    std::uint64_t start_ticks_ = 0;
    UniqueFd output_;
    UniqueFd control_;
    LineSplitter splitter_;
    LineSplitter::Sink line_sink_;
    std::size_t period_bytes_ = 0;
    TimePoint period_start_;
    EventLoop::TimerId resume_timer_ = 0;

    FunctionSink death_sink_;
    FunctionSink exec_sink_;
    FunctionSink output_sink_;
};

}  // namespace agentlocator
