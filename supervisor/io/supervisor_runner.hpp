#pragma once
// The shell around the Supervisor machine: turns what happens to processes, signals, timers and operators into events,
// performs the actions, and says what it did. One thread, one event loop; decides nothing about restarts or order.
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "common/call_slab.hpp"
#include "common/io/event_loop.hpp"
#include "common/io/settings_source.hpp"
#include "supervisor/bridge_beat.hpp"
#include "supervisor/control_request.hpp"
#include "supervisor/heartbeat_policy.hpp"
#include "supervisor/io/adoption.hpp"
#include "supervisor/io/call_keeper.hpp"
#include "supervisor/io/child_process.hpp"
#include "supervisor/io/child_registry.hpp"
#include "supervisor/io/control_endpoint.hpp"
#include "supervisor/io/log_service.hpp"
#include "supervisor/io/notify_client.hpp"
#include "supervisor/io/port_proof.hpp"
#include "supervisor/io/program_check.hpp"
#include "supervisor/io/public_socket.hpp"
#include "supervisor/io/speech_seat.hpp"
#include "supervisor/line_history.hpp"
#include "supervisor/mode_control.hpp"
#include "supervisor/run.hpp"
#include "supervisor/status_document.hpp"
#include "supervisor/supervisor.hpp"

namespace agentlocator {

// What start-up prepared (io/run.cpp); all of it outlives the runner.
struct RunContext {
    const RunOptions* options = nullptr;
    LoadedSettings loaded;  // With AI enforced already, when it is.
    ModeSource mode_source = ModeSource::fallback;
    std::string instance;
    std::string build;
    std::string started_at;
    std::string bridge_detail;      // Not empty: why no bridge is started.
    std::string speech_detail;      // The same for the speech helper.
    SpeechSeat* speech = nullptr;   // Nothing when there is no helper.
    std::vector<Problem> problems;  // Found at the start; they stay.
    PublicSocket* socket = nullptr;
    CallSlab* slab = nullptr;
    int slab_fd = -1;
    LogService* logs = nullptr;
    Adoption* adoption = nullptr;      // What a dead supervisor left; empty on a fresh start.
    std::optional<Heritage> heritage;  // What we left ourselves, before an exec.
    int lock_fd = -1;
    NotifyClient* notify = nullptr;
    EventLoop* loop = nullptr;
};

[[nodiscard]] std::string child_name(const Seat& seat);  // "worker-1", "bridge", "speech": log and history.
[[nodiscard]] std::string slot_name(const Seat& seat);   // "1", "bridge", "speech": as people name it.

// Limits of the machine from the settings.
[[nodiscard]] SupervisorPlan make_plan(const Settings& settings, const RunOptions& options, bool bridge, bool speech);

class SupervisorRunner final : private ChildEvents {
public:
    explicit SupervisorRunner(RunContext context);
    ~SupervisorRunner();
    SupervisorRunner(const SupervisorRunner&) = delete;
    SupervisorRunner& operator=(const SupervisorRunner&) = delete;

    // Opens the control socket, starts everything and runs until the machine is finished.
    [[nodiscard]] ExitCode run();

private:
    // Facts about one name ("worker-1"), kept from process to process.
    struct NameRecord {
        LogTarget* target = nullptr;
        LineHistory history;
        std::optional<ExitRecord> last_exit;
        SlotState shown = SlotState::vacant;
        std::string spawn_fault;  // Why the last start of it was not even begun.
    };

    // ChildEvents
    void on_executed(ChildProcess& child, int exec_errno) override;
    void on_line(ChildProcess& child, std::string_view line) override;
    void on_died(ChildProcess& child) override;

    void tell_line(const std::string& name, std::string_view line);
    void tell_lines(const std::string& name, std::string_view text);
    void on_worker_ready(std::uint32_t entry);

    // Actions of the machine
    void perform();
    void perform_one(const SeatAction& action);
    void spawn(const Seat& seat);

    // Of a dead supervisor (runner_adoption.cpp)
    void adopt_all();
    void adopt_child(AdoptedChild& adopted, std::uint32_t number);
    [[nodiscard]] std::string made_for() const;
    [[nodiscard]] Result<ChildSpec> make_spec(const Seat& seat);
    [[nodiscard]] std::vector<std::string> make_environment(const ChildSpec& spec) const;
    void settle();
    void announce(const Seat& seat);
    void arm_machine_timer();

    // Becoming another build (runner_upgrade.cpp)
    [[nodiscard]] Result<std::uint64_t> request_upgrade(const std::string& folder);
    void perform_upgrade(UpgradeAction action);
    void leave_when_at_rest(TimePoint deadline);
    [[nodiscard]] Inheritance make_inheritance() const;
    void resume_upgrade();
    void watch_rolling();

    // Builds with other layouts of a call's memory (runner_layouts.cpp)
    void remember_program(const ChildProcess& worker);
    void tend_layouts();
    void rescue();
    [[nodiscard]] int program_of(std::uint8_t region) const;

    // The end of a child
    void bury(ChildProcess& child);
    void record_exit(const ChildProcess& child, const ExitFacts& facts);
    CallKeeper::WorkerEnd end_worker(ChildProcess& child, Death death);
    void sweep(const std::string& serial);
    void reap_orphans();

    // Other clocks and signals
    void open_signals();
    void on_signal();
    void handle_signal(int number);
    void begin_stop();
    void arm_heartbeats(TimePoint when);
    void on_bridge_beat(const ChildProcess& child, BridgeBeat beat);
    void arm_bridge_watch(TimePoint when, std::uint64_t serial);
    [[nodiscard]] std::optional<TimePoint> heartbeat_of(const ChildProcess& child) const;
    void arm_watchdog();
    void on_port_verdict(const PortProof::Verdict& verdict);
    void schedule_registry();
    void write_registry();
    void update_notify();

    // Operator's commands (runner_control.cpp)
    [[nodiscard]] ControlReply answer(const HttpRequest& request);
    [[nodiscard]] ControlReply answer(const RestartRequest& command);
    [[nodiscard]] ControlReply answer(const UpgradeRequest& command);
    [[nodiscard]] ControlReply answer(const ScaleRequest& command);
    [[nodiscard]] ControlReply answer(const ModeRequest& command);
    [[nodiscard]] ControlReply answer(const LogsQuery& query);
    [[nodiscard]] Result<std::string> reload();

    // Status (runner_status.cpp)
    [[nodiscard]] StatusView status_view() const;
    [[nodiscard]] ChildView child_view(const Seat& seat, TimePoint now) const;
    [[nodiscard]] std::vector<Problem> problems() const;
    [[nodiscard]] std::uint64_t log_losses(const NameRecord& record, const ChildProcess* child) const;

    void say(std::string_view line);
    NameRecord& name_record(const std::string& name);
    [[nodiscard]] ChildProcess* child_of(SeatId seat) const;

    RunContext context_;
    Settings settings_;
    EventLoop& loop_;
    Supervisor machine_;
    ModeControl mode_;
    HeartbeatLimits heartbeat_limits_;
    ChildRegistry registry_;
    CallKeeper keeper_;
    ControlEndpoint control_;
    PortProof port_proof_;
    Upgrade upgrade_;
    ProgramCheck program_check_;
    UniqueFd old_program_;   // While the new build has to prove itself: the one to go back to, ...
    UniqueFd old_worker_;    // ... and its workers.
    UniqueFd worker_image_;  // After going back: what workers are started from instead of the file on the disk.
    std::map<std::uint8_t, UniqueFd> programs_;  // Of the workers that can read each region of the slab.
    std::uint8_t rescued_region_ = no_region;    // What the rescuer is for.
    int rescues_ = 0;                            // Begun since all calls last had somebody.
    std::mt19937_64 random_;
    TimePoint started_;

    SeatActions actions_;
    bool performing_ = false;
    std::map<SeatId, std::unique_ptr<ChildProcess>> children_;
    std::vector<std::unique_ptr<ChildProcess>> graveyard_;  // Dead; destroyed after the current batch of events.
    std::map<std::string, NameRecord, std::less<>> names_;
    std::uint64_t next_serial_ = 1;

    UniqueFd signal_fd_;
    FunctionSink signal_sink_;
    EventLoop::TimerId machine_timer_ = 0;
    std::optional<TimePoint> machine_deadline_;
    EventLoop::TimerId heartbeat_timer_ = 0;
    EventLoop::TimerId bridge_timer_ = 0;
    EventLoop::TimerId watchdog_timer_ = 0;
    EventLoop::TimerId port_timer_ = 0;
    bool registry_scheduled_ = false;
    std::size_t gated_ = 0;  // Children that wait for their record.

    std::optional<ExitCode> exit_code_;
    bool said_ready_ = false;
    bool stop_told_ = false;
    bool port_ours_ = false;
    std::string port_detail_ = "not asked yet";
    std::string registry_fault_;
    std::string reload_fault_;
    std::string notified_status_;
    std::optional<BridgeBeat> bridge_beat_;  // The last one of the bridge that runs now.
    std::optional<TimePoint> bridge_beat_at_;
};

}  // namespace agentlocator
