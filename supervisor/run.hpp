#pragma once
// `agentlocator run`: everything from the lock to the exit status. The command line (options, main) fills RunOptions.
#include <chrono>
#include <functional>
#include <string>

#include "common/io/settings_source.hpp"

namespace agentlocator {

struct RunOptions {
    // Reads settings file, environment and flags, and validates them. Called at the start and again at SIGHUP or
    // `reload`; faults at a reload keep the old settings and become a problem in `status`.
    std::function<LoadedSettings()> load;

    bool enforce_ai = false;  // --enforce-ai: a WS_MODE that leaked in is overridden.
    bool takeover = false;    // --takeover: end an unknown owner of the port instead of refusing.

    // Programs of the children; empty: beside our own executable.
    std::string worker_program;  // AGENTLOCATOR_WORKER_PROGRAM
    std::string bridge_program;  // AGENTLOCATOR_BRIDGE_PROGRAM
    std::string speech_program;  // AGENTLOCATOR_SPEECH_PROGRAM

    // A child that served this long has proved itself: its next crash is answered at once.
    std::chrono::milliseconds healthy_after{60'000};  // AGENTLOCATOR_HEALTHY_AFTER_MS, for benchmarks.
    // A worker that is not ready by then is ended and started again.
    std::chrono::milliseconds start_timeout{15'000};  // AGENTLOCATOR_START_TIMEOUT_MS, for tests and slow hosts.
};

// Runs in the foreground until stopped. Returns the exit status (common/exit_code.hpp).
[[nodiscard]] int run_supervisor(const RunOptions& options);

}  // namespace agentlocator
