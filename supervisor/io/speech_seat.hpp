#pragma once
// What the supervisor holds for the speech helper over all its lives: the listening socket, so that workers that
// connect while it restarts wait instead of failing, and the page with its heartbeat.
#include <string>

#include "common/io/heartbeat_page.hpp"
#include "common/io/unique_fd.hpp"
#include "common/result.hpp"

namespace agentlocator {

struct SpeechSeat {
    UniqueFd listener;
    HeartbeatPage heartbeat;
};

// Takes the place of a socket that an earlier supervisor left in the folder. The folder is ours alone (run.cpp).
[[nodiscard]] Result<SpeechSeat> open_speech_seat(const std::string& runtime_dir);

}  // namespace agentlocator
