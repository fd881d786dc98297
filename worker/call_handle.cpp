#include "worker/call_handle.hpp"

#include <algorithm>
#include <cstring>

#include "common/ensure.hpp"

namespace agentlocator {

CallState& CallHandle::begin() {
    CallState& next = shadow();
    const CallState& committed = state();
    // Only an AI call has a conversation; it is the larger half.
    const bool whole = committed.mode == WsMode::ai;
    std::memcpy(static_cast<void*>(&next), &committed, whole ? sizeof next : offsetof(CallState, conversation));
    if (entry_.sent.load(std::memory_order_relaxed) == next.send.tail) {
        next.send.origin = next.send.tail;  // Empty: start again at the ring's first page.
    }
    return next;
}

void CallHandle::commit() {
    entry_.current.store(static_cast<std::uint16_t>(current() ^ 1U), std::memory_order_release);
}

std::size_t CallHandle::room() const {
    const std::uint64_t queued = shadow().send.tail - entry_.sent.load(std::memory_order_relaxed);
    return send_ring_bytes - static_cast<std::size_t>(queued);
}

std::size_t CallHandle::room_committed() const {
    const std::uint64_t queued = state().send.tail - entry_.sent.load(std::memory_order_relaxed);
    return send_ring_bytes - static_cast<std::size_t>(queued);
}

void CallHandle::append(std::span<const std::uint8_t> bytes) {
    ENSURE(bytes.size() <= room());
    SendState& send = shadow().send;
    const auto at = static_cast<std::size_t>(send.tail - send.origin) % send_ring_bytes;
    const std::size_t before_wrap = std::min(bytes.size(), send_ring_bytes - at);
    std::memcpy(&slot_.send_ring[at], bytes.data(), before_wrap);
    if (before_wrap < bytes.size()) {
        std::memcpy(slot_.send_ring.data(), bytes.data() + before_wrap, bytes.size() - before_wrap);
    }
    send.tail += bytes.size();
}

CallHandle::Unsent CallHandle::unsent() const {
    const SendState& send = state().send;
    const std::uint64_t sent = entry_.sent.load(std::memory_order_relaxed);
    const auto size = static_cast<std::size_t>(send.tail - sent);
    const auto at = static_cast<std::size_t>(sent - send.origin) % send_ring_bytes;
    const std::size_t before_wrap = std::min(size, send_ring_bytes - at);
    return {{{{slot_.send_ring.data() + at, before_wrap}, {slot_.send_ring.data(), size - before_wrap}}}};
}

void CallHandle::keep_remainder(std::uint64_t at, std::span<const std::uint8_t> bytes) {
    ENSURE(bytes.size() <= staging_bytes);
    FrameState& frames = shadow().frames;
    frames.remainder_half ^= 1U;
    std::ranges::copy(bytes, slot_.remainder[frames.remainder_half & 1U].begin());
    frames.remainder_at = at;
    frames.remainder_size = static_cast<std::uint32_t>(bytes.size());
}

std::span<const std::uint8_t> CallHandle::remainder() const {
    const FrameState& frames = state().frames;
    const std::uint64_t end = frames.remainder_at + frames.remainder_size;
    if (frames.parsed >= end) {
        return {};
    }
    const auto spent = static_cast<std::size_t>(frames.parsed - frames.remainder_at);
    return {slot_.remainder[frames.remainder_half & 1U].data() + spent, frames.remainder_size - spent};
}

void CallHandle::reset() {
    slot_.states[0] = CallState{};
    slot_.states[1] = CallState{};
    entry_.current.store(0, std::memory_order_relaxed);
    entry_.deaths.store(0, std::memory_order_relaxed);
    entry_.excused_deaths.store(0, std::memory_order_relaxed);
    entry_.moves.store(0, std::memory_order_relaxed);
    entry_.superseded.store(0, std::memory_order_relaxed);
    entry_.ended_s.store(0, std::memory_order_relaxed);
    entry_.sid_key.store(0, std::memory_order_relaxed);
    entry_.sent.store(0, std::memory_order_release);
}

}  // namespace agentlocator
