#pragma once
// Names one place for a process inside the supervisor. Never reused, unlike the slot number people see: during a
// rolling restart two seats carry the same number.
#include <cstdint>

namespace agentlocator {

enum class SeatId : std::uint64_t {};

}  // namespace agentlocator
