// The sending side of StreamSession: frames, fragments, and the wrong ones among them.
#include <algorithm>
#include <utility>

#include "supervisor/call/stream_session.hpp"

namespace agentlocator::call {

// --- audio, keys, marks

void StreamSession::send_audio(TimePoint now) {
    Frame frame{};
    if (ledger_) {
        ledger_->make(frame, now);
    } else {
        audio_.next(frame);
    }
    if (plan_.record && report_.sent.size() < recorded_bytes_max) {
        report_.sent.insert(report_.sent.end(), frame.begin(), frame.end());
    }
    const auto stall = plan_.faults.value(FaultKind::burst);
    if (stall && ticks_ >= to_tick(*stall) && ticks_ < to_tick(*stall) + burst_ticks) {
        backlog_.push_back(frame);
        return;
    }
    for (; !backlog_.empty(); backlog_.pop_front()) {
        send_media(backlog_.front());
    }
    send_media(frame);
    if (plan_.fast && ticks_ % fast_ping_ticks == 0) {
        append_client_frame(output_, WsOpcode::ping, "fast", random_.next32());
        ++pings_out_;
    }
    if (plan_.fast && pings_out_ > 0 && now - pong_at_ > ping_wait_max) {
        report_.violations.add(Rule::stream_protocol, "a ping was not answered within 5 s");
        hang_up(now);
    }
}

void StreamSession::send_media(const Frame& frame) {
    ++chunk_;
    const std::uint64_t jitter = static_cast<std::uint64_t>(random_.between(0, 4));  // +-2 ms, as in captures.
    const std::uint64_t timestamp =
        first_timestamp_ + 20 * (chunk_ - 1) + (chunk_ == 1 ? 0 : jitter) - (chunk_ == 1 ? 0 : 2);
    media_message(message_, plan_.ids, {next_sequence(), chunk_, timestamp}, view(frame));
    send_text(message_);
    ++report_.frames_sent;
    if (is_nth(FaultKind::duplicate_media, chunk_)) {
        send_text(message_);
        ++report_.frames_sent;
    }
}

void StreamSession::send_digits() {
    const std::uint64_t due = plan_.digits_after_ticks + digit_ * digit_gap_ticks;
    if (digit_ < plan_.digits.size() && ticks_ >= due) {
        send_text(dtmf_message(plan_.ids, next_sequence(), plan_.digits[digit_++]));
        ++report_.digits_sent;
    }
}

void StreamSession::echo_marks() {
    const auto delay = plan_.faults.value(FaultKind::delay_marks);
    for (std::string& name : echoes_) {
        if (phase_ != Phase::streaming || frozen_ || plan_.faults.has(FaultKind::lose_marks)) {
            continue;
        }
        if (delay) {
            late_echoes_.push_back({ticks_ + to_tick(*delay / 1000), std::move(name)});
        } else {
            send_mark(name);
        }
    }
    echoes_.clear();
}

void StreamSession::send_mark(std::string_view name) {
    send_text(mark_message(plan_.ids, next_sequence(), name));
    ++report_.marks_echoed;
}

// --- faults

bool StreamSession::is_moment(FaultKind kind) const {
    const auto seconds = plan_.faults.value(kind);
    return seconds && ticks_ == std::max<std::uint64_t>(1, to_tick(*seconds));
}

bool StreamSession::is_nth(FaultKind kind, std::uint64_t count) const {
    const auto n = plan_.faults.value(kind);
    return n && count % std::max<std::uint64_t>(1, static_cast<std::uint64_t>(*n)) == 0;
}

bool StreamSession::apply_faults(TimePoint now) {
    if (is_moment(FaultKind::drop_tcp)) {
        output_.clear();
        end(StreamEnd::cut, "drop-tcp");
        return false;
    }
    if (is_moment(FaultKind::cut_once) || is_moment(FaultKind::leave_once)) {
        output_.clear();
        left_open_ = is_moment(FaultKind::leave_once);
        end(StreamEnd::cut, left_open_ ? "leave-once" : "cut-once");
        return false;
    }
    if (is_moment(FaultKind::close_without_stop)) {
        report_.end = StreamEnd::caller;
        report_.end_detail = "close-without-stop";
        send_close(1000);
        enter(Phase::closing, now);
        return false;
    }
    frozen_ = frozen_ || is_moment(FaultKind::freeze);
    if (frozen_) {
        return false;
    }
    for (const FaultKind kind : {FaultKind::binary, FaultKind::wrong_stream_sid, FaultKind::invalid_json,
                                 FaultKind::bad_base64, FaultKind::unknown_event, FaultKind::unmasked,
                                 FaultKind::reserved_bit, FaultKind::fragmented_ping, FaultKind::invalid_utf8}) {
        if (is_moment(kind)) {
            inject(kind);
        }
    }
    if (plan_.faults.has(FaultKind::oversized) && ticks_ == to_tick(1)) {
        inject(FaultKind::oversized);
    }
    return true;
}

void StreamSession::inject(FaultKind kind) {
    const std::uint32_t mask = random_.next32();
    std::string text = mark_message(plan_.ids, next_sequence(), "fault");
    Frame frame{};
    frame.fill(mulaw_silence);
    StreamIds foreign = plan_.ids;
    switch (kind) {
        case FaultKind::binary:
            return append_client_frame(output_, WsOpcode::binary, view(frame), mask);
        case FaultKind::wrong_stream_sid:
            foreign.stream_sid = "MZ" + std::string(32, '0');
            media_message(text, foreign, {sequence_, chunk_ + 1, 0}, view(frame));
            return send_text(text);
        case FaultKind::invalid_json:
            return send_text(text.substr(0, text.size() / 2));
        case FaultKind::bad_base64:
            media_message(text, plan_.ids, {sequence_, chunk_ + 1, 0}, view(frame));
            text.replace(text.find("////"), 4, "#*!@");
            return send_text(text);
        case FaultKind::unknown_event:
            return send_text(R"({"event":"weather","streamSid":")" + plan_.ids.stream_sid +
                             R"(","weather":{"sun":true}})");
        case FaultKind::oversized: {
            const auto size = static_cast<std::size_t>(*plan_.faults.value(kind));
            text.pop_back();
            text += R"(,"padding":")";
            text += std::string(size > text.size() + 2 ? size - text.size() - 2 : 0, 'x') + "\"}";
            return append_client_frame(output_, WsOpcode::text, text, mask);
        }
        case FaultKind::unmasked:
            return append_client_frame(output_, WsOpcode::text, text, mask,
                                       {.fin = true, .masked = false, .reserved = 0});
        case FaultKind::reserved_bit:
            return append_client_frame(output_, WsOpcode::text, text, mask,
                                       {.fin = true, .masked = true, .reserved = 4});
        case FaultKind::fragmented_ping:
            append_client_frame(output_, WsOpcode::ping, "half", mask, {.fin = false, .masked = true, .reserved = 0});
            return append_client_frame(output_, WsOpcode::continuation, "half", mask);
        case FaultKind::invalid_utf8:
            return append_client_frame(output_, WsOpcode::text, "{\"event\":\"\xC3\x28\"}", mask);
        default:
            return;  // The others are no single messages.
    }
}

// --- sending

std::uint64_t StreamSession::next_sequence() {
    ++sequence_;
    if (is_nth(FaultKind::skip_sequence, sequence_)) {
        ++sequence_;
    }
    return sequence_;
}

void StreamSession::send_text(std::string_view text) {
    const auto pieces = plan_.faults.value(FaultKind::fragment);
    if (!pieces) {
        return append_client_frame(output_, WsOpcode::text, text, random_.next32());
    }
    const std::size_t size = text.size() / static_cast<std::size_t>(std::max(1.0, *pieces)) + 1;
    for (std::size_t at = 0; at < text.size(); at += size) {
        const bool last = at + size >= text.size();
        append_client_frame(output_, at == 0 ? WsOpcode::text : WsOpcode::continuation, text.substr(at, size),
                            random_.next32(), {.fin = last, .masked = true, .reserved = 0});
        if (!last) {
            append_client_frame(output_, WsOpcode::ping, "between", random_.next32());
        }
    }
}

void StreamSession::send_stop() {
    send_text(stop_message(plan_.ids, next_sequence()));
    // What arrives after its pong was sent by a server that had read stop; before it, messages may cross.
    append_client_frame(output_, WsOpcode::ping, ping_after_stop, random_.next32());
}

void StreamSession::send_close(std::uint16_t code) {
    const std::string payload{static_cast<char>(code >> 8), static_cast<char>(code & 0xFF)};
    append_client_frame(output_, WsOpcode::close, payload, random_.next32());
    close_sent_ = true;
}

}  // namespace agentlocator::call
