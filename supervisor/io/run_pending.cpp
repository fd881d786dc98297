// Stands in until the process core defines run_supervisor: delete this file with that change.
#include <cstdio>

#include "common/exit_code.hpp"
#include "supervisor/run.hpp"

namespace agentlocator {

int run_supervisor(const RunOptions&) {
    std::fputs("agentlocator: this build has no process core yet (supervisor/io/run_pending.cpp)\n", stderr);
    return to_int(ExitCode::internal);
}

}  // namespace agentlocator
