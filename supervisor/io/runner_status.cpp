// SupervisorRunner: what there is to see.
#include <unistd.h>

#include <algorithm>
#include <ctime>
#include <string>

#include "supervisor/io/read_file.hpp"
#include "supervisor/io/supervisor_runner.hpp"

namespace agentlocator {
namespace {

// Resident memory without a text parser's detour: the second number of statm, in pages.
std::uint64_t resident_kb(pid_t pid) {
    const auto text = read_file("/proc/" + std::to_string(pid) + "/statm", 128);
    if (!text) {
        return 0;
    }
    const auto blank = text->find(' ');
    const auto pages = blank == std::string::npos ? 0 : std::strtoull(text->c_str() + blank, nullptr, 10);
    return pages * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE)) / 1024;
}

// A moment of the steady clock as people read it.
std::string wall_time(TimePoint when, TimePoint now) {
    const auto ahead = std::chrono::duration_cast<std::chrono::seconds>(when - now);
    const std::time_t seconds = std::time(nullptr) + ahead.count();
    std::tm parts{};
    ::gmtime_r(&seconds, &parts);
    std::string text(32, '\0');
    text.resize(std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%SZ", &parts));
    return text;
}

const char* role_name(SeatRole role) {
    switch (role) {
        case SeatRole::successor:
            return "successor";
        case SeatRole::outgoing:
            return "outgoing";
        case SeatRole::current:
        case SeatRole::bridge:
        case SeatRole::speech:
            break;
    }
    return "current";
}

}  // namespace

std::uint64_t SupervisorRunner::log_losses(const NameRecord& record, const ChildProcess* child) const {
    const std::uint64_t own = record.target->dropped.load(std::memory_order_relaxed);
    const bool is_worker = child != nullptr && child->spec().is_worker;
    return own + (is_worker ? context_.slab->workers[child->spec().entry].log_lines_dropped.load() : 0);
}

ChildView SupervisorRunner::child_view(const Seat& seat, TimePoint now) const {
    ChildView view;
    view.slot = slot_name(seat);
    view.role = role_name(seat.role);
    view.state = seat.slot.state();
    view.restarts = seat.spawns > 0 ? seat.spawns - 1 : 0;
    const ChildProcess* child = child_of(seat.id);
    if (const auto found = names_.find(child_name(seat)); found != names_.end()) {
        view.last_exit = found->second.last_exit;
        view.log_dropped = log_losses(found->second, child);
    }
    if (child == nullptr) {
        return view;
    }
    view.pid = child->pid();
    view.uptime = now - child->spawned_at();
    view.rss_kb = resident_kb(child->pid());
    if (child->spec().is_worker) {
        const WorkerEntry& entry = context_.slab->workers[child->spec().entry];
        view.calls = entry.calls.load();
        view.calls_served = entry.calls_served.load();
        view.requests = entry.requests.load();
    }
    if (const auto beat = heartbeat_of(*child)) {
        view.heartbeat = std::max(Duration::zero(), now - *beat);
    }
    return view;
}

StatusView SupervisorRunner::status_view() const {
    const TimePoint now = Clock::now();
    StatusView view;
    view.instance = context_.instance;
    view.build = context_.build;
    view.pid = ::getpid();
    view.started_at = context_.started_at;
    view.uptime = now - started_;
    view.state = machine_.state();
    view.mode = mode_.view();
    if (view.mode.until) {
        view.mode_until = wall_time(*view.mode.until, now);
    }
    view.address = context_.socket->address;
    view.port = context_.socket->port;
    view.port_ours = port_ours_;
    view.port_detail = port_detail_;
    view.calls_capacity = settings_.max_concurrent_calls == 0 ? call_slots_max : settings_.max_concurrent_calls;
    for (const Seat& seat : machine_.seats()) {
        if (seat.role == SeatRole::bridge) {
            view.bridge = child_view(seat, now);
            view.whatsapp = bridge_beat_;
            if (bridge_beat_at_) {
                view.bridge->heartbeat = now - *bridge_beat_at_;
            }
        } else if (seat.role == SeatRole::speech) {
            view.speech = child_view(seat, now);
        } else {
            view.workers.push_back(child_view(seat, now));
        }
    }
    std::stable_sort(view.workers.begin(), view.workers.end(), [](const ChildView& a, const ChildView& b) {
        return a.slot.size() != b.slot.size() ? a.slot.size() < b.slot.size() : a.slot < b.slot;
    });
    view.calls_served = context_.slab->calls_served_before.load();
    view.calls_lost = context_.slab->calls_lost.load();
    for (const ChildView& worker : view.workers) {
        view.calls_served += worker.calls_served;
        view.calls_live += worker.calls;
    }
    view.calls_moved = keeper_.vault().moved();
    view.calls_resumed = context_.slab->resumed.load();
    view.calls_poisoned = keeper_.vault().poisoned();
    view.bridge_detail = context_.bridge_detail;
    view.speech_detail = context_.speech_detail;
    view.problems = problems();
    view.upgrade = upgrade_.record();
    return view;
}

std::vector<Problem> SupervisorRunner::problems() const {
    std::vector<Problem> list = context_.problems;
    for (const Seat& seat : machine_.seats()) {
        const std::string slot = slot_name(seat);
        const std::string whose = seat.role == SeatRole::bridge   ? "the bridge"
                                  : seat.role == SeatRole::speech ? "the speech helper"
                                                                  : "worker " + slot;
        const auto found = names_.find(child_name(seat));
        if (found != names_.end() && !found->second.spawn_fault.empty()) {
            list.push_back({"spawn_failed", whose + " could not be started: " + found->second.spawn_fault,
                            "raise the limit of open files or processes; it is tried again by itself"});
        }
        if (seat.slot.state() != SlotState::held) {
            continue;
        }
        std::string cause = whose + " is held and not started again";
        if (found != names_.end() && found->second.last_exit) {
            const ExitRecord& exit = *found->second.last_exit;
            cause += "; it ended by " + exit.cause;
            cause += exit.log.empty() ? "" : "; its last line: " + exit.log.back();
        }
        list.push_back({is_worker(seat.role) ? "slot_held" : slot + "_held", cause, "agentlocator restart " + slot});
    }
    if (const ModeView mode = mode_.view(); mode.mode != WsMode::ai) {
        list.push_back({"mode_not_ai",
                        "calls are served in mode " + std::string(to_string(mode.mode)) + ", set by " +
                            std::string(to_string(mode.source)) + ": callers do not reach the agent",
                        mode.source == ModeSource::command ? "agentlocator mode AI" : "delete WS_MODE and reload"});
    }
    if (const std::uint64_t poisoned = keeper_.vault().poisoned(); poisoned > 0) {
        list.push_back(
            {"call_poisoned",
             std::to_string(poisoned) + " calls were closed with 1011 because handling each ended two workers",
             "report the last exits of the workers above, with their cores; the other calls went on"});
    }
    if (!port_ours_ && said_ready_ && machine_.state() != SupervisorState::stopping) {
        list.push_back({"port_not_ours", port_detail_, "agentlocator stale names who listens on the port"});
    }
    const UpgradeRecord& upgrade = upgrade_.record();
    if (upgrade.state == UpgradeState::failed || upgrade.state == UpgradeState::returned) {
        const bool back = upgrade.state == UpgradeState::returned;
        list.push_back({back ? "upgrade_rolled_back" : "upgrade_failed",
                        (back ? "the upgrade to build " + upgrade.to_build + " was rolled back: " : "no upgrade: ") +
                            upgrade.failure + "; build " + context_.build + " goes on serving",
                        "correct the programs in " + upgrade.folder + ", then `agentlocator upgrade`"});
    }
    if (!machine_.rolling_fault().empty()) {
        list.push_back({"rolling_aborted", machine_.rolling_fault() + "; the old workers go on serving",
                        "read `agentlocator logs`, correct the build, and restart again"});
    }
    if (!reload_fault_.empty()) {
        list.push_back({"reload_refused", reload_fault_, "correct the settings and reload again"});
    }
    if (!registry_fault_.empty()) {
        list.push_back({"registry_failed", registry_fault_,
                        "make room in AGENTLOCATOR_RUNTIME_DIR; a next start may need `agentlocator stale`"});
    }
    if (const std::string fault = context_.logs->file_fault(); !fault.empty()) {
        list.push_back({"log_failed",
                        "log lines are lost (" + std::to_string(context_.logs->dropped()) + " so far): " + fault,
                        "make room under " + settings_.data_dir + "/logs"});
    }
    return list;
}

}  // namespace agentlocator
