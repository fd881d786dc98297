#include "bridge-launcher/io/launch.hpp"

#include <linux/close_range.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>

#include "common/log_line.hpp"

namespace agentlocator {
namespace {

int failed(const LaunchPlan& plan, const char* what) {
    const auto line = log_line("bridge_not_started", {{"cause", std::string(what) + ": " + std::strerror(errno)},
                                                      {"remedy", "see that " + plan.node + " can be run"}});
    std::fprintf(stderr, "%s\n", line.c_str());
    return to_int(ExitCode::exec_failed);
}

}  // namespace

std::vector<std::string> current_environment() {
    std::vector<std::string> entries;
    for (char** entry = environ; *entry != nullptr; ++entry) {
        entries.emplace_back(*entry);
    }
    return entries;
}

void leave_terminal() {
    if (::getpgrp() != ::getpid()) {
        ::setsid();
    }
    ::signal(SIGINT, SIG_IGN);  // Until exec: an installation is not broken off by a keystroke either.
}

int become(const LaunchPlan& plan, StopSignal& stop) {
    std::vector<char*> argv;
    for (const std::string& text : plan.argv) {
        argv.push_back(const_cast<char*>(text.c_str()));
    }
    argv.push_back(nullptr);
    std::vector<char*> environment;
    for (const std::string& text : plan.environment) {
        environment.push_back(const_cast<char*>(text.c_str()));
    }
    environment.push_back(nullptr);
    // Whatever we inherited by mistake is not passed on; older kernels keep what they had.
    ::close_range(3, ~0U, CLOSE_RANGE_CLOEXEC);
    ::signal(SIGINT, SIG_DFL);
    stop.release();
    ::execve(argv[0], argv.data(), environment.data());
    return failed(plan, "exec of node");
}

int launch(const LaunchPlan& plan, StopSignal& stop) {
    const auto line = log_line("bridge_starting", {{"folder", plan.directory}, {"node", plan.node}});
    std::printf("%s\n", line.c_str());
    std::fflush(stdout);
    if (::chdir(plan.directory.c_str()) != 0) {
        return failed(plan, "entering the bridge's folder");
    }
    return become(plan, stop);
}

}  // namespace agentlocator
