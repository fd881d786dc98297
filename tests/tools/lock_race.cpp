// lock_race PATH ROUNDS STARTERS: in each round STARTERS processes ask for the same lock at the same moment. Exactly
// one may hold it, and every other must name that one. Prints a summary; exit 1 at the first round that differs.
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "common/time.hpp"
#include "supervisor/io/instance_lock.hpp"
#include "supervisor/io/process_table.hpp"

using namespace agentlocator;

namespace {

struct Answer {
    std::int64_t pid;
    std::int64_t holder;  // 0: could not be told.
    bool held;
    bool failed;
};

using Pipe = std::array<int, 2>;

[[noreturn]] void start_once(const std::string& path, const Pipe& go, const Pipe& answers, const Pipe& leave) {
    ::close(go[1]);
    ::close(leave[1]);
    char byte = 0;
    (void)!::read(go[0], &byte, 1);  // Ends for all starters at once, when the parent closes its end.
    const std::int64_t self = ::getpid();
    const LockRecord record{self, read_start_ticks(self).value_or(0), read_boot_id(), "race", "lock_race", "now", "-"};
    const auto attempt = try_lock(path, record);
    const Answer answer{self, attempt ? attempt->holder_pid : 0, attempt && attempt->held, !attempt};
    (void)!::write(answers[1], &answer, sizeof answer);
    (void)!::read(leave[0], &byte, 1);  // The winner holds until everybody has asked.
    ::_exit(0);
}

bool run_round(const std::string& path, int starters) {
    Pipe go{};
    Pipe answers{};
    Pipe leave{};
    if (::pipe(go.data()) != 0 || ::pipe(answers.data()) != 0 || ::pipe(leave.data()) != 0) {
        return false;
    }
    std::vector<pid_t> children;
    for (int i = 0; i < starters; ++i) {
        const pid_t pid = ::fork();
        if (pid == 0) {
            start_once(path, go, answers, leave);
        }
        children.push_back(pid);
    }
    ::close(go[0]);
    ::close(leave[0]);
    ::close(answers[1]);
    ::close(go[1]);
    std::vector<Answer> all;
    Answer answer{};
    while (static_cast<int>(all.size()) < starters &&
           ::read(answers[0], &answer, sizeof answer) == static_cast<ssize_t>(sizeof answer)) {
        all.push_back(answer);
    }
    ::close(leave[1]);
    ::close(answers[0]);
    for (const pid_t pid : children) {
        ::waitpid(pid, nullptr, 0);
    }
    std::int64_t winner = 0;
    int held = 0;
    for (const Answer& one : all) {
        held += one.held ? 1 : 0;
        winner = one.held ? one.pid : winner;
    }
    int named = 0;
    for (const Answer& one : all) {
        named += !one.held && !one.failed && one.holder == winner ? 1 : 0;
    }
    if (static_cast<int>(all.size()) != starters || held != 1 || named != starters - 1) {
        std::printf("answers=%zu held=%d named=%d of %d\n", all.size(), held, named, starters);
        return false;
    }
    return true;
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 4) {
        std::fputs("usage: lock_race PATH ROUNDS STARTERS\n", stderr);
        return 64;
    }
    const int rounds = std::atoi(argv[2]);
    const int starters = std::atoi(argv[3]);
    const TimePoint begin = Clock::now();
    for (int round = 0; round < rounds; ++round) {
        if (!run_round(argv[1], starters)) {
            std::printf("round %d of %d failed\n", round, rounds);
            return 1;
        }
    }
    const auto spent = std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - begin);
    std::printf("%d rounds of %d starts, one winner each, %lld ms\n", rounds, starters,
                static_cast<long long>(spent.count()));
    return 0;
}
