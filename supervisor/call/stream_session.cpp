#include "supervisor/call/stream_session.hpp"

#include <algorithm>
#include <utility>

namespace agentlocator::call {
namespace {

StreamPlan prepare(StreamPlan plan) {
    if (plan.faults.has(FaultKind::start_without_ids)) {
        plan.ids.stream_sid.clear();
        plan.ids.call_sid.clear();
    }
    if (plan.faults.has(FaultKind::parameters_raw) || plan.faults.has(FaultKind::parameters_escaped)) {
        plan.parameters.emplace_back("tenant_name", "מרפאת \"הכרמל\" & בניו 🦷");
    }
    return plan;
}

}  // namespace

std::string_view to_string(StreamEnd end) {
    switch (end) {
        case StreamEnd::none:
            return "none";
        case StreamEnd::caller:
            return "caller";
        case StreamEnd::server:
            return "server";
        case StreamEnd::lost:
            return "lost";
        case StreamEnd::broken:
            return "broken";
        case StreamEnd::not_opened:
            return "not_opened";
        case StreamEnd::cut:
            return "cut";
    }
    return "";
}

StreamSession::StreamSession(StreamPlan plan, TimePoint now)
    : plan_(prepare(std::move(plan))),
      created_at_(now),
      phase_at_(now),
      random_(plan_.seed),
      audio_(plan_.audio),
      reader_(plan_.ids.stream_sid) {
    if (plan_.ledger_call) {
        ledger_.emplace(*plan_.ledger_call);
    }
}

void StreamSession::enter(Phase phase, TimePoint now) {
    phase_ = phase;
    phase_at_ = now;
}

void StreamSession::end(StreamEnd how, std::string_view detail) {
    if (report_.end == StreamEnd::none) {
        report_.end = how;
        report_.end_detail = detail;
    }
    phase_ = Phase::ended;
}

// --- opening

void StreamSession::on_connected(TimePoint now) {
    if (phase_ == Phase::connecting) {
        output_ += upgrade_request(plan_.upgrade);
        enter(Phase::upgrading, now);
    }
}

void StreamSession::on_connect_failed(Rule rule, std::string_view why) {
    report_.violations.add(rule, "the stream cannot be reached: " + std::string(why));
    end(StreamEnd::not_opened, why);
}

void StreamSession::on_upgrade_bytes(TimePoint now, std::string_view bytes) {
    upgrade_bytes_ += bytes;
    const auto answer = check_upgrade_answer(upgrade_bytes_, plan_.upgrade);
    if (answer.has_error()) {
        report_.violations.add(Rule::stream_handshake, answer.error().detail, upgrade_bytes_);
        return end(StreamEnd::not_opened, answer.error().detail);
    }
    if (!answer->has_value()) {
        return;
    }
    report_.open = now - created_at_;
    frames_.push(std::string_view(upgrade_bytes_).substr((*answer)->size));
    upgrade_bytes_.clear();
    opened_ = true;
    enter(Phase::streaming, now);
    begin(now);
    read_frames(now);
}

void StreamSession::begin(TimePoint now) {
    first_timestamp_ = static_cast<std::uint64_t>(random_.between(100, 180));  // As in published captures.
    pong_at_ = now;
    send_text(connected_message());
    if (plan_.faults.has(FaultKind::junk_before_start)) {
        send_text(R"({"event":"telemetry","sequenceNumber":"0"})");
        send_text(R"([{"event":"start"}])");
        send_text(mark_message(plan_.ids, next_sequence(), "early"));
        send_text(dtmf_message(plan_.ids, next_sequence(), '5'));
    }
    if (plan_.faults.has(FaultKind::media_before_start)) {
        Frame frame{};
        for (int i = 0; i < 25; ++i) {
            audio_.next(frame);
            send_media(frame);
        }
    }
    const bool escaped = plan_.faults.has(FaultKind::parameters_escaped);
    send_text(
        start_message(plan_.ids, next_sequence(), plan_.parameters, escaped ? TextForm::escaped : TextForm::utf8));
    started_at_ = now;
    pacing_.begin(now);
}

// --- what the server sends

void StreamSession::on_bytes(TimePoint now, std::string_view bytes) {
    if (phase_ == Phase::upgrading) {
        return on_upgrade_bytes(now, bytes);
    }
    if (phase_ == Phase::ended || phase_ == Phase::connecting) {
        return;
    }
    if (close_received_) {
        report_.violations.add(Rule::stream_protocol, "bytes after the server's close frame", bytes);
        return;
    }
    frames_.push(bytes);
    read_frames(now);
}

void StreamSession::read_frames(TimePoint now) {
    WsMessage message;
    while (phase_ != Phase::ended) {
        const auto step = frames_.next(message);
        if (step == WsServerFrames::Step::need_more) {
            return;
        }
        if (step == WsServerFrames::Step::failed) {
            report_.violations.add(Rule::stream_protocol, frames_.failure());
            send_close(frames_.close_code());
            return end(StreamEnd::broken, frames_.failure());
        }
        if (close_received_) {
            report_.violations.add(Rule::stream_protocol, "a frame after the server's close frame", message.payload);
            return;
        }
        on_message(now, message);
    }
}

void StreamSession::on_message(TimePoint now, const WsMessage& message) {
    switch (message.kind) {
        case WsOpcode::ping:
            if (!frozen_ && !close_sent_) {
                append_client_frame(output_, WsOpcode::pong, message.payload, random_.next32());
            }
            return;
        case WsOpcode::pong:
            pong_at_ = now;
            pings_out_ = std::max(0, pings_out_ - 1);
            stop_was_read_ = stop_was_read_ || message.payload == ping_after_stop;
            return;
        case WsOpcode::close:
            phase_at_ = now;
            return on_close(message.payload);
        case WsOpcode::binary:
            report_.violations.add(Rule::malformed_message, "a binary message; Twilio takes text only",
                                   message.payload);
            return;
        case WsOpcode::text:
        case WsOpcode::continuation:  // Never handed out: fragments are joined.
            return on_text(now, message.payload);
    }
}

void StreamSession::on_text(TimePoint now, std::string_view text) {
    if (phase_ == Phase::stopped || phase_ == Phase::closing) {
        if (stop_was_read_) {
            report_.violations.add(Rule::invalid_message, "a message after stop", text);
        }
        return;
    }
    const ServerMessage message = reader_.read(text, report_.violations);
    if (const auto* media = std::get_if<ServerMedia>(&message)) {
        on_media(now, media->audio);
    } else if (const auto* mark = std::get_if<ServerMark>(&message)) {
        ++report_.marks_received;
        last_media_at_.reset();
        pacing_.on_mark();
        playback_.on_mark(mark->name, echoes_);
        echo_marks();
    } else if (std::holds_alternative<ServerClear>(message)) {
        ++report_.clears;
        last_media_at_.reset();
        pacing_.on_clear(now);
        playback_.on_clear(echoes_);
        echo_marks();
    }
}

void StreamSession::on_media(TimePoint now, std::string_view audio) {
    if (!report_.first_media) {
        report_.first_media = now - started_at_;
    }
    if (last_media_at_) {
        report_.media_gap_max = std::max(report_.media_gap_max, now - *last_media_at_);
    }
    last_media_at_ = now;
    ++report_.media_received;
    report_.audio_bytes_received += audio.size();
    pacing_.on_media(now, audio.size());
    if (ledger_) {
        ledger_->on_echo(audio, now);
    }
    if (!playback_.on_media(audio_time(), audio)) {
        report_.violations.add(Rule::media_discarded,
                               "more than ten minutes of audio sent ahead; the rest is discarded");
    }
}

void StreamSession::on_close(std::string_view payload) {
    const CloseReason reason = read_close(payload);
    close_received_ = true;
    report_.close_code = reason.code;
    const bool clean = reason.code == 1000 || reason.code == 1001 || reason.code == 1005;
    if (!clean && !plan_.faults.excuse_close(reason.code)) {
        report_.violations.add(Rule::stream_close, "the server closed with " + std::to_string(reason.code),
                               reason.text);
    }
    if (report_.end == StreamEnd::none) {
        report_.end = StreamEnd::server;
        report_.end_detail =
            "close " + std::to_string(reason.code) + (reason.text.empty() ? "" : " " + shorten(reason.text));
    }
    if (!close_sent_ && !frozen_) {
        send_close(reason.code == 1005 ? 1000 : reason.code);
    }
    phase_ = Phase::closing;
}

void StreamSession::on_lost(std::string_view why) {
    const std::string detail(why);
    switch (phase_) {
        case Phase::connecting:
        case Phase::upgrading:
            report_.violations.add(Rule::stream_handshake, "the connection ended before the 101: " + detail);
            return end(StreamEnd::not_opened, detail);
        case Phase::streaming:
        case Phase::lingering:
            if (!plan_.faults.excuse_loss()) {
                report_.violations.add(Rule::stream_broken, "the connection ended without a close frame: " + detail);
            }
            return end(StreamEnd::lost, detail);
        case Phase::stopped:
        case Phase::closing:
            if (!close_received_ && !plan_.faults.excuse_loss()) {
                report_.violations.add(Rule::stream_protocol,
                                       "the connection ended without a close frame, after our end");
            }
            return end(StreamEnd::caller, detail);
        case Phase::ended:
            return;
    }
}

// --- the clock

TimePoint StreamSession::audio_time() const {
    return TimePoint{} + frame_time * static_cast<std::int64_t>(ticks_);
}

void StreamSession::on_tick(TimePoint now) {
    if (phase_ == Phase::connecting || phase_ == Phase::upgrading) {
        if (now - created_at_ >= upgrade_wait_max) {
            report_.violations.add(Rule::stream_timeout, "no answer to the upgrade within 10 s");
            end(StreamEnd::not_opened, "timeout");
        }
        return;
    }
    if (phase_ != Phase::streaming && phase_ != Phase::lingering) {
        return wait_for_end(now);
    }
    ++ticks_;
    pacing_.on_tick(now);
    play();
    if (phase_ == Phase::lingering) {
        const bool complete = ledger_ && ledger_->counts().lost() == 0;
        if (complete || now - phase_at_ >= plan_.linger) {
            send_stop();
            enter(Phase::stopped, now);
        }
        return;
    }
    if (apply_faults(now)) {
        send_audio(now);
        send_digits();
    }
    if (phase_ == Phase::streaming && plan_.ticks != 0 && ticks_ >= plan_.ticks) {
        hang_up(now);
    }
}

void StreamSession::wait_for_end(TimePoint now) {
    if (phase_ == Phase::stopped && now - phase_at_ >= after_stop) {
        send_close(1000);
        enter(Phase::closing, now);
    } else if (phase_ == Phase::closing && now - phase_at_ >= close_wait_max) {
        if (!plan_.faults.excuse_loss()) {
            report_.violations.add(Rule::stream_protocol,
                                   close_received_ ? "the server left the connection open after its close frame"
                                                   : "the server did not answer our close frame within 5 s");
        }
        end(StreamEnd::caller, "close timeout");
    }
}

void StreamSession::hang_up(TimePoint now) {
    if (frozen_) {
        return end(StreamEnd::cut, "frozen");
    }
    if (phase_ == Phase::connecting || phase_ == Phase::upgrading) {
        return end(StreamEnd::not_opened, "hung up");
    }
    if (phase_ != Phase::streaming) {
        return;
    }
    report_.end = StreamEnd::caller;
    if (plan_.linger > Duration::zero()) {
        return enter(Phase::lingering, now);
    }
    send_stop();
    enter(Phase::stopped, now);
}

void StreamSession::play() {
    Frame heard{};
    (void)playback_.on_tick(audio_time(), heard, echoes_);
    if (plan_.record && report_.heard.size() < recorded_bytes_max) {
        report_.heard.insert(report_.heard.end(), heard.begin(), heard.end());
    }
    while (!late_echoes_.empty() && late_echoes_.front().due_tick <= ticks_) {
        send_mark(late_echoes_.front().name);
        late_echoes_.pop_front();
    }
    echo_marks();
}

const StreamReport& StreamSession::report() {
    report_.audio_bytes_played = playback_.played();
    report_.underruns = playback_.underruns();
    report_.longest_hole = playback_.longest_hole();
    if (!plan_.fast) {
        report_.pacing = pacing_.report();
    }
    if (ledger_) {
        report_.ledger = ledger_->counts();
        if (report_.end == StreamEnd::cut) {  // Answers on their way went with the connection.
            report_.ledger.sent = report_.ledger.answered;
        }
        report_.latency = ledger_->latency();
    }
    return report_;
}

}  // namespace agentlocator::call
