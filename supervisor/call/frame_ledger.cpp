#include "supervisor/call/frame_ledger.hpp"

#include <cstring>

#include "supervisor/call/random.hpp"

namespace agentlocator::call {
namespace {

constexpr std::size_t id_bytes = 8;
static_assert((frame_bytes - id_bytes) % 8 == 0);

}  // namespace

FrameLedger::FrameLedger(std::uint32_t call) : call_(call) {}

void FrameLedger::fill(Frame& frame, std::uint32_t number) const {
    std::memcpy(frame.data(), &call_, sizeof call_);
    std::memcpy(frame.data() + sizeof call_, &number, sizeof number);
    Random noise(static_cast<std::uint64_t>(call_) << 32 | number);
    for (std::size_t at = id_bytes; at < frame.size(); at += 8) {
        const std::uint64_t word = noise.next();
        std::memcpy(frame.data() + at, &word, sizeof word);
    }
}

void FrameLedger::make(Frame& frame, TimePoint now) {
    const auto number = static_cast<std::uint32_t>(counts_.sent++);
    fill(frame, number);
    entries_[number % ledger_frames] = {now, false};
}

void FrameLedger::on_echo(std::string_view payload, TimePoint now) {
    Frame wanted{};
    std::uint32_t number = 0;
    if (payload.size() == frame_bytes) {
        std::memcpy(&number, payload.data() + sizeof call_, sizeof number);
        fill(wanted, number);
    }
    if (payload.size() != frame_bytes || std::memcmp(wanted.data(), payload.data(), frame_bytes) != 0 ||
        number >= counts_.sent || counts_.sent - number > ledger_frames) {
        ++counts_.corrupt;
        return;
    }
    Entry& entry = entries_[number % ledger_frames];
    if (entry.answered) {
        ++counts_.repeated;
        return;
    }
    entry.answered = true;
    ++counts_.answered;
    if (number < next_expected_) {
        ++counts_.reordered;
    } else {
        next_expected_ = number + 1;
    }
    latency_.add(now - entry.sent_at);
}

}  // namespace agentlocator::call
