#pragma once
// Writes and reads the LogRing of a worker's slab entry: lines of text, each with its line break. Pure memory work,
// lock-free, never blocks. One producer (the media thread), one consumer (the log thread; after a death the
// supervisor).
#include <span>
#include <string_view>

#include "common/call_slab.hpp"

namespace agentlocator {

inline constexpr std::size_t log_line_bytes_max = 4096;  // A longer line is cut; a peer chooses some of its text.

// False when the ring is full: the line is dropped, the caller counts it.
[[nodiscard]] bool push_line(LogRing& ring, std::string_view line);

// Bytes waiting to be written out, up to the ring's end; empty when there are none.
[[nodiscard]] std::span<const char> waiting(const LogRing& ring);

// The first `bytes` of waiting() have been written out.
void consume(LogRing& ring, std::size_t bytes);

}  // namespace agentlocator
