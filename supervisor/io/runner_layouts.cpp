// SupervisorRunner: workers of builds that lay out the memory of calls differently (common/call_slab.hpp).
#include "common/io/call_slab_file.hpp"
#include "common/log_line.hpp"
#include "supervisor/io/self_exec.hpp"
#include "supervisor/io/supervisor_runner.hpp"

namespace agentlocator {
namespace {

constexpr int rescues_max = 3;  // A program that does not start three times in a row will not.

}  // namespace

// Its file on the disk may be gone or another one when somebody is needed who reads what it wrote.
void SupervisorRunner::remember_program(const ChildProcess& worker) {
    const std::uint8_t region = keeper_.entry(worker.spec().entry).region.load();
    if (auto program = open_program_of(std::to_string(worker.pid())); region != no_region && program) {
        programs_[region] = std::move(program);
    }
}

int SupervisorRunner::program_of(std::uint8_t region) const {
    const auto found = programs_.find(region);
    return found != programs_.end() ? found->second.get() : old_worker_.get();
}

void SupervisorRunner::tend_layouts() {
    const std::uint32_t freed = free_regions(*context_.slab, context_.slab_fd);
    std::erase_if(programs_, [&](const auto& program) { return (freed & 1U << program.first) != 0; });
    rescue();
}

// For the calls that no living worker can read, the last one of their layout having died: a worker of that build is
// started, takes them over and hands them on. Only one at a time, and its end brings us here again.
void SupervisorRunner::rescue() {
    while (const auto region = keeper_.vault().region_to_rescue()) {
        if (machine_.rescuing() || machine_.state() == SupervisorState::stopping) {
            return;
        }
        if (rescues_ < rescues_max && program_of(*region) >= 0) {
            ++rescues_;
            rescued_region_ = *region;
            say(log_line("rescuer_started",
                         {{"detail", "calls of another build wait for a worker that can read them"}}));
            machine_.rescue(Clock::now(), 1, actions_);
            return perform();
        }
        say(log_line("rescue_failed", {{"detail", "calls of another build are cut: no program is left to read them"}}));
        keeper_.give_up(*region);
    }
    rescues_ = 0;
}

}  // namespace agentlocator
