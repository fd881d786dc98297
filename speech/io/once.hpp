#pragma once
// `agentlocator say` and `agentlocator hear`: one text or one recording through the engine, without a supervisor.
#include "common/config.hpp"
#include "common/exit_code.hpp"
#include "speech/options.hpp"

namespace agentlocator::speech {

[[nodiscard]] ExitCode say_once(const SayCommand& command, const Settings& settings);
[[nodiscard]] ExitCode hear_once(const HearCommand& command, const Settings& settings);

}  // namespace agentlocator::speech
