// SupervisorRunner: becoming another build, and going back. What to do next is decided by Upgrade (upgrade.hpp).
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <utility>

#include "common/crash_point.hpp"
#include "common/log_line.hpp"
#include "supervisor/io/read_file.hpp"
#include "supervisor/io/supervisor_runner.hpp"
#include "supervisor/proc_text.hpp"

namespace agentlocator {
namespace {

constexpr Duration rest_look = 5ms;  // A call on its way between two workers arrives within a millisecond.
constexpr Duration rest_max = 10s;   // A hung worker is found and replaced long before.
constexpr Duration logs_max = 2s;    // For the last lines to reach the disk.

}  // namespace

// The number that names it.
Result<std::uint64_t> SupervisorRunner::request_upgrade(const std::string& folder) {
    if (machine_.state() == SupervisorState::stopping) {
        return error(Errc::refused, "the supervisor is stopping");
    }
    if (machine_.rolling()) {
        return error(Errc::refused, "a rolling restart is under way");
    }
    if (upgrade_.under_way()) {
        return error(Errc::refused, "an upgrade is already under way");
    }
    const LoadedSettings next = context_.options->load();
    if (!next.parsed.faults.empty()) {
        return error(Errc::bad_config,
                     "the settings are wrong, a new supervisor would not start: " + next.parsed.faults.front().detail);
    }
    const Settings& settings = next.parsed.settings;
    if (settings.runtime_dir != settings_.runtime_dir || settings.lock_path != settings_.lock_path) {
        return error(Errc::refused,
                     "AGENTLOCATOR_RUNTIME_DIR or AGENTLOCATOR_LOCK has changed, and the workers would look for their "
                     "supervisor in the old place: stop and start");
    }
    const std::string from = folder.empty() ? executable_folder() : folder;
    const std::uint64_t number = context_.slab->upgrades.fetch_add(1) + 1;
    const auto action = upgrade_.on_request(from, number);
    if (!action) {
        return action.error();
    }
    say(log_line("upgrade_begun", {{"number", number}, {"folder", from}, {"build", context_.build}}));
    perform_upgrade(*action);
    return number;
}

void SupervisorRunner::perform_upgrade(UpgradeAction action) {
    const UpgradeRecord& record = upgrade_.record();
    switch (action) {
        case UpgradeAction::check:
            return program_check_.start(record.folder + "/agentlocator");
        case UpgradeAction::leave:
            say(log_line("upgrade_checked", {{"build", record.to_build}, {"folder", record.folder}}));
            return leave_when_at_rest(Clock::now() + rest_max);
        case UpgradeAction::turn_back:
            say(log_line("upgrade_turning_back", {{"cause", record.failure}}));
            return leave_when_at_rest(Clock::now() + rest_max);
        case UpgradeAction::none:
            break;
    }
    if (record.state == UpgradeState::failed) {
        say(log_line("upgrade_failed", {{"cause", record.failure}}));
    } else if (record.state == UpgradeState::done) {
        old_program_.reset();
        old_worker_.reset();
        say(log_line("upgrade_done", {{"from", record.from_build}, {"to", record.to_build}}));
    }
}

// The exec ends the control channels, so nothing may be on its way on them that is not in the slab or with a worker.
void SupervisorRunner::leave_when_at_rest(TimePoint deadline) {
    const bool back = upgrade_.record().state == UpgradeState::returning;
    if (machine_.state() == SupervisorState::stopping || (!keeper_.at_rest() && Clock::now() >= deadline)) {
        upgrade_.on_leave_failed(machine_.state() == SupervisorState::stopping
                                     ? "the supervisor is stopping"
                                     : "calls did not come to rest; a worker does not take its orders");
        return perform_upgrade(UpgradeAction::none);
    }
    if (!keeper_.at_rest()) {
        loop_.call_at(Clock::now() + rest_look, [this, deadline] { leave_when_at_rest(deadline); });
        return;
    }
    write_registry();
    if (!back) {
        old_program_ = open_program_of("self");
        const auto current = std::find_if(children_.begin(), children_.end(),
                                          [](const auto& child) { return child.second->spec().is_worker; });
        if (current != children_.end()) {
            old_worker_ = open_program_of(std::to_string(current->second->pid()));
        }
    }
    const Inheritance document = make_inheritance();
    const std::string program = back ? descriptor_path(old_program_.get()) : upgrade_.record().folder + "/agentlocator";
    say(log_line("supervisor_leaving", {{"program", program}, {"calls", document.sockets.size()}}));
    context_.notify->reloading();
    CRASH_POINT(upgrade_leaving);
    (void)context_.logs->stop(Clock::now() + logs_max);
    const Error failed = become(program, document, context_.notify->environment());
    // The logs are closed and their threads gone: the way on is a new life of the same program.
    Inheritance same = document;
    same.upgrade.state = UpgradeState::failed;
    same.upgrade.failure = failed.detail;
    (void)become("/proc/self/exe", same, context_.notify->environment());
    std::_Exit(
        to_int(ExitCode::failed));  // Not in order: that would end the workers, which the next start goes on with.
}

Inheritance SupervisorRunner::make_inheritance() const {
    Inheritance document;
    document.instance = context_.instance;
    document.upgrade = upgrade_.record();
    document.lock = context_.lock_fd;
    document.listener = context_.socket->fd.get();
    document.activated = context_.socket->activated;
    document.slab = context_.slab_fd;
    document.old_program = old_program_.get();
    document.old_worker = old_worker_.get();
    document.generation = upgrade_.record().state == UpgradeState::returning && context_.heritage
                              ? context_.heritage->document.generation
                              : context_.slab->generation.load();
    document.sockets = keeper_.sockets();
    document.workers = machine_.workers();
    document.workers_configured = settings_.workers;
    const ModeView mode = mode_.view();
    if (mode.source == ModeSource::command) {
        document.mode = to_string(mode.mode);
        if (mode.until) {
            document.mode_until_ns =
                std::chrono::duration_cast<std::chrono::nanoseconds>(mode.until->time_since_epoch()).count();
        }
    }
    return document;
}

// What the operator had set goes on, as far as the settings themselves did not change.
void SupervisorRunner::resume_upgrade() {
    if (!context_.heritage) {
        return;
    }
    const TimePoint now = Clock::now();
    Heritage& heritage = *context_.heritage;
    const Inheritance& document = heritage.document;
    upgrade_.resume(document.upgrade);
    if (upgrade_.is_rolling()) {
        old_program_ = std::move(heritage.old_program);
        old_worker_ = std::move(heritage.old_worker);
        say(log_line("supervisor_upgraded", {{"from", document.upgrade.from_build}, {"to", context_.build}}));
    } else if (upgrade_.record().state == UpgradeState::returned) {
        worker_image_ = std::move(heritage.old_worker);
        say(log_line("upgrade_rolled_back", {{"cause", document.upgrade.failure}}));
    }
    heritage.slab.reset();  // The adoption has its own.
    heritage.listener.reset();
    heritage.old_program.reset();
    heritage.old_worker.reset();
    if (document.workers != document.workers_configured && document.workers_configured == settings_.workers) {
        machine_.plan_workers(document.workers);
    }
    if (const auto mode = parse_ws_mode(document.mode); mode && !document.mode.empty()) {
        const auto left =
            document.mode_until_ns
                ? std::optional<Duration>(TimePoint(std::chrono::nanoseconds(*document.mode_until_ns)) - now)
                : std::nullopt;
        if (!left || *left > Duration::zero()) {
            (void)mode_.set(now, *mode, left);
        }
    }
}

void SupervisorRunner::watch_rolling() {
    if (upgrade_.is_rolling() && !machine_.rolling() && machine_.state() != SupervisorState::stopping) {
        perform_upgrade(upgrade_.on_rolled(machine_.rolling_fault()));
    }
}

}  // namespace agentlocator
