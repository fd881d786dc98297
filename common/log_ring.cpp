#include "common/log_ring.hpp"

#include <algorithm>

namespace agentlocator {
namespace {

void put(LogRing& ring, std::uint64_t at, std::string_view text) {
    const auto from = static_cast<std::size_t>(at % log_ring_bytes);
    const std::size_t before_wrap = std::min(text.size(), log_ring_bytes - from);
    std::ranges::copy(text.substr(0, before_wrap), &ring.bytes[from]);
    std::ranges::copy(text.substr(before_wrap), ring.bytes.begin());
}

}  // namespace

bool push_line(LogRing& ring, std::string_view line) {
    line = line.substr(0, log_line_bytes_max - 1);
    const std::uint64_t head = ring.head.load(std::memory_order_relaxed);
    if (head + line.size() + 1 - ring.tail.load(std::memory_order_acquire) > log_ring_bytes) {
        return false;
    }
    put(ring, head, line);
    put(ring, head + line.size(), "\n");
    ring.head.store(head + line.size() + 1, std::memory_order_release);
    return true;
}

std::span<const char> waiting(const LogRing& ring) {
    const std::uint64_t tail = ring.tail.load(std::memory_order_relaxed);
    const std::uint64_t size = ring.head.load(std::memory_order_acquire) - tail;
    if (size == 0 || size > log_ring_bytes) {
        return {};
    }
    const auto from = static_cast<std::size_t>(tail % log_ring_bytes);
    return {ring.bytes.data() + from, std::min(static_cast<std::size_t>(size), log_ring_bytes - from)};
}

void consume(LogRing& ring, std::size_t bytes) {
    ring.tail.store(ring.tail.load(std::memory_order_relaxed) + bytes, std::memory_order_release);
}

}  // namespace agentlocator
