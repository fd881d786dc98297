#include "supervisor/io/spawner.hpp"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <system_error>

#include "common/exit_code.hpp"

namespace agentlocator {
namespace {

constexpr char listen_pid_name[] = "LISTEN_PID=";
constexpr std::size_t pid_digits_max = 10;

Error system_error(const char* what) {
    return error(Errc::io, std::string(what) + ": " + std::generic_category().message(errno));
}

// Everything the child needs, made before the fork: after it only async-signal-safe calls are allowed.
struct Prepared {
    const char* program = nullptr;
    std::vector<char*> argv;
    std::vector<char*> envp;
    char* listen_pid_digits = nullptr;
    std::string listen_pid;
    std::vector<int> sources;  // What shall become descriptors 0, 1, 2, 3 ...; error pipe and gate last.
    std::vector<int> parked;
};

char* mutable_text(const std::string& text) {
    return const_cast<char*>(text.c_str());
}  // execve takes char*.

void write_digits(char* to, pid_t pid) {
    std::array<char, pid_digits_max> reversed{};
    std::size_t count = 0;
    for (; pid > 0 && count < reversed.size(); pid /= 10) {
        reversed[count++] = static_cast<char>('0' + pid % 10);
    }
    while (count > 0) {
        *to++ = reversed[--count];
    }
    *to = '\0';
}

void close_from(unsigned first) {
    if (::syscall(SYS_close_range, first, ~0U, 0U) == 0) {
        return;
    }
    rlimit limit{};  // Kernel before 5.9.
    ::getrlimit(RLIMIT_NOFILE, &limit);
    for (rlim_t fd = first; fd < limit.rlim_cur; ++fd) {
        ::close(static_cast<int>(fd));
    }
}

[[noreturn]] void fail_exec(int error_fd) {
    const int code = errno;
    (void)!::write(error_fd, &code, sizeof code);
    ::_exit(to_int(ExitCode::exec_failed));
}

[[noreturn]] void run_child(Prepared& prepared) {
    ::setpgid(0, 0);
    struct sigaction fallback {};
    fallback.sa_handler = SIG_DFL;  // Ignored signals survive exec; ours ignores SIGPIPE.
    for (int number = 1; number < NSIG; ++number) {
        ::sigaction(number, &fallback, nullptr);
    }
    // Parked above every target first, so that no dup2 overwrites a source still needed.
    const auto count = static_cast<int>(prepared.sources.size());
    const int error_fd = count - 2;
    const int gate_fd = count - 1;
    for (std::size_t i = 0; i < prepared.sources.size(); ++i) {
        prepared.parked[i] = ::fcntl(prepared.sources[i], F_DUPFD, count);
    }
    for (int target = 0; target < count; ++target) {
        ::dup2(prepared.parked[static_cast<std::size_t>(target)], target);
    }
    ::fcntl(error_fd, F_SETFD, FD_CLOEXEC);
    ::fcntl(gate_fd, F_SETFD, FD_CLOEXEC);
    close_from(static_cast<unsigned>(count));

    char go = 0;
    if (::read(gate_fd, &go, 1) != 1) {
        ::_exit(to_int(ExitCode::supervisor_gone));
    }
    if (prepared.listen_pid_digits != nullptr) {
        write_digits(prepared.listen_pid_digits, ::getpid());
    }
    sigset_t none;
    ::sigemptyset(&none);
    ::sigprocmask(SIG_SETMASK, &none, nullptr);  // Last: no handler of ours may run in here.
    ::execve(prepared.program, prepared.argv.data(), prepared.envp.data());
    fail_exec(error_fd);
}

}  // namespace

Result<Spawned> spawn(const SpawnPlan& plan) {
    std::array<int, 2> error_pipe{};
    if (::pipe2(error_pipe.data(), O_CLOEXEC) != 0) {
        return system_error("pipe");
    }
    Spawned child;
    child.exec_error.reset(error_pipe[0]);
    const UniqueFd error_end(error_pipe[1]);
    std::array<int, 2> gate_pipe{};
    if (::pipe2(gate_pipe.data(), O_CLOEXEC) != 0) {
        return system_error("pipe");
    }
    const UniqueFd gate_end(gate_pipe[0]);
    child.gate.reset(gate_pipe[1]);
    const UniqueFd null(::open("/dev/null", O_RDONLY | O_CLOEXEC));
    if (!null) {
        return system_error("/dev/null");
    }
    ::fcntl(child.exec_error.get(), F_SETFL, O_NONBLOCK);

    Prepared prepared;
    prepared.program = plan.program.c_str();
    for (const std::string& argument : plan.arguments) {
        prepared.argv.push_back(mutable_text(argument));
    }
    prepared.argv.push_back(nullptr);
    for (const std::string& entry : plan.environment) {
        prepared.envp.push_back(mutable_text(entry));
    }
    if (!plan.passed.empty()) {
        prepared.listen_pid = listen_pid_name + std::string(pid_digits_max + 1, '\0');
        prepared.listen_pid_digits = prepared.listen_pid.data() + sizeof(listen_pid_name) - 1;
        prepared.envp.push_back(prepared.listen_pid.data());
    }
    prepared.envp.push_back(nullptr);
    prepared.sources = {null.get(), plan.output, plan.output};
    prepared.sources.insert(prepared.sources.end(), plan.passed.begin(), plan.passed.end());
    prepared.sources.insert(prepared.sources.end(), plan.kept.begin(), plan.kept.end());
    prepared.sources.push_back(error_end.get());
    prepared.sources.push_back(gate_end.get());
    prepared.parked.resize(prepared.sources.size());

    // Every signal stays blocked around the fork: a handler must not run in the child before exec.
    sigset_t all;
    sigset_t before;
    ::sigfillset(&all);
    ::pthread_sigmask(SIG_BLOCK, &all, &before);
    child.pid = ::fork();
    if (child.pid == 0) {
        run_child(prepared);
    }
    const int fork_errno = errno;
    ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
    if (child.pid < 0) {
        errno = fork_errno;
        return system_error("fork");
    }
    ::setpgid(child.pid, child.pid);  // In both: whoever comes first, nobody signals a group that is not there yet.
    // No race: the pid of a child that is not reaped is not reused.
    child.pidfd.reset(static_cast<int>(::syscall(SYS_pidfd_open, child.pid, 0U)));
    if (!child.pidfd && (errno == EMFILE || errno == ENFILE)) {
        ::kill(child.pid, SIGKILL);  // Still at the gate; without a pidfd it could not be watched.
        ::waitpid(child.pid, nullptr, 0);
        errno = EMFILE;
        return system_error("pidfd_open");
    }
    return child;
}

void open_gate(Spawned& child) {
    if (child.gate) {
        (void)!::write(child.gate.get(), "g", 1);
        child.gate.reset();
    }
}

bool signal_child(pid_t pid, int pidfd, int number) {
    if (pidfd >= 0) {
        return ::syscall(SYS_pidfd_send_signal, pidfd, number, nullptr, 0U) == 0;
    }
    return ::kill(pid, number) == 0;
}

}  // namespace agentlocator
