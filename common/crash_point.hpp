#pragma once
// Ways to die that only builds with AGENTLOCATOR_CRASH_POINTS have; in all others both macros are nothing at all.
//
// CRASH_POINT(name) ends the process by SIGKILL when a fault test asks for that point:
//   AGENTLOCATOR_CRASH=name:N      on the N-th pass, in every process that has the variable;
//   AGENTLOCATOR_CRASH_DIR=folder  whoever passes first while the file folder/name exists, and takes it away: exactly
//                                  one death for each file, at any moment of a running load;
//                                  folder/name.stop: it hangs there instead, stopped by SIGSTOP.
// POISON_POINT(bytes) ends it by SIGABRT when a caller's audio begins with poison_payload: a call that kills whoever
// handles it.
#include <cstdint>
#include <span>
#include <string_view>

namespace agentlocator {

inline constexpr std::string_view poison_payload = "agentlocator: a payload that kills";

#ifdef AGENTLOCATOR_CRASH_POINTS
void crash_point(const char* name) noexcept;
void poison_point(std::span<const std::uint8_t> bytes) noexcept;
#endif

}  // namespace agentlocator

#ifdef AGENTLOCATOR_CRASH_POINTS
#define CRASH_POINT(name) ::agentlocator::crash_point(#name)
#define POISON_POINT(bytes) ::agentlocator::poison_point(bytes)
#else
#define CRASH_POINT(name) static_cast<void>(0)
#define POISON_POINT(bytes) static_cast<void>(0)
#endif
