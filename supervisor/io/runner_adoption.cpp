// SupervisorRunner: going on with what a dead supervisor left.
#include <algorithm>
#include <cinttypes>
#include <cstdio>

#include "common/crash_point.hpp"
#include "common/log_line.hpp"
#include "supervisor/io/supervisor_runner.hpp"

namespace agentlocator {
namespace {

TimePoint moment(std::int64_t nanoseconds) {
    return TimePoint(std::chrono::nanoseconds(nanoseconds));
}

}  // namespace

// What a child was made for: another value means that it runs with other settings or another build than a new one.
std::string SupervisorRunner::made_for() const {
    std::uint64_t hash = 14'695'981'039'346'656'037ULL;  // FNV-1a
    const auto add = [&hash](std::string_view text) {
        for (const char byte : text) {
            hash = (hash ^ static_cast<unsigned char>(byte)) * 1'099'511'628'211ULL;
        }
        hash = (hash ^ '\n') * 1'099'511'628'211ULL;
    };
    for (const std::string& entry : to_environment(settings_)) {
        add(entry);
    }
    for (const std::string& entry : context_.loaded.others) {
        add(entry);
    }
    add(context_.build);
    add(std::to_string(context_.slab->generation.load()));
    char text[17];
    (void)std::snprintf(text, sizeof text, "%016" PRIx64, hash);
    return text;
}

void SupervisorRunner::adopt_child(AdoptedChild& adopted, std::uint32_t number) {
    const TimePoint now = Clock::now();
    const ChildRecord& record = adopted.record;
    Supervisor::Adopted process;
    process.number = number;
    process.leaving = adopted.told.draining();
    process.spawns = record.spawns;
    process.level = record.level;
    for (const std::int64_t crash : record.crashes) {
        process.crashes.push_back(moment(crash));
    }
    ChildSpec spec;
    spec.seat = machine_.adopt(now, process, actions_);
    spec.number = number;
    spec.is_worker = number != 0;
    spec.name = spec.is_worker ? "worker-" + std::to_string(number) : "bridge";
    spec.serial = record.serial;
    spec.made_for = record.made_for;
    spec.entry = adopted.told.worker();
    const SeatId seat = spec.seat;
    auto child = ChildProcess::adopt(loop_, *this, std::move(spec), moment(record.spawned_ns),
                                     {static_cast<pid_t>(record.pid), record.start_ticks, std::move(adopted.pidfd)});
    if (!child) {  // No descriptor to watch it with: as if it could not be started.
        say(log_line("adoption_failed", {{"pid", record.pid}, {"reason", child.error().detail}}));
        machine_.on_exited(now, seat, ExitKind::ordinary, random_(), actions_);
        return;
    }
    if (number == 0) {
        keeper_.set_bridge((*child)->pidfd());
    } else {
        keeper_.adopt((*child)->spec().entry, adopted);
        remember_program(**child);
    }
    say(log_line("child_adopted", {{"child", (*child)->spec().name},
                                   {"pid", record.pid},
                                   {"calls", adopted.told.calls().size()},
                                   {"leaving", process.leaving}}));
    children_[seat] = std::move(*child);
}

void SupervisorRunner::adopt_all() {
    Adoption& adoption = *context_.adoption;
    next_serial_ = adoption.last_serial + 1;
    // In the order of their birth: of two in one seat the later one stays.
    std::sort(adoption.workers.begin(), adoption.workers.end(),
              [](const AdoptedChild& a, const AdoptedChild& b) { return a.record.serial < b.record.serial; });
    const std::string wanted = made_for();
    bool outdated = false;
    if (adoption.bridge) {
        outdated = adoption.bridge->record.made_for != wanted;
        adopt_child(*adoption.bridge, 0);
    }
    for (AdoptedChild& worker : adoption.workers) {
        outdated = outdated || worker.record.made_for != wanted;
        adopt_child(worker, context_.slab->workers[worker.told.worker()].seat.load());
        CRASH_POINT(adoption_one);
    }
    for (Adoption::Kept& call : adoption.kept) {
        keeper_.keep(call);
    }
    for (const CallKeeper::Remains& remains : keeper_.end_adoption()) {
        context_.slab->calls_served_before.fetch_add(remains.calls_served);
        tell_lines("worker-" + std::to_string(remains.seat), remains.lines);
    }
    machine_.on_start(Clock::now(), actions_);
    if (outdated && machine_.restart(Clock::now(), {RestartTarget::Kind::all, 0}, true, actions_)) {
        say(log_line("adopted_outdated", {{"detail", "settings or build have changed: they are replaced one by one"}}));
    }
    loop_.defer([this] { tend_layouts(); });
    write_registry();
    reap_orphans();  // Children of ours that ended during an exec.
    if (!adoption.workers.empty()) {
        arm_heartbeats(Clock::now() + heartbeat_limits_.hang_timeout);
        port_proof_.start();
    }
}

}  // namespace agentlocator
