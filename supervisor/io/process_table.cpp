#include "supervisor/io/process_table.hpp"

#include <dirent.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <ctime>
#include <memory>

#include "common/text.hpp"
#include "supervisor/io/read_file.hpp"
#include "supervisor/proc_text.hpp"

namespace agentlocator {
namespace {

std::string folder_of(std::int64_t pid) {
    return "/proc/" + std::to_string(pid);
}

std::string iso_time(std::time_t seconds) {
    std::tm parts{};
    if (::gmtime_r(&seconds, &parts) == nullptr) {
        return {};
    }
    char text[32];
    return std::string(text, std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts));
}

std::optional<ProcessView> read_kernel_part(std::int64_t pid) {
    struct stat status {};
    if (::stat(folder_of(pid).c_str(), &status) != 0) {
        return std::nullopt;
    }
    const auto text = read_file(folder_of(pid) + "/stat");
    const auto stat = text ? parse_proc_stat(*text) : std::nullopt;
    if (!stat) {
        return std::nullopt;
    }
    ProcessView view;
    view.pid = pid;
    view.parent = stat->parent;
    view.start_ticks = stat->start_ticks;
    view.uid = status.st_uid;
    view.state = stat->state;
    view.name = stat->name;
    return view;
}

void read_own_part(ProcessView& view) {
    const std::string folder = folder_of(view.pid);
    view.argv = parse_proc_strings(read_file(folder + "/cmdline").value_or(""));
    view.environment = parse_proc_strings(read_file(folder + "/environ").value_or(""));
    view.cwd = strip_deleted(read_link(folder + "/cwd"));
    view.exe = strip_deleted(read_link(folder + "/exe"));
}

}  // namespace

std::string read_boot_id() {
    return std::string(trim(read_file("/proc/sys/kernel/random/boot_id").value_or("")));
}

std::optional<std::uint64_t> read_start_ticks(std::int64_t pid) {
    const auto text = read_file(folder_of(pid) + "/stat");
    const auto stat = text ? parse_proc_stat(*text) : std::nullopt;
    if (!stat || stat->state == 'Z' || stat->state == 'X') {
        return std::nullopt;
    }
    return stat->start_ticks;
}

bool is_alive(std::int64_t pid, std::uint64_t start_ticks) {
    return pid > 0 && read_start_ticks(pid) == start_ticks;
}

std::optional<ProcessView> read_process(std::int64_t pid) {
    auto view = read_kernel_part(pid);
    if (view) {
        read_own_part(*view);
    }
    return view;
}

std::vector<ProcessView> read_processes(std::uint32_t uid) {
    std::vector<ProcessView> processes;
    const std::unique_ptr<DIR, int (*)(DIR*)> folder(::opendir("/proc"), ::closedir);
    while (const dirent* entry = folder ? ::readdir(folder.get()) : nullptr) {
        const auto pid = parse_integer(entry->d_name);
        auto view = pid && *pid > 0 ? read_kernel_part(*pid) : std::nullopt;
        if (!view) {
            continue;
        }
        if (uid == 0 || view->uid == uid) {
            read_own_part(*view);
        }
        processes.push_back(std::move(*view));
    }
    return processes;
}

std::string user_name(std::uint32_t uid) {
    passwd entry{};
    passwd* found = nullptr;
    std::array<char, 4096> buffer{};
    if (::getpwuid_r(uid, &entry, buffer.data(), buffer.size(), &found) == 0 && found != nullptr) {
        return found->pw_name;
    }
    return "#" + std::to_string(uid);
}

std::string started_at(std::uint64_t start_ticks) {
    const auto boot = parse_boot_time(read_file("/proc/stat").value_or(""));
    const long per_second = ::sysconf(_SC_CLK_TCK);
    if (!boot || per_second <= 0) {
        return {};
    }
    return iso_time(static_cast<std::time_t>(*boot) +
                    static_cast<std::time_t>(start_ticks / static_cast<std::uint64_t>(per_second)));
}

std::string iso_time_now() {
    return iso_time(std::time(nullptr));
}

Result<PinnedProcess> PinnedProcess::pin(const ProcessView& expected) {
    const auto gone = [&] {
        return error(Errc::not_found, "pid " + std::to_string(expected.pid) + " is another process by now");
    };
    PinnedProcess pinned;
    // By number: glibc 2.36 has the wrapper, but its header is not usable from C++ everywhere.
    pinned.pidfd_.reset(static_cast<int>(::syscall(SYS_pidfd_open, static_cast<pid_t>(expected.pid), 0U)));
    if (!pinned.pidfd_ && errno != ENOSYS && errno != EPERM) {
        return gone();
    }
    auto view = read_process(expected.pid);
    if (!view || view->start_ticks != expected.start_ticks || view->uid != expected.uid ||
        view->argv != expected.argv || view->cwd != expected.cwd) {
        return gone();
    }
    pinned.view_ = std::move(*view);
    if (pinned.has_ended()) {  // Alive now, so all that was read since pidfd_open was its own.
        return gone();
    }
    return pinned;
}

bool PinnedProcess::signal(int number) const {
    if (pidfd_) {
        return ::syscall(SYS_pidfd_send_signal, pidfd_.get(), number, nullptr, 0U) == 0;
    }
    // No pidfd here: between this look and the signal lie microseconds, and a pid does not come round in them.
    return !has_ended() && ::kill(static_cast<pid_t>(view_.pid), number) == 0;
}

bool PinnedProcess::has_ended() const {
    if (!pidfd_) {
        return !is_alive(view_.pid, view_.start_ticks);
    }
    pollfd ready{pidfd_.get(), POLLIN, 0};
    return ::poll(&ready, 1, 0) != 0;
}

}  // namespace agentlocator
