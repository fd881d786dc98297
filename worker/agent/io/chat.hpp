#pragma once
// `agentlocator chat`: the conversation by keyboard. A line is an utterance that was recognised as typed; a line of
// digits, * and # is keys. The agent is the one of the calls, with the model of the settings, or the script; only ear
// and mouth are replaced by the terminal.
#include "common/config.hpp"

namespace agentlocator {

// Until the end of the input or until the agent hangs up. Returns an exit code.
[[nodiscard]] int run_chat(const Settings& settings);

}  // namespace agentlocator
