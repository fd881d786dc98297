#pragma once
// Makes the calls that the options ask for and prints what came of them.
#include "supervisor/call/options.hpp"

namespace agentlocator::call {

[[nodiscard]] int run_call(CallOptions options);  // The exit code.

}  // namespace agentlocator::call
