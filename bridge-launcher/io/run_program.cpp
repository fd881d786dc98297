#include "bridge-launcher/io/run_program.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <system_error>

#include "common/exit_code.hpp"

namespace agentlocator {
namespace {

sigset_t stop_signals() {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGHUP);
    return set;
}

std::vector<char*> pointers(const std::vector<std::string>& texts) {
    std::vector<char*> result;
    result.reserve(texts.size() + 1);
    for (const std::string& text : texts) {
        result.push_back(const_cast<char*>(text.c_str()));  // execve takes char* for historical reasons only.
    }
    result.push_back(nullptr);
    return result;
}

int milliseconds_left(TimePoint deadline) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now()).count();
    return static_cast<int>(std::clamp<std::int64_t>(left, 0, 60'000));
}

// Cuts a byte stream into lines of limited length.
class Lines {
public:
    explicit Lines(const std::function<void(std::string_view)>& on_line) : on_line_(on_line) {}

    void push(std::string_view bytes) {
        while (!bytes.empty()) {
            const std::size_t room = output_line_max - partial_.size();
            const std::size_t end = bytes.substr(0, room).find('\n');
            partial_.append(bytes.substr(0, std::min(end, room)));
            bytes.remove_prefix(end == std::string_view::npos ? std::min(room, bytes.size()) : end + 1);
            if (end != std::string_view::npos || partial_.size() == output_line_max) {
                emit();
            }
        }
    }
    void finish() {
        if (!partial_.empty()) {
            emit();
        }
    }

private:
    void emit() {
        on_line_(partial_);
        partial_.clear();
    }

    const std::function<void(std::string_view)>& on_line_;
    std::string partial_;
};

struct Child {
    pid_t pid = -1;
    UniqueFd pidfd;
    UniqueFd output;
};

[[noreturn]] void become(const RunRequest& request, char* const* argv, char* const* environment, int output,
                         pid_t parent) {
    ::setpgid(0, 0);
    // If the launcher is killed, an npm left behind would write into a folder its successor works on.
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != parent) {
        ::_exit(to_int(ExitCode::supervisor_gone));
    }
    struct sigaction fallback {};
    fallback.sa_handler = SIG_DFL;
    for (int signal = 1; signal < NSIG; ++signal) {
        ::sigaction(signal, &fallback, nullptr);
    }
    const int nothing = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
    ::dup2(nothing, STDIN_FILENO);
    ::dup2(output, STDOUT_FILENO);
    ::dup2(output, STDERR_FILENO);
    sigset_t none;
    sigemptyset(&none);
    if (::chdir(request.directory.c_str()) == 0) {
        ::sigprocmask(SIG_SETMASK, &none, nullptr);
        ::execve(argv[0], argv, environment);
    }
    const char* reason = ::strerrordesc_np(errno);  // Async-signal-safe, unlike strerror.
    (void)!::write(STDERR_FILENO, reason, std::strlen(reason));
    ::_exit(to_int(ExitCode::exec_failed));
}

// Only async-signal-safe calls between fork and exec; everything else is built before.
Child start(const RunRequest& request) {
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) {
        throw std::system_error(errno, std::generic_category(), "pipe2");
    }
    UniqueFd read_end(ends[0]);
    const UniqueFd write_end(ends[1]);
    const auto argv = pointers(request.argv);
    const auto environment = pointers(request.environment);
    const pid_t self = ::getpid();
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    ::sigprocmask(SIG_BLOCK, &all, &before);
    const pid_t pid = ::fork();
    if (pid == 0) {
        become(request, argv.data(), environment.data(), write_end.get(), self);
    }
    const int reason = errno;
    ::sigprocmask(SIG_SETMASK, &before, nullptr);
    if (pid < 0) {
        throw std::system_error(reason, std::generic_category(), "fork");
    }
    ::setpgid(pid, pid);  // Here as well: whoever comes first, the group exists before we may signal it.
    // Not yet reaped, so the pid cannot have been given to another process.
    UniqueFd pidfd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0U)));
    if (!pidfd) {
        const int no_pidfd = errno;
        ::kill(-pid, SIGKILL);
        ::waitpid(pid, nullptr, 0);
        throw std::system_error(no_pidfd, std::generic_category(), "pidfd_open");
    }
    ::fcntl(read_end.get(), F_SETFL, O_NONBLOCK);
    return {.pid = pid, .pidfd = std::move(pidfd), .output = std::move(read_end)};
}

// All that is there now. False: the other end is closed.
bool drain(int fd, Lines& lines) {
    std::array<char, 16384> buffer{};
    for (;;) {
        const ssize_t got = ::read(fd, buffer.data(), buffer.size());
        if (got > 0) {
            lines.push({buffer.data(), static_cast<std::size_t>(got)});
        } else if (got == 0) {
            return false;
        } else if (errno != EINTR) {
            return errno == EAGAIN;
        }
    }
}

RunOutcome reap(pid_t pid) {
    siginfo_t info{};
    ::waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED);
    if (info.si_code == CLD_EXITED) {
        return {RunOutcome::Kind::exited, info.si_status, "exit code " + std::to_string(info.si_status)};
    }
    return {RunOutcome::Kind::exited, 128 + info.si_status, "signal " + std::to_string(info.si_status)};
}

// running --told to stop, or deadline--> terminating (SIGTERM) --term_to_kill--> killed (SIGKILL); the exit ends each.
RunOutcome watch(const RunRequest& request, Child& child, StopSignal& stop) {
    Lines lines(request.on_line);
    TimePoint deadline = Clock::now() + request.deadline;
    bool ending = false;
    bool open = true;
    RunOutcome::Kind kind = RunOutcome::Kind::exited;
    for (;;) {
        std::array<pollfd, 3> wanted{pollfd{child.pidfd.get(), POLLIN, 0},
                                     pollfd{open ? child.output.get() : -1, POLLIN, 0},
                                     pollfd{ending ? -1 : stop.fd(), POLLIN, 0}};
        ::poll(wanted.data(), wanted.size(), milliseconds_left(deadline));
        if (wanted[1].revents != 0) {
            open = drain(child.output.get(), lines);
        }
        if ((wanted[0].revents & POLLIN) != 0) {
            break;
        }
        if (!ending && (stop.arrived() || Clock::now() >= deadline)) {
            kind = stop.arrived() ? RunOutcome::Kind::stopped : RunOutcome::Kind::timed_out;
            ending = true;
            deadline = Clock::now() + term_to_kill;
            ::kill(-child.pid, SIGTERM);
        } else if (ending && Clock::now() >= deadline) {
            deadline = Clock::now() + term_to_kill;
            ::kill(-child.pid, SIGKILL);
        }
    }
    // What the program started and left behind holds the pipe and perhaps the folder. The group's number is still
    // ours: its leader is not reaped yet.
    ::kill(-child.pid, SIGKILL);
    if (open) {
        drain(child.output.get(), lines);
    }
    lines.finish();
    RunOutcome outcome = reap(child.pid);
    if (kind != RunOutcome::Kind::exited) {
        outcome.kind = kind;
        outcome.detail = kind == RunOutcome::Kind::stopped ? "told to stop" : "took longer than its deadline";
    } else if (outcome.code == to_int(ExitCode::exec_failed)) {
        outcome.kind = RunOutcome::Kind::not_started;
    }
    return outcome;
}

}  // namespace

StopSignal::StopSignal() {
    const sigset_t set = stop_signals();
    ::sigprocmask(SIG_BLOCK, &set, nullptr);
    fd_.reset(::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
    if (!fd_) {
        throw std::system_error(errno, std::generic_category(), "signalfd");
    }
}

void StopSignal::release() {
    fd_.reset();
    const sigset_t set = stop_signals();
    ::sigprocmask(SIG_UNBLOCK, &set, nullptr);
}

bool StopSignal::arrived() {
    signalfd_siginfo info{};
    arrived_ = arrived_ || ::read(fd_.get(), &info, sizeof info) == sizeof info;
    return arrived_;
}

bool StopSignal::wait_for(Duration duration) {
    pollfd wanted{fd_.get(), POLLIN, 0};
    ::poll(&wanted, 1, milliseconds_left(Clock::now() + duration));
    return arrived();
}

RunOutcome run_program(const RunRequest& request, StopSignal& stop) {
    try {
        Child child = start(request);
        return watch(request, child, stop);
    } catch (const std::system_error& failure) {
        return {RunOutcome::Kind::not_started, 0, failure.what()};
    }
}

}  // namespace agentlocator
