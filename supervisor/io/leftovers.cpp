#include "supervisor/io/leftovers.hpp"

#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <set>
#include <sstream>

#include "supervisor/child_environment.hpp"
#include "supervisor/io/read_file.hpp"
#include "supervisor/proc_text.hpp"

namespace agentlocator {

bool become_subreaper() {
    return ::prctl(PR_SET_CHILD_SUBREAPER, 1L, 0L, 0L, 0L) == 0;
}

std::vector<pid_t> own_children() {
    const std::string self = std::to_string(::getpid());
    const auto text = read_file("/proc/" + self + "/task/" + self + "/children");  // Only the main thread forks.
    std::vector<pid_t> children;
    std::istringstream words(text.value_or(""));
    for (pid_t pid = 0; words >> pid;) {
        children.push_back(pid);
    }
    return children;
}

bool carries_serial(pid_t pid, const std::string& serial) {
    const auto text = read_file("/proc/" + std::to_string(pid) + "/environ");
    const auto entries = parse_proc_strings(text.value_or(""));
    return std::find(entries.begin(), entries.end(), spawn_serial_variable + ("=" + serial)) != entries.end();
}

std::size_t kill_leftovers(const std::function<bool(pid_t)>& is_leftover) {
    constexpr int rounds_max = 50;  // Each generation below a killed process comes up to us in the next round.
    std::set<pid_t> killed;
    for (int round = 0; round < rounds_max; ++round) {
        bool found = false;
        for (const pid_t pid : own_children()) {
            if (killed.contains(pid) || is_leftover(pid)) {
                found = true;
                // An unreaped child of ours: its number is its own until we reap it.
                ::kill(pid, SIGKILL);
                killed.insert(pid);
            }
        }
        if (!found) {
            break;
        }
        ::usleep(500);
        for (const pid_t pid : killed) {
            ::waitpid(pid, nullptr, WNOHANG);
        }
    }
    return killed.size();
}

}  // namespace agentlocator
