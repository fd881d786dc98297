#pragma once
// What an exit status of our programs means to whoever started them. Documented in docs/operations.md.
#include <cstdint>

namespace agentlocator {

enum class ExitCode : int {
    ok = 0,
    failed = 1,             // The command was understood and did not succeed.
    usage = 64,             // Unknown flag or argument (sysexits EX_USAGE).
    bad_data = 65,          // Stored data is damaged or of a newer version (sysexits EX_DATAERR); a person must look.
    unavailable = 69,       // No supervisor answers, or the call server could not be kept running.
    internal = 70,          // A bug of ours.
    temporary = 75,         // Somebody else holds the lock or the port; try again after the remedy.
    bad_config = 78,        // Settings are wrong; a restart does not help before they change (not retried).
    supervisor_gone = 125,  // A child that found its parent dead before it began.
    exec_failed = 127,
};

[[nodiscard]] constexpr int to_int(ExitCode code) {
    return static_cast<int>(code);
}

}  // namespace agentlocator
