#include "supervisor/call/pacing.hpp"

#include <algorithm>

#include "supervisor/call/playback.hpp"

namespace agentlocator::call {
namespace {

constexpr Duration byte_time = 125us;  // A sample at 8 kHz.

}  // namespace

void PacingReport::merge(const PacingReport& other) {
    late.merge(other.late);
    lead.merge(other.lead);
    lead_max = std::max(lead_max, other.lead_max);
    silence_max = std::max(silence_max, other.silence_max);
}

void Pacing::on_tick(TimePoint now) {
    report_.silence_max = std::max(report_.silence_max, now - played_out_);
}

void Pacing::note_frame(TimePoint now) {
    const Duration lead = played_out_ - now;
    report_.late.add(std::max(Duration::zero(), -lead));
    report_.lead_max = std::max(report_.lead_max, lead);
    if (lead < Duration::zero()) {
        played_out_ = now;
    } else if (now - uttering_since_ >= settled_after) {
        report_.lead.add(lead);
    }
}

void Pacing::on_media(TimePoint now, std::size_t bytes) {
    on_tick(now);
    bool first = now >= played_out_ && !in_utterance_;
    if (first) {
        played_out_ = uttering_since_ = now;
    }
    in_utterance_ = true;
    for (; bytes > 0; first = false) {
        if (!first) {
            note_frame(now);
        }
        const std::size_t count = std::min(bytes, frame_bytes);
        played_out_ += byte_time * static_cast<std::int64_t>(count);
        bytes -= count;
    }
}

void Pacing::on_clear(TimePoint now) {
    in_utterance_ = false;
    played_out_ = std::min(played_out_, now);
}

}  // namespace agentlocator::call
