#pragma once
// ENSURE(condition): a broken invariant ends the process, in release builds too. The parent restarts it and every
// call goes on elsewhere. Never test with it what a peer, a file or a child can influence:
// that would be a remote kill switch.

namespace agentlocator {

// Prints one line to stderr and aborts. Async-signal-safe.
[[noreturn]] void ensure_failed(const char* condition, const char* file, int line) noexcept;

}  // namespace agentlocator

#define ENSURE(condition) \
    (static_cast<bool>(condition) ? void(0) : ::agentlocator::ensure_failed(#condition, __FILE__, __LINE__))
