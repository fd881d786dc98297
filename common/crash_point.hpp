#pragma once
// CRASH_POINT(name): in builds with AGENTLOCATOR_CRASH_POINTS, ends the process by SIGKILL when the environment asks
// for that point (AGENTLOCATOR_CRASH=name:N, on the N-th pass). In all other builds it is nothing at all.

#ifdef AGENTLOCATOR_CRASH_POINTS
namespace agentlocator {
void crash_point(const char* name) noexcept;
}
#define CRASH_POINT(name) ::agentlocator::crash_point(#name)
#else
#define CRASH_POINT(name) static_cast<void>(0)
#endif
