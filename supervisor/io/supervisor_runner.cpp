#include "supervisor/io/supervisor_runner.hpp"

#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <utility>

#include "common/ensure.hpp"
#include "common/log_line.hpp"
#include "supervisor/io/build_id.hpp"
#include "supervisor/io/leftovers.hpp"

namespace agentlocator {
namespace {

constexpr Duration port_recheck = 60s;  // A stolen port is rare; a look a minute costs nothing.
constexpr Duration port_retry = 1s;

std::int64_t milliseconds(Duration duration) {
    return std::chrono::duration_cast<std::chrono::milliseconds>(duration).count();
}

}  // namespace

SupervisorPlan make_plan(const Settings& settings, const RunOptions& options, bool bridge, bool speech) {
    SupervisorPlan plan;
    plan.workers = settings.workers;
    plan.bridge = bridge;
    plan.speech = speech;
    plan.worker_limits.start = options.start_timeout;
    plan.worker_limits.drain = settings.drain_timeout;
    plan.worker_limits.term = settings.term_timeout;
    plan.helper_limits = plan.worker_limits;
    plan.helper_limits.drain = Duration::zero();
    plan.restart.crash_limit = settings.crash_limit;
    plan.restart.crash_window = settings.crash_window;
    plan.restart.healthy = options.healthy_after;
    return plan;
}

SupervisorRunner::SupervisorRunner(RunContext context)
    : context_(std::move(context)),
      settings_(context_.loaded.parsed.settings),
      loop_(*context_.loop),
      machine_(make_plan(settings_, *context_.options, context_.bridge_detail.empty(), context_.speech != nullptr)),
      mode_(settings_.ws_mode, context_.mode_source, context_.options->enforce_ai),
      heartbeat_limits_{.hang_timeout = settings_.hang_timeout},
      registry_(settings_.runtime_dir, context_.instance),
      keeper_(loop_, *context_.slab,
              {[this](std::uint32_t entry) { on_worker_ready(entry); }, [](std::uint32_t /*entry*/) {}}),
      control_(loop_, [this](const HttpRequest& request) { return answer(request); }),
      port_proof_(loop_, context_.socket->address, context_.socket->port, context_.instance,
                  [this](const PortProof::Verdict& verdict) { on_port_verdict(verdict); }),
      upgrade_(context_.build, own_layout()),
      program_check_(loop_, [this](const Result<BuildFacts>& facts) { perform_upgrade(upgrade_.on_checked(facts)); }),
      random_(std::random_device{}()),
      started_(Clock::now()),
      signal_sink_([this](std::uint32_t) { on_signal(); }) {}

SupervisorRunner::~SupervisorRunner() {
    for (const EventLoop::TimerId timer :
         {machine_timer_, heartbeat_timer_, bridge_timer_, watchdog_timer_, port_timer_}) {
        loop_.cancel(timer);
    }
    if (signal_fd_) {
        loop_.remove(signal_fd_.get(), signal_sink_);
    }
}

ExitCode SupervisorRunner::run() {
    open_signals();
    if (const auto opened = control_.open(settings_.runtime_dir); !opened) {
        say(log_line("control_failed", {{"reason", opened.error().detail}}));
        return ExitCode::failed;
    }
    arm_watchdog();
    resume_upgrade();
    if (context_.adoption != nullptr) {
        adopt_all();
    } else {
        machine_.on_start(Clock::now(), actions_);
    }
    perform();
    while (!exit_code_) {
        loop_.run_once(1h);
    }
    // As subreaper we are the parent of everything that was ever left behind: none of it may outlive us.
    if (const std::size_t killed = kill_leftovers([](pid_t) { return true; }); killed > 0) {
        say(log_line("leftovers_killed", {{"count", killed}}));
    }
    registry_.remove();
    control_.close();
    return *exit_code_;
}

void SupervisorRunner::say(std::string_view line) {
    context_.logs->say(line);
    name_record("supervisor").history.add(line);
    control_.follow_line("supervisor", line);
}

SupervisorRunner::NameRecord& SupervisorRunner::name_record(const std::string& name) {
    NameRecord& record = names_[name];
    if (record.target == nullptr) {
        record.target = &context_.logs->target(name);
    }
    return record;
}

ChildProcess* SupervisorRunner::child_of(SeatId seat) const {
    const auto found = children_.find(seat);
    return found == children_.end() ? nullptr : found->second.get();
}

// ---- Actions of the machine ----

void SupervisorRunner::perform() {
    if (performing_) {
        return;  // An event inside an action: the loop below takes what it added.
    }
    performing_ = true;
    while (!actions_.empty()) {
        for (const SeatAction& action : std::exchange(actions_, {})) {
            perform_one(action);
        }
    }
    performing_ = false;
    settle();
}

void SupervisorRunner::perform_one(const SeatAction& action) {
    if (action.action == SlotAction::spawn) {
        if (const Seat* seat = machine_.find(action.seat)) {
            spawn(*seat);
        }
        return;
    }
    ChildProcess* child = child_of(action.seat);
    if (child == nullptr) {
        return;
    }
    child->notes.asked = action.action;
    switch (action.action) {
        case SlotAction::drain:
            keeper_.drain(child->spec().entry);
            break;
        case SlotAction::terminate:
            if (child->spec().is_worker) {
                keeper_.stop(child->spec().entry);  // SIGTERM alone means another drain to a worker.
            }
            child->signal(SIGTERM);
            child->signal(SIGCONT);  // A stopped process acts on SIGTERM only when it goes on.
            break;
        case SlotAction::abort:
            child->notes.start_too_slow = !child->notes.hung;
            child->signal(SIGABRT);
            child->signal(SIGCONT);
            break;
        case SlotAction::kill:
            child->kill_group();
            break;
        case SlotAction::none:
        case SlotAction::spawn:
            break;
    }
    say(log_line("child_signalled",
                 {{"child", child->spec().name}, {"pid", child->pid()}, {"action", to_string(action.action)}}));
}

// What follows from the machine's new state, after all its actions were performed.
void SupervisorRunner::settle() {
    std::uint32_t held = 0;
    for (const Seat& seat : machine_.seats()) {
        held += seat.role == SeatRole::current && seat.slot.state() == SlotState::held ? 1 : 0;
        announce(seat);
    }
    if (machine_.state() == SupervisorState::stopping && !std::exchange(stop_told_, true)) {
        context_.notify->stopping(settings_.drain_timeout + settings_.term_timeout + 15s);
        say(log_line("call_server_lost", {{"cause", "every worker slot is held after too many crashes"},
                                          {"remedy", "read the exit causes above or in the logs, and start again"}}));
    }
    context_.slab->held_slots.store(held);
    context_.slab->mode.store(static_cast<std::uint32_t>(mode_.view().mode));
    if (!exit_code_) {
        exit_code_ = machine_.finished(Clock::now());
    }
    watch_rolling();
    arm_machine_timer();
    update_notify();
}

void SupervisorRunner::announce(const Seat& seat) {
    if (seat.role == SeatRole::outgoing) {
        return;  // Its number is its successor's now.
    }
    const std::string name = child_name(seat);
    NameRecord& record = name_record(name);
    const SlotState state = seat.slot.state();
    if (std::exchange(record.shown, state) == state) {
        return;
    }
    if (state == SlotState::waiting && seat.slot.deadline()) {
        say(log_line("restart_delayed",
                     {{"child", name}, {"delay_ms", milliseconds(*seat.slot.deadline() - Clock::now())}}));
    } else if (state == SlotState::held) {
        say(log_line("slot_held", {{"child", name},
                                   {"cause", record.last_exit ? record.last_exit->cause : "unknown"},
                                   {"remedy", "agentlocator restart " + slot_name(seat)}}));
    }
}

void SupervisorRunner::arm_machine_timer() {
    std::optional<TimePoint> deadline = machine_.deadline();
    if (const auto mode = mode_.deadline(); mode && (!deadline || *mode < *deadline)) {
        deadline = mode;
    }
    if (deadline == machine_deadline_ && machine_timer_ != 0) {
        return;
    }
    loop_.cancel(std::exchange(machine_timer_, 0));
    machine_deadline_ = deadline;
    if (!deadline || exit_code_) {
        return;
    }
    machine_timer_ = loop_.call_at(*deadline, [this] {
        machine_timer_ = 0;
        const TimePoint now = Clock::now();
        const WsMode before = mode_.view().mode;
        mode_.on_deadline(now);
        if (mode_.view().mode != before) {
            say(log_line("mode_changed", {{"mode", to_string(mode_.view().mode)}, {"reason", "the period is over"}}));
        }
        machine_.on_deadline(now, actions_);
        perform();
    });
}

// ---- Signals and clocks ----

void SupervisorRunner::open_signals() {
    sigset_t wanted;
    ::sigemptyset(&wanted);
    for (const int number : {SIGTERM, SIGINT, SIGHUP, SIGUSR2, SIGCHLD}) {
        ::sigaddset(&wanted, number);
    }
    signal_fd_.reset(::signalfd(-1, &wanted, SFD_CLOEXEC | SFD_NONBLOCK));
    ENSURE(signal_fd_);
    loop_.add(signal_fd_.get(), EPOLLIN, signal_sink_);
}

void SupervisorRunner::on_signal() {
    std::array<signalfd_siginfo, 8> signals{};
    const auto count = ::read(signal_fd_.get(), signals.data(), sizeof signals);
    for (std::size_t i = 0; count > 0 && i < static_cast<std::size_t>(count) / sizeof(signalfd_siginfo); ++i) {
        handle_signal(static_cast<int>(signals[i].ssi_signo));
    }
}

void SupervisorRunner::handle_signal(int number) {
    switch (number) {
        case SIGCHLD:
            reap_orphans();
            break;
        case SIGTERM:
        case SIGINT:
            say(log_line("signal_received", {{"signal", number == SIGTERM ? "SIGTERM" : "SIGINT"}}));
            begin_stop();
            break;
        case SIGHUP: {
            const auto reloaded = reload();
            say(log_line("settings_reloaded",
                         {{"ok", reloaded.has_value()}, {"detail", reloaded ? *reloaded : reloaded.error().detail}}));
            break;
        }
        case SIGUSR2:
            say(log_line("signal_received",
                         {{"signal", "SIGUSR2"}, {"action", "upgrade to the programs on the disk"}}));
            if (const auto begun = request_upgrade(""); !begun) {
                say(log_line("upgrade_refused", {{"reason", begun.error().detail}}));
            }
            break;
        default:
            break;
    }
}

void SupervisorRunner::begin_stop() {
    if (!std::exchange(stop_told_, true)) {
        context_.notify->stopping(settings_.drain_timeout + settings_.term_timeout + 15s);
    }
    machine_.on_stop(Clock::now(), actions_);
    perform();
}

// Of a worker in the slab, of the speech helper on its page. Nothing: it never beat, or does not have to.
std::optional<TimePoint> SupervisorRunner::heartbeat_of(const ChildProcess& child) const {
    if (child.spec().is_speech) {
        return context_.speech->heartbeat.last();
    }
    const std::int64_t beat =
        child.spec().is_worker ? context_.slab->workers[child.spec().entry].heartbeat_ns.load(std::memory_order_relaxed)
                               : 0;
    return beat == 0 ? std::nullopt : std::optional(TimePoint(std::chrono::nanoseconds(beat)));
}

void SupervisorRunner::arm_heartbeats(TimePoint when) {
    loop_.cancel(heartbeat_timer_);
    heartbeat_timer_ = loop_.call_at(when, [this, when] {
        heartbeat_timer_ = 0;
        const TimePoint now = Clock::now();
        std::vector<HeartbeatSample> samples;
        for (const Seat& seat : machine_.seats()) {
            const ChildProcess* child = child_of(seat.id);
            const SlotState state = seat.slot.state();
            const bool beats = child != nullptr && (child->spec().is_worker || child->spec().is_speech);
            if (!beats || (state != SlotState::serving && state != SlotState::draining)) {
                continue;
            }
            const TimePoint beat = heartbeat_of(*child).value_or(TimePoint());
            samples.push_back({seat.id, std::max(beat, seat.slot.ready_at())});
        }
        if (samples.empty()) {
            return;  // The next ready worker starts the clock again.
        }
        const HeartbeatRound round = judge_heartbeats(now, when, samples, heartbeat_limits_);
        if (round.skipped) {
            say(log_line("heartbeats_skipped", {{"late_ms", milliseconds(now - when)}}));
        }
        for (const SeatId seat : round.hung) {
            ChildProcess* child = child_of(seat);
            say(log_line(child->spec().is_worker ? "worker_hung" : "child_hung",
                         {{"child", child->spec().name}, {"pid", child->pid()}}));
            child->notes.hung = true;
            machine_.on_hang(now, seat, actions_);
        }
        arm_heartbeats(round.next);
        perform();
    });
}

// One look per beat at most: the timer is only moved on when it has run out.
void SupervisorRunner::on_bridge_beat(const ChildProcess& child, BridgeBeat beat) {
    bridge_beat_ = std::move(beat);
    bridge_beat_at_ = Clock::now();
    if (bridge_timer_ == 0) {
        arm_bridge_watch(*bridge_beat_at_ + bridge_silence_max, child.spec().serial);
    }
}

void SupervisorRunner::arm_bridge_watch(TimePoint when, std::uint64_t serial) {
    bridge_timer_ = loop_.call_at(when, [this, when, serial] {
        bridge_timer_ = 0;
        const TimePoint now = Clock::now();
        const auto seat = std::find_if(machine_.seats().begin(), machine_.seats().end(),
                                       [](const Seat& s) { return s.role == SeatRole::bridge; });
        ChildProcess* const child = seat == machine_.seats().end() ? nullptr : child_of(seat->id);
        if (child == nullptr || child->spec().serial != serial || seat->slot.state() != SlotState::serving) {
            return;  // The next bridge's first beat starts the clock again.
        }
        // Later than planned: we were stalled ourselves, and its lines wait unread in the pipe.
        const bool stalled = now - when > heartbeat_limits_.stall_max;
        if (!stalled && bridge_is_hung(bridge_beat_at_, now)) {
            say(log_line("bridge_hung", {{"pid", child->pid()}, {"silent_ms", milliseconds(now - *bridge_beat_at_)}}));
            child->notes.hung = true;
            machine_.on_hang(now, seat->id, actions_);
            perform();
            return;
        }
        arm_bridge_watch((stalled ? now : *bridge_beat_at_) + bridge_silence_max, serial);
    });
}

void SupervisorRunner::arm_watchdog() {
    if (const auto interval = context_.notify->watchdog_interval()) {
        // From the loop and nowhere else: that it turns is what the watchdog wants to know.
        context_.notify->watchdog();
        watchdog_timer_ = loop_.call_at(Clock::now() + *interval, [this] { arm_watchdog(); });
    }
}

void SupervisorRunner::on_port_verdict(const PortProof::Verdict& verdict) {
    if (verdict.ours != port_ours_ || (!verdict.ours && verdict.detail != port_detail_)) {
        say(log_line(verdict.ours ? "port_proved" : "port_not_proved", {{"detail", verdict.detail}}));
    }
    port_ours_ = verdict.ours;
    port_detail_ = verdict.detail;
    loop_.cancel(port_timer_);
    port_timer_ = loop_.call_at(Clock::now() + (verdict.ours ? port_recheck : port_retry), [this] {
        port_timer_ = 0;
        const auto& seats = machine_.seats();
        const bool serving = std::any_of(seats.begin(), seats.end(), [](const Seat& seat) {
            return seat.role == SeatRole::current && seat.slot.state() == SlotState::serving;
        });
        if (serving) {
            port_proof_.start();  // Else the next ready worker asks.
        } else {
            port_ours_ = false;
            port_detail_ = "no worker is serving";
        }
    });
    update_notify();
}

void SupervisorRunner::update_notify() {
    const SupervisorState state = machine_.state();
    std::string status = std::string(to_string(state)) + ", mode " + std::string(to_string(mode_.view().mode));
    if (!said_ready_ && port_ours_ && state != SupervisorState::stopping) {
        said_ready_ = true;
        context_.notify->ready(status);
        notified_status_ = status;
        say(log_line("supervisor_ready",
                     {{"after_ms", milliseconds(Clock::now() - started_)}, {"port", context_.socket->port}}));
    } else if (status != notified_status_) {
        context_.notify->status(status);
        notified_status_ = status;
    }
}

}  // namespace agentlocator
