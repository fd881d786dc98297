#pragma once
// Runs `PROGRAM version --json` and reads what it says, without stopping the loop: a program is looked at before a
// supervisor becomes it.
#include <functional>
#include <string>

#include "common/io/event_loop.hpp"
#include "common/io/unique_fd.hpp"
#include "supervisor/io/spawner.hpp"
#include "supervisor/upgrade.hpp"

namespace agentlocator {

class ProgramCheck {
public:
    using Done = std::function<void(Result<BuildFacts>)>;

    ProgramCheck(EventLoop& loop, Done done);
    ~ProgramCheck();
    ProgramCheck(const ProgramCheck&) = delete;
    ProgramCheck& operator=(const ProgramCheck&) = delete;

    // `done` is called once, from the loop, at most check_max later. One check at a time.
    void start(const std::string& program);

private:
    void read();
    void finish(Result<BuildFacts> facts);
    void clear();

    EventLoop& loop_;
    Done done_;
    std::string program_;
    Spawned process_;
    UniqueFd output_;
    std::string text_;
    FunctionSink sink_;
    EventLoop::TimerId timer_ = 0;
};

}  // namespace agentlocator
