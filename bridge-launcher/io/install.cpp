#include "bridge-launcher/io/install.hpp"

#include <fcntl.h>
#include <sys/file.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <system_error>

#include "common/log_line.hpp"
#include "common/text.hpp"

namespace agentlocator {
namespace {

namespace fs = std::filesystem;

constexpr auto lock_poll = 100ms;

void print(const std::string& line) {
    std::printf("%s\n", line.c_str());
    std::fflush(stdout);
}

Duration install_deadline(const std::vector<std::string>& environment) {
    const auto set = parse_integer(environment_value(environment, "BRIDGE_INSTALL_TIMEOUT_MS"));
    return set && *set > 0 ? Duration(std::chrono::milliseconds(*set)) : Duration(install_deadline_default);
}

// Two launchers in one folder would delete each other's node_modules. Waits; nothing when told to stop meanwhile.
std::optional<UniqueFd> lock_folder(const std::string& folder, StopSignal& stop) {
    UniqueFd lock(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    bool said = false;
    while (::flock(lock.get(), LOCK_EX | LOCK_NB) != 0) {
        if (errno != EWOULDBLOCK) {
            break;  // A file system without locks: better unlocked than not at all.
        }
        if (!said) {
            print(log_line("bridge_install_waiting", {{"reason", "another installation runs"}, {"folder", folder}}));
            said = true;
        }
        if (stop.wait_for(lock_poll)) {
            return std::nullopt;
        }
    }
    return lock;
}

void restore_previous(const std::string& folder) {
    fs::remove_all(modules_path(folder));
    fs::rename(previous_path(folder), modules_path(folder));
}

void recover(const std::string& folder) {
    switch (plan_recovery(gather_modules_facts(folder))) {
        case Recovery::none:
            return;
        case Recovery::remove_previous:
            fs::remove_all(previous_path(folder));
            return;
        case Recovery::restore_previous:
            print(log_line("bridge_install_recovered", {{"reason", "the last installation was interrupted"}}));
            restore_previous(folder);
            return;
    }
}

// The stamp appears whole or not at all, and after everything it vouches for has reached the disk.
void write_stamp(const std::string& folder, const std::string& stamp) {
    fs::create_directories(modules_path(folder));  // npm makes none when there is no package to put in it.
    const std::string temporary = stamp_path(folder) + ".new";
    const UniqueFd file(::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
    const std::string text = stamp + "\n";
    if (!file || ::write(file.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size()) ||
        ::syncfs(file.get()) != 0) {
        throw std::system_error(errno, std::generic_category(), temporary);
    }
    fs::rename(temporary, stamp_path(folder));
}

InstallOutcome run_npm(const LaunchPlan& plan, const LaunchFacts& facts, StopSignal& stop) {
    using Kind = InstallOutcome::Kind;
    const std::string npm = find_npm(plan.node, facts.looked_in);
    if (npm.empty()) {
        return {Kind::not_run, "npm was not found beside " + plan.node + " nor in PATH"};
    }
    const RunOutcome outcome =
        run_program({.argv = {npm, "ci", "--omit=dev", "--no-audit", "--no-fund"},
                     .environment = install_environment(plan, facts.environment),
                     .directory = plan.directory,
                     .deadline = install_deadline(facts.environment),
                     .on_line = [](std::string_view line) { print("npm: " + std::string(line)); }},
                    stop);
    switch (outcome.kind) {
        case RunOutcome::Kind::exited:
            return {outcome.code == 0 ? Kind::succeeded : Kind::failed, "npm ended with " + outcome.detail};
        case RunOutcome::Kind::timed_out:
            return {Kind::timed_out, "npm " + outcome.detail};
        case RunOutcome::Kind::stopped:
            return {Kind::stopped, outcome.detail};
        case RunOutcome::Kind::not_started:
            break;
    }
    return {Kind::not_run, npm + " could not be run: " + outcome.detail};
}

InstallResult install(const LaunchPlan& plan, const LaunchFacts& facts, const std::string& stamp, StopSignal& stop) {
    const std::string& folder = plan.directory;
    recover(folder);
    const InstallPlan wanted = plan_install(gather_modules_facts(folder), stamp);
    if (!wanted.needed) {
        return {.start = true, .problem = std::nullopt};  // Whoever held the lock before us did it.
    }
    print(log_line("bridge_install_started", {{"folder", folder}, {"reason", wanted.reason}}));
    const TimePoint started = Clock::now();
    if (wanted.keep_previous) {
        fs::rename(modules_path(folder), previous_path(folder));
    }
    const InstallVerdict verdict = judge_install(wanted, run_npm(plan, facts, stop));
    if (verdict.finish) {
        write_stamp(folder, stamp);
        fs::remove_all(previous_path(folder));
        const auto took = std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - started);
        print(log_line("bridge_install_finished", {{"folder", folder}, {"ms", took.count()}}));
    }
    if (verdict.restore) {
        restore_previous(folder);
    }
    return {.start = verdict.start, .problem = verdict.problem};
}

}  // namespace

InstallResult ensure_installed(const LaunchPlan& plan, const LaunchFacts& facts, StopSignal& stop) {
    const auto stamp = wanted_stamp(plan.directory, plan.node_major);
    if (!stamp) {
        return {.start = false,
                .problem = LaunchProblem{stamp.error().detail, "restore package-lock.json", ExitCode::bad_config}};
    }
    const ModulesFacts modules = gather_modules_facts(plan.directory);
    if (plan_recovery(modules) == Recovery::none && !plan_install(modules, *stamp).needed) {
        return {.start = true, .problem = std::nullopt};  // The usual start: nothing is written, nothing locked.
    }
    try {
        const auto lock = lock_folder(plan.directory, stop);
        return lock ? install(plan, facts, *stamp, stop) : InstallResult{};
    } catch (const std::system_error& failure) {  // fs::filesystem_error is one: a full or read-only disk.
        return {.start = false,
                .problem = LaunchProblem{std::string("installing the bridge's packages failed: ") + failure.what(),
                                         "make " + plan.directory + " writable and see that the disk has room",
                                         ExitCode::temporary}};
    }
}

}  // namespace agentlocator
