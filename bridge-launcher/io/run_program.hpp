#pragma once
// Runs one helper program (node --version, npm) to its end, in a process group of its own, its output line by line to
// the caller. Ends the whole group when the deadline passes or when we are told to stop. Blocking: the launcher does
// nothing else meanwhile. Single-threaded.
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "common/io/unique_fd.hpp"
#include "common/time.hpp"

namespace agentlocator {

inline constexpr std::size_t output_line_max = 4096;  // A longer line is passed on in pieces.
inline constexpr Duration term_to_kill = 2s;          // Well below the supervisor's own patience with us.

// SIGTERM and SIGHUP as something to wait for. Blocks them for the process; release() gives them back their default
// meaning before exec, a pending one then ends us as it should.
class StopSignal {
public:
    StopSignal();  // Throws std::system_error.
    void release();
    [[nodiscard]] int fd() const { return fd_.get(); }
    [[nodiscard]] bool arrived();  // Does not wait; stays true.
    // Waits at most `duration`; true: told to stop.
    [[nodiscard]] bool wait_for(Duration duration);

private:
    UniqueFd fd_;
    bool arrived_ = false;
};

struct RunRequest {
    std::vector<std::string> argv;  // argv[0] is a path; PATH is not searched.
    std::vector<std::string> environment;
    std::string directory;
    Duration deadline;
    std::function<void(std::string_view)> on_line;
};

struct RunOutcome {
    enum class Kind { exited, timed_out, stopped, not_started } kind = Kind::not_started;
    int code = 0;        // Kind::exited: 0 is success; 128 + n: signal n.
    std::string detail;  // For people.
};

[[nodiscard]] RunOutcome run_program(const RunRequest& request, StopSignal& stop);

}  // namespace agentlocator
