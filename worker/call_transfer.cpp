#include "worker/call_transfer.hpp"

#include <algorithm>

#include "common/crash_point.hpp"

namespace agentlocator {

CallTransfer::CallTransfer(CallSlab& slab, std::uint32_t worker, std::uint32_t slot, const StreamContext& context,
                           StreamScratch& scratch)
    : entry_(slab.workers[worker]),
      staging_(slab.staging[worker]),
      handle_(slab, slot),
      stream_(handle_, context, scratch) {}

void CallTransfer::open(std::string_view response, std::span<const std::uint8_t> behind, WsMode mode, TimePoint now) {
    stream_.on_open(response, mode, now);
    if (!behind.empty()) {
        handle_.begin();
        handle_.keep_remainder(0, behind);
        handle_.commit();
    }
}

void CallTransfer::parse_kept(TimePoint now) {
    const std::uint64_t at = handle_.state().frames.parsed;
    const std::span<const std::uint8_t> kept = handle_.remainder();
    std::ranges::copy(kept, staging_.bytes.begin());
    parse({staging_.bytes.data(), kept.size()}, at, now);
}

void CallTransfer::receive(Wire& wire, TimePoint now) {
    const std::uint64_t at = handle_.state().frames.parsed;
    const std::span<const std::uint8_t> kept = handle_.remainder();
    std::ranges::copy(kept, staging_.bytes.begin());
    // Before the kernel gives bytes away it must be on record where they will lie.
    entry_.staging_from.store(at, std::memory_order_release);
    CRASH_POINT(before_receive);
    const std::size_t most = std::min(receive_bytes_max, staging_bytes - kept.size());
    std::size_t count = 0;
    const WireResult result = wire.receive({staging_.bytes.data() + kept.size(), most}, count);
    CRASH_POINT(after_receive);
    if (result == WireResult::done) {
        parse({staging_.bytes.data(), kept.size() + count}, at, now);
    } else if (result == WireResult::gone) {
        stream_.on_peer_gone();
    }
}

// `bytes` lie in the staging area and begin at absolute position `at`.
void CallTransfer::parse(std::span<const std::uint8_t> bytes, std::uint64_t at, TimePoint now) {
    const std::uint64_t rx = handle_.state().rx;
    const std::uint64_t tx = handle_.state().tx;
    const std::size_t used = stream_.on_bytes(bytes, now);
    const auto add = [](std::atomic<std::uint64_t>& counter, std::uint64_t more) {
        counter.store(counter.load(std::memory_order_relaxed) + more, std::memory_order_relaxed);
    };
    add(entry_.frames_in, handle_.state().rx - rx);
    add(entry_.frames_out, handle_.state().tx - tx);
    paused_ = stream_.stalled();
    CRASH_POINT(before_keep);
    if (used < bytes.size() && !stream_.closed()) {
        handle_.begin();
        handle_.keep_remainder(at + used, bytes.subspan(used));
        handle_.commit();
    }
    CRASH_POINT(after_keep);
}

void CallTransfer::flush(Wire& wire) {
    for (CallHandle::Unsent unsent = handle_.unsent(); unsent.size() > 0; unsent = handle_.unsent()) {
        CRASH_POINT(before_send);
        std::size_t count = 0;
        const WireResult result = wire.send(unsent, count);
        CRASH_POINT(after_send);
        if (result == WireResult::again) {
            return;
        }
        if (result == WireResult::gone) {
            stream_.on_peer_gone();
            return drop_unsent();
        }
        const bool more = count < unsent.size();
        handle_.on_sent(count);
        if (more) {
            CRASH_POINT(between_sends);
        }
    }
}

}  // namespace agentlocator
