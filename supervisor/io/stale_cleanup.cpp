#include "supervisor/io/stale_cleanup.hpp"

#include <poll.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstdlib>

#include "common/log_line.hpp"
#include "common/time.hpp"
#include "supervisor/io/child_registry.hpp"
#include "supervisor/io/port_owner.hpp"
#include "supervisor/io/process_table.hpp"

namespace agentlocator {
namespace {

// Folders are compared with what /proc says, which knows no symbolic links.
std::string real_path(const std::string& path) {
    char resolved[PATH_MAX];
    return ::realpath(path.c_str(), resolved) == nullptr ? path : std::string(resolved);
}

// True when all ended in time.
bool wait_for_end(const std::vector<PinnedProcess>& processes, std::chrono::milliseconds limit) {
    const TimePoint deadline = Clock::now() + limit;
    for (;;) {
        std::vector<pollfd> waiting;
        bool unpinned = false;
        for (const PinnedProcess& process : processes) {
            if (!process.has_ended()) {
                unpinned |= process.fd() < 0;
                waiting.push_back({process.fd(), POLLIN, 0});  // poll skips negative descriptors.
            }
        }
        if (waiting.empty()) {
            return true;
        }
        const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now());
        if (left.count() <= 0) {
            return false;
        }
        constexpr std::chrono::milliseconds look{20};  // Only for kernels without pidfd.
        (void)::poll(waiting.data(), waiting.size(),
                     static_cast<int>((unpinned ? std::min(look, left) : left).count()));
    }
}

std::vector<StaleVerdict> take(std::vector<StaleVerdict> verdicts, bool stop) {
    verdicts.erase(std::remove_if(verdicts.begin(), verdicts.end(),
                                  [&](const StaleVerdict& verdict) { return verdict.stop != stop; }),
                   verdicts.end());
    return verdicts;
}

void stop_all(const std::vector<StaleVerdict>& verdicts, std::chrono::milliseconds term_timeout,
              const std::function<void(const std::string&)>& report, std::vector<StaleVerdict>& stopped) {
    std::vector<PinnedProcess> pinned;
    for (const StaleVerdict& verdict : verdicts) {
        auto process = PinnedProcess::pin(verdict.process);
        if (!process) {
            continue;  // It ended by itself, often because its parent did.
        }
        report("ending " + describe(verdict));
        if (process->signal(SIGTERM)) {
            pinned.push_back(std::move(*process));
            stopped.push_back(verdict);
        }
    }
    if (wait_for_end(pinned, term_timeout)) {
        return;
    }
    for (const PinnedProcess& process : pinned) {
        if (!process.has_ended()) {
            report("killing pid " + std::to_string(process.view().pid) + ", which ignored SIGTERM for " +
                   std::to_string(term_timeout.count()) + " ms");
            (void)process.signal(SIGKILL);
        }
    }
    constexpr std::chrono::milliseconds kill_limit{2000};  // Only a process stuck in the kernel takes longer.
    (void)wait_for_end(pinned, kill_limit);
}

}  // namespace

StaleScope make_stale_scope(const Settings& settings, const std::string& installation_root,
                            const std::optional<LockRecord>& previous, bool takeover) {
    StaleScope scope;
    scope.self = ::getpid();
    scope.uid = ::geteuid();
    scope.boot_id = read_boot_id();
    scope.installation = {real_path(installation_root), real_path(settings.bridge_dir)};
    scope.records = read_child_records(settings.runtime_dir);
    scope.address = settings.bind_address;
    scope.port = settings.port;
    scope.takeover = takeover;
    std::vector<std::string> instances;
    if (scope.records && !is_alive(scope.records->supervisor_pid, scope.records->supervisor_start_ticks)) {
        instances.push_back(scope.records->instance);
    }
    if (previous && previous->boot_id == scope.boot_id && is_alive(previous->pid, previous->start_ticks)) {
        if (previous->pid != scope.self) {
            scope.living.push_back(previous->pid);
        }
    } else if (previous) {
        instances.push_back(previous->instance);
    }
    for (const std::string& instance : instances) {
        if (!instance.empty()) {
            scope.dead_tags.push_back(std::string(child_tag_service) + "/" + instance);
        }
    }
    return scope;
}

StaleSnapshot take_snapshot(const StaleScope& scope) {
    StaleSnapshot snapshot;
    for (const PortOwner& owner : find_port_owners(scope.address, scope.port)) {
        snapshot.listeners.push_back({owner.listener.address, owner.listener.uid, owner.pids});
    }
    snapshot.processes = read_processes(scope.uid);
    return snapshot;
}

Result<StaleCleanup> clear_stale(const StaleScope& scope, std::chrono::milliseconds term_timeout,
                                 const std::function<void(const std::string&)>& report) {
    StaleCleanup cleanup;
    int clean_looks = 0;
    constexpr int clean_looks_needed = 2;  // A parent may have forked between our look and its end.
    constexpr int looks_max = 12;
    for (int look = 0; look < looks_max; ++look) {
        const auto verdicts = classify_stale(take_snapshot(scope), scope);
        const auto to_stop = take(verdicts, true);
        cleanup.remaining = take(verdicts, false);
        clean_looks = to_stop.empty() ? clean_looks + 1 : 0;
        if (clean_looks == clean_looks_needed) {
            return cleanup;
        }
        if (!to_stop.empty()) {
            stop_all(to_stop, term_timeout, report, cleanup.stopped);
        }
        if (look + 1 == looks_max && !to_stop.empty()) {
            return error(Errc::timeout, "comes back or cannot be ended: " + describe(to_stop.front()) +
                                            "; find what starts it (`agentlocator stale`) and end that first");
        }
    }
    return cleanup;
}

std::string describe(const StaleVerdict& verdict) {
    const ProcessView& process = verdict.process;
    std::string text;
    if (process.pid == 0) {
        text = "a process of user " + user_name(process.uid);
    } else {
        text = "pid " + std::to_string(process.pid) + " (" + command_text(process) + ", user " +
               user_name(process.uid) + ", since " + started_at(process.start_ticks) +
               (process.cwd.empty() ? "" : ", in " + log_value(process.cwd)) + ")";
    }
    text += ": " + verdict.detail;
    return verdict.remedy.empty() || verdict.stop ? text : text + "; " + verdict.remedy;
}

}  // namespace agentlocator
