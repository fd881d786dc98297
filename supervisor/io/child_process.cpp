#include "supervisor/io/child_process.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <system_error>
#include <utility>

#include "supervisor/io/process_table.hpp"

namespace agentlocator {
namespace {

Error system_error(const char* what) {
    return error(Errc::io, std::string(what) + ": " + std::generic_category().message(errno));
}

// Position of the control channel among the passed descriptors: http, control, slab (common/control_packet.hpp).
constexpr std::ptrdiff_t control_position = 1;

}  // namespace

ChildProcess::ChildProcess(EventLoop& loop, ChildEvents& events, ChildSpec spec, TimePoint now)
    : loop_(loop),
      events_(events),
      spec_(std::move(spec)),
      spawned_at_(now),
      line_sink_([this](std::string_view line) { events_.on_line(*this, line); }),
      period_start_(now),
      death_sink_([this](std::uint32_t) { events_.on_died(*this); }),
      exec_sink_([this](std::uint32_t) { read_exec_report(); }),
      output_sink_([this](std::uint32_t) { read_output(); }) {}

ChildProcess::~ChildProcess() {
    unwatch();
}

Result<std::unique_ptr<ChildProcess>> ChildProcess::start(EventLoop& loop, ChildEvents& events, ChildSpec spec,
                                                          TimePoint now) {
    std::unique_ptr<ChildProcess> child(new ChildProcess(loop, events, std::move(spec), now));
    if (auto launched = child->launch(); !launched) {
        return launched.error();
    }
    return child;
}

Result<std::unique_ptr<ChildProcess>> ChildProcess::adopt(EventLoop& loop, ChildEvents& events, ChildSpec spec,
                                                          TimePoint spawned_at, AdoptedIdentity identity) {
    std::unique_ptr<ChildProcess> child(new ChildProcess(loop, events, std::move(spec), spawned_at));
    child->process_.pid = identity.pid;
    child->process_.pidfd = std::move(identity.pidfd);
    child->start_ticks_ = identity.start_ticks;
    // It holds the read end of its own output, so the pipe and what lies in it are as they were. Without /proc its
    // lines stay there; its calls do not depend on them.
    const std::string output = "/proc/" + std::to_string(identity.pid) + "/fd/1";
    child->output_.reset(::open(output.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
    try {
        child->watch();
    } catch (const std::system_error& failure) {
        child->unwatch();
        return error(Errc::io, failure.what());
    }
    return child;
}

Result<void> ChildProcess::launch() {
    std::array<int, 2> pipe{};
    if (::pipe2(pipe.data(), O_CLOEXEC) != 0) {
        return system_error("pipe");
    }
    output_.reset(pipe[0]);
    const UniqueFd output_end(pipe[1]);
    ::fcntl(output_.get(), F_SETFL, O_NONBLOCK);
    for (int bytes = output_pipe_bytes; bytes > 64 * 1024 && ::fcntl(output_.get(), F_SETPIPE_SZ, bytes) < 0;) {
        bytes /= 2;  // An unprivileged user may own only so many pipe pages (pipe(7)).
    }
    UniqueFd control_end;
    if (spec_.is_worker) {
        // Its log must never block it, not even when we are stopped: what does not fit, it drops and counts.
        ::fcntl(output_end.get(), F_SETFL, O_NONBLOCK);
        std::array<int, 2> pair{};
        if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair.data()) != 0) {
            return system_error("socketpair");
        }
        control_.reset(pair[0]);
        control_end.reset(pair[1]);
        spec_.plan.passed.insert(spec_.plan.passed.begin() + control_position, control_end.get());
    }
    spec_.plan.output = output_end.get();
    // The child keeps a read end of its own output: should we die, the pipe stays open and full of what was said.
    spec_.plan.kept = {output_.get()};
    auto spawned = spawn(spec_.plan);
    if (!spawned) {
        return spawned.error();
    }
    process_ = std::move(*spawned);
    start_ticks_ = read_start_ticks(process_.pid).value_or(0);
    try {
        watch();
    } catch (const std::system_error& failure) {  // epoll's own limit (fs.epoll.max_user_watches).
        unwatch();
        signal(SIGKILL);
        ::waitpid(process_.pid, nullptr, 0);  // It is still at its gate: it dies at once.
        return error(Errc::io, failure.what());
    }
    return {};
}

void ChildProcess::watch() {
    if (process_.pidfd) {
        loop_.add(process_.pidfd.get(), EPOLLIN, death_sink_);
    }
    if (process_.exec_error) {
        loop_.add(process_.exec_error.get(), EPOLLIN, exec_sink_);
    }
    if (output_) {
        loop_.add(output_.get(), EPOLLIN, output_sink_);
    }
}

void ChildProcess::unwatch() {
    loop_.cancel(std::exchange(resume_timer_, 0));
    if (process_.pidfd) {
        loop_.remove(process_.pidfd.get(), death_sink_);
    }
    if (process_.exec_error) {
        loop_.remove(process_.exec_error.get(), exec_sink_);
    }
    if (output_) {
        loop_.remove(output_.get(), output_sink_);
    }
}

void ChildProcess::read_exec_report() {
    int code = 0;
    const auto count = ::read(process_.exec_error.get(), &code, sizeof code);
    if (count < 0 && errno == EAGAIN) {
        return;
    }
    loop_.remove(process_.exec_error.get(), exec_sink_);
    process_.exec_error.reset();
    if (count == sizeof code) {
        notes.exec_errno = code;
        events_.on_executed(*this, code);
    } else {
        events_.on_executed(*this, 0);
    }
}

// Bytes taken; 0: nothing there now, or the end.
std::size_t ChildProcess::read_once() {
    std::array<char, output_turn_bytes> buffer;
    const auto count = ::read(output_.get(), buffer.data(), buffer.size());
    if (count > 0) {
        splitter_.feed({buffer.data(), static_cast<std::size_t>(count)}, line_sink_);
        return static_cast<std::size_t>(count);
    }
    if (count == 0 || (errno != EAGAIN && errno != EINTR)) {
        // The end says nothing about its life: a child may close its output and go on. The pidfd tells of death.
        loop_.remove(output_.get(), output_sink_);
        output_.reset();
        splitter_.finish(line_sink_);
    }
    return 0;
}

void ChildProcess::read_output() {
    const TimePoint now = Clock::now();
    if (now - period_start_ >= output_period) {
        period_start_ = now;
        period_bytes_ = 0;
    }
    period_bytes_ += read_once();
    if (output_ && period_bytes_ >= output_period_bytes) {
        pause_output(period_start_ + output_period);
    }
}

void ChildProcess::pause_output(TimePoint until) {
    loop_.modify(output_.get(), 0, output_sink_);
    resume_timer_ = loop_.call_at(until, [this] {
        resume_timer_ = 0;
        if (output_) {
            loop_.modify(output_.get(), EPOLLIN, output_sink_);
        }
    });
}

void ChildProcess::drain_output() {
    // A grandchild may hold the other end and write for ever: two pipes full, then it is enough.
    std::size_t left = 2 * static_cast<std::size_t>(output_pipe_bytes);
    while (output_ && left > 0) {
        const std::size_t count = read_once();
        if (count == 0) {
            break;
        }
        left -= std::min(left, count);
    }
    splitter_.finish(line_sink_);
}

void ChildProcess::kill_group() const {
    ::kill(-process_.pid, SIGKILL);
    signal(SIGKILL);  // It may not have reached setpgid yet, or have left the group.
}

// A process of an earlier supervisor is not our child: the pidfd tells that it ended, somebody else heard how.
bool ChildProcess::has_ended() const {
    pollfd ready{process_.pidfd.get(), POLLIN, 0};
    return process_.pidfd && ::poll(&ready, 1, 0) > 0;
}

ExitFacts ChildProcess::ended_elsewhere() const {
    ExitFacts facts = notes;
    facts.unknown = true;
    return facts;
}

std::optional<ExitFacts> ChildProcess::reap() {
    siginfo_t info{};
    const auto wait = [&](int flags) {
        info = {};
        errno = 0;
        return ::waitid(P_PID, static_cast<id_t>(process_.pid), &info, WEXITED | WNOHANG | flags) == 0 &&
               info.si_pid == process_.pid;
    };
    if (!wait(WNOWAIT)) {
        return errno == ECHILD && has_ended() ? std::optional(ended_elsewhere()) : std::nullopt;
    }
    // While the leader is not reaped its number, and so the group's, cannot belong to anybody else.
    ::kill(-process_.pid, SIGKILL);
    if (process_.exec_error) {
        read_exec_report();  // Both arrive at once when exec fails; the death may be seen first.
    }
    (void)wait(0);
    ExitFacts facts = notes;
    if (info.si_code == CLD_EXITED) {
        facts.code = info.si_status;
    } else {
        facts.signal = info.si_status;
        facts.core = info.si_code == CLD_DUMPED;
    }
    return facts;
}

}  // namespace agentlocator
