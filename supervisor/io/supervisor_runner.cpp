#include "supervisor/io/supervisor_runner.hpp"

#include <signal.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <utility>

#include "common/ensure.hpp"
#include "common/log_line.hpp"
#include "supervisor/io/leftovers.hpp"
#include "supervisor/io/process_table.hpp"
#include "supervisor/io/stale_cleanup.hpp"

extern char** environ;

namespace agentlocator {
namespace {

constexpr std::size_t exit_log_lines = 10;
constexpr std::size_t gate_batch = 32;  // Of many starts at once: the first run while the last are still being forked.
constexpr Duration port_recheck = 60s;  // A stolen port is rare; a look a minute costs nothing.
constexpr Duration port_retry = 1s;

std::int64_t milliseconds(Duration duration) {
    return std::chrono::duration_cast<std::chrono::milliseconds>(duration).count();
}

std::string child_name(const Seat& seat) {
    return seat.role == SeatRole::bridge ? "bridge" : "worker-" + std::to_string(seat.number);
}

bool starts_with_any(std::string_view text, std::initializer_list<std::string_view> prefixes) {
    return std::any_of(prefixes.begin(), prefixes.end(), [&](auto prefix) { return text.starts_with(prefix); });
}

}  // namespace

SupervisorPlan make_plan(const Settings& settings, const RunOptions& options, bool bridge) {
    SupervisorPlan plan;
    plan.workers = settings.workers;
    plan.bridge = bridge;
    plan.worker_limits.start = options.start_timeout;
    plan.worker_limits.drain = settings.drain_timeout;
    plan.worker_limits.term = settings.term_timeout;
    plan.bridge_limits = plan.worker_limits;
    plan.bridge_limits.drain = Duration::zero();
    plan.restart.crash_limit = settings.crash_limit;
    plan.restart.crash_window = settings.crash_window;
    plan.restart.healthy = options.healthy_after;
    return plan;
}

SupervisorRunner::SupervisorRunner(RunContext context)
    : context_(std::move(context)),
      settings_(context_.loaded.parsed.settings),
      loop_(*context_.loop),
      machine_(make_plan(settings_, *context_.options, context_.bridge_detail.empty())),
      mode_(settings_.ws_mode, context_.mode_source, context_.options->enforce_ai),
      heartbeat_limits_{.hang_timeout = settings_.hang_timeout},
      registry_(settings_.runtime_dir, context_.instance),
      keeper_(loop_, *context_.slab,
              {[this](std::uint32_t entry) { on_worker_ready(entry); }, [](std::uint32_t /*entry*/) {}}),
      control_(loop_, [this](const HttpRequest& request) { return answer(request); }),
      port_proof_(loop_, context_.socket->address, context_.socket->port, context_.instance,
                  [this](const PortProof::Verdict& verdict) { on_port_verdict(verdict); }),
      random_(std::random_device{}()),
      started_(Clock::now()),
      signal_sink_([this](std::uint32_t) { on_signal(); }) {}

SupervisorRunner::~SupervisorRunner() {
    for (const EventLoop::TimerId timer : {machine_timer_, heartbeat_timer_, watchdog_timer_, port_timer_}) {
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
    machine_.on_start(Clock::now(), actions_);
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

Result<ChildSpec> SupervisorRunner::make_spec(const Seat& seat) {
    ChildSpec spec;
    spec.seat = seat.id;
    spec.number = seat.number;
    spec.name = child_name(seat);
    spec.serial = next_serial_++;
    spec.is_worker = seat.role != SeatRole::bridge;
    const RunOptions& options = *context_.options;
    const std::string& given = spec.is_worker ? options.worker_program : options.bridge_program;
    const char* usual = spec.is_worker ? "agentlocator-worker" : "agentlocator-bridge-launcher";
    spec.plan.program = given.empty() ? executable_folder() + "/" + usual : given;
    spec.plan.arguments = {usual};
    if (spec.is_worker) {
        const auto entry = keeper_.take_entry(seat.number);
        if (!entry) {
            return error(Errc::refused, "every worker entry still holds calls of a worker that ended");
        }
        spec.entry = *entry;
        spec.plan.passed = {context_.socket->fd.get(), context_.slab_fd};  // start() puts the channel between them.
    } else {
        spec.plan.die_with_parent = true;  // Two bridges on one WhatsApp account knock each other out.
    }
    spec.plan.environment = make_environment(spec);
    return spec;
}

std::vector<std::string> SupervisorRunner::make_environment(const ChildSpec& spec) const {
    std::vector<std::string> environment;
    const auto& settings = setting_names();
    for (char** entry = environ; *entry != nullptr; ++entry) {
        const std::string_view text = *entry;
        const std::string_view name = text.substr(0, text.find('='));
        const bool ours =
            starts_with_any(name, {"LISTEN_", "AGENTLOCATOR_SLOT", "AGENTLOCATOR_WORKER", "AGENTLOCATOR_INSTANCE",
                                   child_tag_variable, spawn_serial_variable, "AGENTLOCATOR_BUILD"}) ||
            std::find(settings.begin(), settings.end(), name) != settings.end();
        if (!ours) {
            environment.emplace_back(text);
        }
    }
    Settings given = settings_;
    given.ws_mode = mode_.view().mode;
    given.port = context_.socket->port;
    for (std::string& entry : to_environment(given)) {
        // The bridge talks to WhatsApp, not to Twilio: it gets no key it does not need.
        if (spec.is_worker || !entry.starts_with("TWILIO_")) {
            environment.push_back(std::move(entry));
        }
    }
    environment.insert(environment.end(), context_.loaded.others.begin(), context_.loaded.others.end());
    const std::string slot = spec.is_worker ? std::to_string(spec.number) : "bridge";
    environment.push_back("AGENTLOCATOR_SLOT=" + slot);
    environment.push_back("AGENTLOCATOR_INSTANCE=" + context_.instance);
    environment.push_back("AGENTLOCATOR_BUILD=" + context_.build);
    environment.push_back(std::string(child_tag_variable) + "=" + child_tag_service + "/" + context_.instance);
    environment.push_back(std::string(spawn_serial_variable) + "=" + std::to_string(spec.serial));
    if (spec.is_worker) {
        environment.push_back("AGENTLOCATOR_WORKER=" + std::to_string(spec.entry));
        environment.push_back("LISTEN_FDS=3");
        environment.push_back(std::string("LISTEN_FDNAMES=") + fd_name_http + ":" + fd_name_control + ":" +
                              fd_name_slab);
    }
    return environment;
}

void SupervisorRunner::spawn(const Seat& seat) {
    const TimePoint now = Clock::now();
    Result<std::unique_ptr<ChildProcess>> started = error(Errc::stopped, "");
    if (auto spec = make_spec(seat)) {
        const std::uint32_t entry = spec->entry;
        started = ChildProcess::start(loop_, *this, std::move(*spec), now);
        if (!started && seat.role != SeatRole::bridge) {
            keeper_.give_back(entry);
        }
    } else {
        started = spec.error();
    }
    const std::string name = child_name(seat);
    std::string& fault = name_record(name).spawn_fault;
    if (!started) {
        fault = started.error().detail;
        say(log_line("spawn_failed", {{"child", name}, {"reason", fault}}));
        machine_.on_spawn_failed(now, seat.id, random_(), actions_);
        return;
    }
    fault.clear();
    ChildProcess& child = **started;
    children_[seat.id] = std::move(*started);
    if (child.spec().is_worker) {
        keeper_.attach(child.spec().entry, child.take_control());
    }
    say(log_line("child_started", {{"child", name}, {"pid", child.pid()}}));
    if (++gated_ >= gate_batch) {
        write_registry();
    } else {
        schedule_registry();
    }
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
        const std::string target = seat.role == SeatRole::bridge ? "bridge" : std::to_string(seat.number);
        say(log_line("slot_held", {{"child", name},
                                   {"cause", record.last_exit ? record.last_exit->cause : "unknown"},
                                   {"remedy", "agentlocator restart " + target}}));
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

// ---- Events of children ----

void SupervisorRunner::on_executed(ChildProcess& child, int exec_errno) {
    // The bridge has no ready message: it counts as serving once its program runs.
    if (exec_errno == 0 && !child.spec().is_worker) {
        machine_.on_ready(Clock::now(), child.spec().seat, actions_);
        perform();
    }
}

void SupervisorRunner::on_line(ChildProcess& child, std::string_view line) {
    NameRecord& record = name_record(child.spec().name);
    record.history.add(line);
    context_.logs->child_line(*record.target, line);
    control_.follow_line(child.spec().name, line);
}

void SupervisorRunner::on_worker_ready(std::uint32_t entry) {
    const auto found = std::find_if(children_.begin(), children_.end(), [&](const auto& item) {
        return item.second->spec().is_worker && item.second->spec().entry == entry;
    });
    if (found == children_.end()) {
        return;
    }
    const ChildProcess& child = *found->second;
    const TimePoint now = Clock::now();
    say(log_line(
        "worker_ready",
        {{"child", child.spec().name}, {"pid", child.pid()}, {"after_ms", milliseconds(now - child.spawned_at())}}));
    machine_.on_ready(now, child.spec().seat, actions_);
    if (heartbeat_timer_ == 0) {
        arm_heartbeats(now + heartbeat_limits_.hang_timeout);
    }
    if (!port_ours_) {
        port_proof_.start();
    }
    perform();
}

void SupervisorRunner::on_died(ChildProcess& child) {
    bury(child);
}

void SupervisorRunner::bury(ChildProcess& child) {
    const auto facts = child.reap();
    if (!facts) {
        return;
    }
    const SeatId seat = child.spec().seat;
    const bool is_bridge = !child.spec().is_worker;
    const std::string serial = std::to_string(child.spec().serial);
    child.drain_output();
    if (child.spec().is_worker) {
        end_worker(child);
    }
    record_exit(child, *facts);
    child.unwatch();
    const auto found = children_.find(seat);
    if (found != children_.end() && found->second.get() == &child) {
        graveyard_.push_back(std::move(found->second));
        children_.erase(found);
    }
    machine_.on_exited(Clock::now(), seat, exit_kind(*facts, is_bridge), random_(), actions_);
    perform();
    schedule_registry();
    loop_.defer([this, serial] {
        graveyard_.clear();
        sweep(serial);
    });
}

void SupervisorRunner::record_exit(const ChildProcess& child, const ExitFacts& facts) {
    NameRecord& record = name_record(child.spec().name);
    ExitRecord exit;
    exit.at = iso_time_now();
    exit.cause = describe_exit(facts);
    exit.code = facts.code;
    exit.signal = facts.signal;
    exit.core = facts.core;
    exit.lived = Clock::now() - child.spawned_at();
    exit.log = record.history.last(exit_log_lines);
    say(log_line("child_exited", {{"child", child.spec().name},
                                  {"pid", child.pid()},
                                  {"cause", exit.cause},
                                  {"lived_ms", milliseconds(exit.lived)}}));
    record.last_exit = std::move(exit);
}

// Its calls go on elsewhere; lines that its log thread had not written out are told.
void SupervisorRunner::end_worker(ChildProcess& child) {
    calls_served_before_ += keeper_.entry(child.spec().entry).calls_served.load();
    const std::string unsaid = keeper_.on_died(child.spec().entry);
    const auto sink = [&](std::string_view line) { on_line(child, line); };
    LineSplitter splitter;
    splitter.feed(unsaid, sink);
    splitter.finish(sink);
}

void SupervisorRunner::sweep(const std::string& serial) {
    const auto is_child = [this](pid_t pid) {
        return std::any_of(children_.begin(), children_.end(),
                           [&](const auto& item) { return item.second->pid() == pid; });
    };
    const std::size_t killed = kill_leftovers([&](pid_t pid) { return !is_child(pid) && carries_serial(pid, serial); });
    if (killed > 0) {
        say(log_line("leftovers_killed", {{"count", killed}}));
    }
}

// SIGCHLD: adopted orphans, and our own children where the kernel has no pidfd.
void SupervisorRunner::reap_orphans() {
    constexpr int turn_max = 256;  // A fork bomb that dies must not hold us up; the rest comes in the next turn.
    for (int i = 0; i < turn_max; ++i) {
        siginfo_t info{};
        if (::waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) != 0 || info.si_pid == 0) {
            return;
        }
        const auto found = std::find_if(children_.begin(), children_.end(),
                                        [&](const auto& item) { return item.second->pid() == info.si_pid; });
        if (found != children_.end()) {
            bury(*found->second);
        } else {
            ::waitid(P_PID, static_cast<id_t>(info.si_pid), &info, WEXITED | WNOHANG);
        }
    }
    loop_.defer([this] { reap_orphans(); });
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
                         {{"signal", "SIGUSR2"}, {"action", "rolling restart with the programs on disk"}}));
            (void)machine_.restart(Clock::now(), {RestartTarget::Kind::all, 0}, true, actions_);
            perform();
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

void SupervisorRunner::arm_heartbeats(TimePoint when) {
    loop_.cancel(heartbeat_timer_);
    heartbeat_timer_ = loop_.call_at(when, [this, when] {
        heartbeat_timer_ = 0;
        const TimePoint now = Clock::now();
        std::vector<HeartbeatSample> samples;
        for (const Seat& seat : machine_.seats()) {
            const ChildProcess* child = child_of(seat.id);
            const SlotState state = seat.slot.state();
            if (child == nullptr || !child->spec().is_worker ||
                (state != SlotState::serving && state != SlotState::draining)) {
                continue;
            }
            const auto& entry = context_.slab->workers[child->spec().entry];
            const TimePoint beat{std::chrono::nanoseconds(entry.heartbeat_ns.load(std::memory_order_relaxed))};
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
            say(log_line("worker_hung", {{"child", child->spec().name}, {"pid", child->pid()}}));
            child->notes.hung = true;
            machine_.on_hang(now, seat, actions_);
        }
        arm_heartbeats(round.next);
        perform();
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

void SupervisorRunner::schedule_registry() {
    if (!std::exchange(registry_scheduled_, true)) {
        loop_.defer([this] {
            registry_scheduled_ = false;
            write_registry();
        });
    }
}

void SupervisorRunner::write_registry() {
    gated_ = 0;
    std::vector<ChildRecord> records;
    for (const auto& [seat, child] : children_) {
        const std::string slot = child->spec().is_worker ? std::to_string(child->spec().number) : "bridge";
        records.push_back({slot, child->pid(), child->start_ticks()});
    }
    if (const auto written = registry_.write(std::move(records)); !written) {
        if (registry_fault_ != written.error().detail) {
            say(log_line("registry_failed", {{"reason", written.error().detail}}));
        }
        registry_fault_ = written.error().detail;
    } else {
        registry_fault_.clear();
    }
    // Also after a failure: serving calls without a record beats not serving. Their tag still names them as ours.
    for (const auto& [seat, child] : children_) {
        child->release();
    }
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
