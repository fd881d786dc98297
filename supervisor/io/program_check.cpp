#include "supervisor/io/program_check.hpp"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <system_error>
#include <utility>

extern char** environ;

namespace agentlocator {
namespace {

constexpr std::size_t answer_bytes_max = 64 * 1024;

}  // namespace

ProgramCheck::ProgramCheck(EventLoop& loop, Done done)
    : loop_(loop), done_(std::move(done)), sink_([this](std::uint32_t) { read(); }) {}

ProgramCheck::~ProgramCheck() {
    clear();
}

void ProgramCheck::start(const std::string& program) {
    clear();
    program_ = program;
    text_.clear();
    const auto refuse = [this](const std::string& why) { loop_.defer([this, why] { finish(error(Errc::io, why)); }); };
    if (::access(program.c_str(), X_OK) != 0) {
        return refuse(std::generic_category().message(errno));
    }
    std::array<int, 2> pipe{};
    if (::pipe2(pipe.data(), O_CLOEXEC) != 0) {
        return refuse(std::string("pipe: ") + std::generic_category().message(errno));
    }
    output_.reset(pipe[0]);
    const UniqueFd output_end(pipe[1]);
    ::fcntl(output_.get(), F_SETFL, O_NONBLOCK);
    SpawnPlan plan;
    plan.program = program;
    plan.arguments = {"agentlocator", "version", "--json"};
    for (char** entry = environ; *entry != nullptr; ++entry) {
        plan.environment.emplace_back(*entry);
    }
    plan.output = output_end.get();
    auto spawned = spawn(plan);
    if (!spawned) {
        output_.reset();
        return refuse(spawned.error().detail);
    }
    process_ = std::move(*spawned);
    loop_.add(output_.get(), EPOLLIN, sink_);
    timer_ = loop_.call_at(Clock::now() + check_max, [this] {
        timer_ = 0;
        finish(error(Errc::timeout, "it did not tell its version within 10 s"));
    });
    open_gate(process_);
}

void ProgramCheck::read() {
    std::array<char, 4096> buffer;
    const auto count = ::read(output_.get(), buffer.data(), buffer.size());
    if (count < 0 && (errno == EAGAIN || errno == EINTR)) {
        return;
    }
    if (count > 0) {
        text_.append(buffer.data(), static_cast<std::size_t>(count));
        if (text_.size() > answer_bytes_max) {
            finish(error(Errc::too_large, "its `version --json` does not end"));
        }
        return;
    }
    int exec_errno = 0;
    if (::read(process_.exec_error.get(), &exec_errno, sizeof exec_errno) == sizeof exec_errno) {
        return finish(error(Errc::io, std::generic_category().message(exec_errno)));
    }
    auto facts = parse_build_facts(text_);
    constexpr std::size_t shown_bytes = 200;
    finish(facts || text_.empty()
               ? std::move(facts)
               : error(Errc::bad_message, facts.error().detail + "; it said: " + text_.substr(0, shown_bytes)));
}

void ProgramCheck::finish(Result<BuildFacts> facts) {
    clear();
    done_(std::move(facts));
}

void ProgramCheck::clear() {
    loop_.cancel(std::exchange(timer_, 0));
    if (output_) {
        loop_.remove(output_.get(), sink_);
        output_.reset();
    }
    if (process_.pid > 0) {
        // It has closed its output or is too late: either way nothing more is wanted of it, nor of what it started.
        // SIGCHLD reaps it; until then the group's number is nobody else's.
        if (signal_child(process_.pid, process_.pidfd.get(), SIGKILL)) {
            ::kill(-process_.pid, SIGKILL);
        }
        process_ = {};
    }
}

}  // namespace agentlocator
