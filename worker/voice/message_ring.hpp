#pragma once
// A bounded queue of messages from one thread to one other, in memory taken once: neither side locks, allocates or
// waits. A record is a head and its payload, in one piece, so that the payload can be lent out instead of copied.
//
// Positions are absolute byte counts. A record that does not fit before the end of the memory is preceded by a filler.
// An empty ring starts over at its beginning, so that light traffic keeps to the first pages.
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>

#include "common/ensure.hpp"
#include "worker/agent/agent_message.hpp"

namespace agentlocator {

template <typename Kind>
class MessageRing {
public:
    using Message = AgentMessage<Kind>;

    // `bytes`: a power of two that holds at least four messages of the greatest size.
    explicit MessageRing(std::size_t bytes) : size_(bytes), memory_(new std::byte[bytes]) {
        ENSURE((bytes & (bytes - 1)) == 0);
        ENSURE(bytes >= 4 * (sizeof(Head) + agent_payload_max));
    }

    // Producer. False: it does not fit and leave `reserve` bytes free; nothing was taken.
    [[nodiscard]] bool push(const Message& message, std::size_t reserve = 0) {
        ENSURE(message.payload.size() <= agent_payload_max);
        const std::size_t need = record_size(message.payload.size());
        const std::uint64_t head = head_.load(std::memory_order_relaxed);
        const std::uint64_t tail = tail_.load(std::memory_order_acquire);
        const std::size_t at = index(head);
        const bool rewind = head == tail && at >= rewind_from;
        const std::size_t filler = rewind || at + need > size_ ? size_ - at : 0;
        if (head - tail + filler + need + (rewind ? 0 : reserve) > size_) {
            return false;
        }
        if (filler != 0) {
            const Size size{static_cast<std::uint32_t>(filler), filler_mark};
            std::memcpy(&memory_[at], &size, sizeof size);
        }
        const std::uint64_t from = head + filler;
        const Head record{
            .size = {static_cast<std::uint32_t>(need), static_cast<std::uint32_t>(message.payload.size())},
            .kind = message.kind,
            .slot = message.slot,
            .turn = message.turn,
            .sentence = message.sentence,
            .call = message.call,
            .value = message.value};
        std::memcpy(&memory_[index(from)], &record, sizeof record);
        if (!message.payload.empty()) {
            std::memcpy(&memory_[index(from) + sizeof(Head)], message.payload.data(), message.payload.size());
        }
        head_.store(from + need, std::memory_order_seq_cst);  // See take_sleeper().
        return true;
    }
    // Producer: so many bytes of records fit at least, whatever fillers they need.
    [[nodiscard]] std::size_t room() const {
        const auto used =
            static_cast<std::size_t>(head_.load(std::memory_order_relaxed) - tail_.load(std::memory_order_acquire));
        const std::size_t lost = record_size(agent_payload_max);  // To a filler.
        return size_ - used > lost ? size_ - used - lost : 0;
    }
    // Producer, after push(): true once for each time the consumer went to sleep; then it must be woken.
    [[nodiscard]] bool take_sleeper() {
        // We store head_, then load sleeps_; the consumer stores sleeps_, then loads head_. In the one order of these
        // four (seq_cst; the thread sanitizer knows no fences) one of the two sees the other.
        return sleeps_.load(std::memory_order_seq_cst) && sleeps_.exchange(false, std::memory_order_acq_rel);
    }

    // Consumer. The payload stays valid until the next pop().
    [[nodiscard]] bool pop(Message& message) {
        std::uint64_t tail = tail_.load(std::memory_order_relaxed) + lent_;
        lent_ = 0;
        const std::uint64_t head = head_.load(std::memory_order_acquire);
        Size size;
        while (tail != head) {
            std::memcpy(&size, &memory_[index(tail)], sizeof size);
            if (size.payload != filler_mark) {
                break;
            }
            tail += size.record;
        }
        tail_.store(tail, std::memory_order_release);
        if (tail == head) {
            return false;
        }
        Head record;
        std::memcpy(&record, &memory_[index(tail)], sizeof record);
        lent_ = size.record;
        message = {
            .kind = record.kind,
            .slot = record.slot,
            .call = record.call,
            .turn = record.turn,
            .sentence = record.sentence,
            .value = record.value,
            .payload = {reinterpret_cast<const char*>(&memory_[index(tail) + sizeof(Head)]), record.size.payload}};
        return true;
    }
    // Consumer, before it blocks: false when there is something to pop. True: the producer will take_sleeper().
    [[nodiscard]] bool may_sleep() {
        sleeps_.store(true, std::memory_order_seq_cst);
        if (head_.load(std::memory_order_seq_cst) == tail_.load(std::memory_order_relaxed) + lent_) {
            return true;
        }
        sleeps_.store(false, std::memory_order_relaxed);
        return false;
    }
    void awake() { sleeps_.store(false, std::memory_order_relaxed); }

    [[nodiscard]] std::size_t bytes() const { return size_; }

private:
    // A filler may be shorter than a head, but not than this.
    struct Size {
        std::uint32_t record = 0;   // Bytes of the whole record.
        std::uint32_t payload = 0;  // Bytes of the payload, or filler_mark.
    };
    struct Head {
        Size size;
        Kind kind{};
        std::uint32_t slot = 0;
        std::uint32_t turn = 0;
        std::uint32_t sentence = 0;
        std::uint64_t call = 0;
        std::int64_t value = 0;
    };
    static constexpr std::uint32_t filler_mark = 0xffff'ffffU;
    static constexpr std::size_t align = alignof(Head);
    static_assert(align >= sizeof(Size));
    static constexpr std::size_t rewind_from = 65'536;  // Going back sooner would save no page.

    [[nodiscard]] static constexpr std::size_t record_size(std::size_t payload) {
        return (sizeof(Head) + payload + align - 1) / align * align;
    }
    [[nodiscard]] std::size_t index(std::uint64_t position) const {
        return static_cast<std::size_t>(position) & (size_ - 1);
    }
    const std::size_t size_;
    const std::unique_ptr<std::byte[]> memory_;
    alignas(64) std::atomic<std::uint64_t> head_{0};  // The producer's.
    alignas(64) std::atomic<std::uint64_t> tail_{0};  // The consumer's.
    std::size_t lent_ = 0;                            // Record whose payload the consumer still uses.
    alignas(64) std::atomic<bool> sleeps_{false};
};

}  // namespace agentlocator
