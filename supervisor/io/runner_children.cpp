// SupervisorRunner: how a child begins and ends.
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "common/log_line.hpp"
#include "supervisor/child_environment.hpp"
#include "supervisor/io/leftovers.hpp"
#include "supervisor/io/process_table.hpp"
#include "supervisor/io/supervisor_runner.hpp"

extern char** environ;

namespace agentlocator {
namespace {

constexpr std::size_t exit_log_lines = 10;
constexpr std::size_t gate_batch = 32;  // Of many starts at once: the first run while the last are still being forked.

std::int64_t milliseconds(Duration duration) {
    return std::chrono::duration_cast<std::chrono::milliseconds>(duration).count();
}

std::int64_t nanoseconds(TimePoint when) {
    return std::chrono::duration_cast<std::chrono::nanoseconds>(when.time_since_epoch()).count();
}

}  // namespace

std::string child_name(const Seat& seat) {
    return is_worker(seat.role) ? "worker-" + std::to_string(seat.number) : slot_name(seat);
}

std::string slot_name(const Seat& seat) {
    switch (seat.role) {
        case SeatRole::bridge:
            return "bridge";
        case SeatRole::speech:
            return "speech";
        case SeatRole::current:
        case SeatRole::successor:
        case SeatRole::outgoing:
            break;
    }
    return std::to_string(seat.number);
}

Result<ChildSpec> SupervisorRunner::make_spec(const Seat& seat) {
    ChildSpec spec;
    spec.seat = seat.id;
    spec.number = seat.number;
    spec.name = child_name(seat);
    spec.serial = next_serial_++;
    spec.is_worker = is_worker(seat.role);
    spec.is_speech = seat.role == SeatRole::speech;
    const RunOptions& options = *context_.options;
    const std::string& given = spec.is_worker   ? options.worker_program
                               : spec.is_speech ? options.speech_program
                                                : options.bridge_program;
    const char* usual = spec.is_worker   ? "agentlocator-worker"
                        : spec.is_speech ? "agentlocator-speech"
                                         : "agentlocator-bridge-launcher";
    spec.plan.program = given.empty() ? executable_folder() + "/" + usual : given;
    const int image = seat.rescuer ? program_of(rescued_region_) : spec.is_worker ? worker_image_.get() : -1;
    if (image >= 0) {
        spec.plan.program = "/proc/" + std::to_string(::getpid()) + "/fd/" + std::to_string(image);
    }
    spec.plan.arguments = {usual};
    if (spec.is_worker) {
        const auto entry = keeper_.take_entry(seat.number);
        if (!entry) {
            return error(Errc::refused, "every worker entry still holds calls of a worker that ended");
        }
        spec.entry = *entry;
        spec.plan.passed = {context_.socket->fd.get(), context_.slab_fd};  // start() puts the channel between them.
    } else if (spec.is_speech) {
        context_.speech->heartbeat.clear();  // The last one's beats say nothing about this one.
        spec.plan.passed = {context_.speech->listener.get(), context_.speech->heartbeat.fd()};
    }
    spec.plan.environment = make_environment(spec);
    spec.made_for = seat.rescuer ? "" : made_for();  // Outdated, should another supervisor find it.
    return spec;
}

std::vector<std::string> SupervisorRunner::make_environment(const ChildSpec& spec) const {
    std::vector<std::string_view> own;
    for (char** entry = environ; *entry != nullptr; ++entry) {
        own.emplace_back(*entry);
    }
    Settings given = settings_;
    given.ws_mode = mode_.view().mode;
    given.port = context_.socket->port;
    return child_environment(own, given, context_.loaded.others,
                             {.is_worker = spec.is_worker,
                              .is_speech = spec.is_speech,
                              .slot = spec.is_worker ? std::to_string(spec.number) : spec.name,
                              .entry = spec.entry,
                              .serial = spec.serial,
                              .instance = context_.instance,
                              .build = context_.build});
}

void SupervisorRunner::spawn(const Seat& seat) {
    const TimePoint now = Clock::now();
    Result<std::unique_ptr<ChildProcess>> started = error(Errc::stopped, "");
    if (auto spec = make_spec(seat)) {
        const std::uint32_t entry = spec->entry;
        started = ChildProcess::start(loop_, *this, std::move(*spec), now);
        if (!started && is_worker(seat.role)) {
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
    } else if (!child.spec().is_speech) {
        keeper_.set_bridge(child.pidfd());
    }
    say(log_line("child_started", {{"child", name}, {"pid", child.pid()}}));
    if (++gated_ >= gate_batch) {
        write_registry();
    } else {
        schedule_registry();
    }
}

void SupervisorRunner::on_executed(ChildProcess& child, int exec_errno) {
    // The bridge and the speech helper have no ready message: they count as serving once their program runs.
    if (exec_errno == 0 && !child.spec().is_worker) {
        machine_.on_ready(Clock::now(), child.spec().seat, actions_);
        if (child.spec().is_speech && heartbeat_timer_ == 0) {
            arm_heartbeats(Clock::now() + heartbeat_limits_.hang_timeout);
        }
        perform();
    }
}

void SupervisorRunner::on_line(ChildProcess& child, std::string_view line) {
    if (!child.spec().is_worker) {
        if (auto beat = parse_bridge_beat(line)) {
            on_bridge_beat(child, std::move(*beat));
            return;
        }
    }
    tell_line(child.spec().name, line);
}

void SupervisorRunner::tell_line(const std::string& name, std::string_view line) {
    if (parse_bridge_beat(line)) {
        return;  // Written while nobody of ours read it; the next one counts.
    }
    NameRecord& record = name_record(name);
    record.history.add(line);
    context_.logs->child_line(*record.target, line);
    control_.follow_line(name, line);
}

void SupervisorRunner::tell_lines(const std::string& name, std::string_view text) {
    const auto sink = [&](std::string_view line) { tell_line(name, line); };
    LineSplitter splitter;
    splitter.feed(text, sink);
    splitter.finish(sink);
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
    remember_program(child);
    machine_.on_ready(now, child.spec().seat, actions_);
    if (heartbeat_timer_ == 0) {
        arm_heartbeats(now + heartbeat_limits_.hang_timeout);
    }
    if (!port_ours_) {
        port_proof_.start();
    }
    perform();
    tend_layouts();
}

void SupervisorRunner::on_died(ChildProcess& child) {
    bury(child);
}

void SupervisorRunner::bury(ChildProcess& child) {
    auto facts = child.reap();
    if (!facts) {
        return;
    }
    const SeatId seat = child.spec().seat;
    const bool is_helper = !child.spec().is_worker;
    const std::string serial = std::to_string(child.spec().serial);
    child.drain_output();
    if (child.spec().is_worker) {
        const CallKeeper::WorkerEnd end = end_worker(child, death_of(*facts));
        facts->call_in_hand = end.call_in_hand;
        facts->calls_wait = end.calls_wait;
    } else {
        bridge_beat_.reset();
        bridge_beat_at_.reset();
        loop_.cancel(bridge_timer_);
        bridge_timer_ = 0;
    }
    record_exit(child, *facts);
    child.unwatch();
    const auto found = children_.find(seat);
    if (found != children_.end() && found->second.get() == &child) {
        graveyard_.push_back(std::move(found->second));
        children_.erase(found);
    }
    machine_.on_exited(Clock::now(), seat, exit_kind(*facts, is_helper), random_(), actions_);
    perform();
    tend_layouts();
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
CallKeeper::WorkerEnd SupervisorRunner::end_worker(ChildProcess& child, Death death) {
    context_.slab->calls_served_before.fetch_add(keeper_.entry(child.spec().entry).calls_served.load());
    CallKeeper::WorkerEnd end = keeper_.on_died(child.spec().entry, death);
    tell_lines(child.spec().name, end.unsaid);
    if (end.lost > 0) {
        say(log_line("calls_lost", {{"count", end.lost},
                                    {"child", child.spec().name},
                                    {"cause", "it died between a call's upgrade and handing its connection over"}}));
    }
    return end;
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
        ChildRecord record;
        record.slot = child->spec().is_worker ? std::to_string(child->spec().number) : child->spec().name;
        record.pid = child->pid();
        record.start_ticks = child->start_ticks();
        record.serial = child->spec().serial;
        record.spawned_ns = nanoseconds(child->spawned_at());
        record.made_for = child->spec().made_for;
        if (const Seat* place = machine_.find(seat)) {
            record.spawns = place->spawns;
            record.level = place->slot.policy().level();
            for (const TimePoint crash : place->slot.policy().crashes()) {
                record.crashes.push_back(nanoseconds(crash));
            }
        }
        records.push_back(std::move(record));
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

}  // namespace agentlocator
