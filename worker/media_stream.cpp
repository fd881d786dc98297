#include "worker/media_stream.hpp"

#include <algorithm>
#include <cstring>

#include "common/crash_point.hpp"
#include "common/ensure.hpp"
#include "common/log_line.hpp"
#include "common/mulaw.hpp"
#include "common/ws_log.hpp"
#include "worker/base64.hpp"
#include "worker/call_record.hpp"
#include "worker/echo_responder.hpp"
#include "worker/voice/nanoseconds.hpp"

namespace agentlocator {
namespace {

constexpr std::size_t frame_message_bytes = base64_size(frame_samples) + message_overhead_max;  // And a mark.
constexpr std::size_t frames_a_step_max = 50;  // A second of agent speech.
static_assert(frames_a_step_max * frame_message_bytes <= 24 * 1024);
constexpr Duration deaf_close = std::chrono::seconds(1);
constexpr std::uint16_t complaints_max = 20;  // Lines about one stream's mistakes; a peer may not flood the log.

// The first sign of the end counts.
void decide(CallState& state, StreamFate fate) {
    if (state.fate == StreamFate::open) {
        state.fate = fate;
    }
}

std::string_view as_text(std::span<const std::uint8_t> bytes) {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}
std::span<const std::uint8_t> as_bytes(std::string_view text) {
    return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

}  // namespace

void MediaStream::on_open(std::string_view response, WsMode mode, TimePoint now) {
    CallState& state = call_.begin();
    state.mode = mode;
    state.opened_ns = ns(now);
    state.heard_ns = ns(now);
    call_.append(as_bytes(response));
    log_later(ws_log::connected(mode, context_.hebrew_realtime));
    commit();
}

std::size_t MediaStream::on_bytes(std::span<const std::uint8_t> bytes, TimePoint now) {
    std::size_t used = 0;
    if (call_.state().frames.deaf && !closed()) {
        call_.begin().frames.parsed += bytes.size();
        commit();
        return bytes.size();
    }
    while (!closed() && !stalled() && on_frame(bytes.subspan(used), used, now)) {
    }
    return used;
}

bool MediaStream::on_frame(std::span<const std::uint8_t> bytes, std::size_t& used, TimePoint now) {
    WsFrameHeader header;
    const WsParse parse = read_frame_header(bytes, header);
    if (parse == WsParse::need_more) {
        return false;
    }
    const std::size_t size = header.header_size + static_cast<std::size_t>(header.payload_size);
    if (parse == WsParse::ok && bytes.size() < size) {
        return false;
    }
    CallState& state = call_.begin();
    step_ = &state;
    if (parse == WsParse::bad) {
        fail(state, ws_close::protocol_error, "frame that RFC 6455 does not allow from a client");
    } else if (parse == WsParse::too_large) {
        fail(state, ws_close::too_large, "frame over the limit of 65536 bytes");
    } else {
        if (state.phase < StreamPhase::stopped) {  // Later, talking on is no answer to our farewell.
            state.heard_ns = ns(now);
        }
        state.frames.parsed += size;
        used += size;
        const std::span<const std::uint8_t> masked = bytes.subspan(header.header_size, size - header.header_size);
        if ((static_cast<unsigned>(header.opcode) & 8U) != 0) {
            copy_unmasked(masked, header.mask, scratch_.text.data());
            on_control(state, header.opcode, {scratch_.text.data(), masked.size()});
        } else {
            on_data(state, header, masked, now);
        }
    }
    commit();
    return true;
}

void MediaStream::on_data(CallState& state, const WsFrameHeader& header, std::span<const std::uint8_t> masked,
                          TimePoint now) {
    FrameState& frames = state.frames;
    const bool continues = header.opcode == WsOpcode::continuation;
    const std::size_t whole = frames.message_size + masked.size();
    if (continues != frames.message_open) {
        return fail(state, ws_close::protocol_error, "fragment without a beginning, or a new message inside one");
    }
    if (header.opcode == WsOpcode::binary) {
        return fail(state, ws_close::unsupported, "binary frame; this protocol is text");
    }
    if (whole > message_bytes_max) {
        return fail(state, ws_close::too_large, "message over the limit of 65536 bytes");
    }
    const bool single = header.fin && !continues;
    // Beyond the committed size the message buffer is free to write, so an unfinished step harms nothing.
    std::uint8_t* const to = single ? scratch_.text.data() : call_.message().data() + frames.message_size;
    const std::uint8_t seen = copy_unmasked(masked, header.mask, to);
    frames.message_open = !header.fin;
    frames.message_size = header.fin ? 0 : static_cast<std::uint32_t>(whole);
    if (!header.fin) {
        return;
    }
    const std::span<const std::uint8_t> text{single ? scratch_.text.data() : call_.message().data(), whole};
    if ((!single || seen >= 0x80) && !valid_utf8(text)) {
        return fail(state, ws_close::bad_text, "text that is not UTF-8");
    }
    on_text(state, as_text(text), now);
}

void MediaStream::on_control(CallState& state, WsOpcode opcode, std::span<const std::uint8_t> payload) {
    if (opcode == WsOpcode::ping && !state.frames.close_sent) {
        std::array<std::uint8_t, frame_header_bytes_max> header;
        const std::size_t size = write_frame_header(WsOpcode::pong, payload.size(), header);
        call_.append({header.data(), size});
        call_.append(payload);
    }
    if (opcode != WsOpcode::close) {
        return;
    }
    state.frames.close_received = true;
    std::uint16_t code = ws_close::no_code;
    if (payload.size() >= 2) {
        code = static_cast<std::uint16_t>(payload[0] << 8 | payload[1]);
    }
    const bool wrong = payload.size() == 1 || (payload.size() >= 2 && !valid_close_code(code)) ||
                       (payload.size() > 2 && !valid_utf8(payload.subspan(2)));
    finish(state, wrong ? ws_close::protocol_error : code);
}

void MediaStream::on_text(CallState& state, std::string_view text, TimePoint now) {
    MediaFrame frame;
    if (scan_media(text, frame)) {
        on_media(state, frame.stream_sid, frame.payload, now);
        return;
    }
    StreamMessage message;
    if (!parse_message(text, message)) {
        return complain(state, ws_log::bad_json(state.stream_sid.view()));
    }
    switch (message.event) {
        case StreamEvent::media:
            if (!message.outbound_track) {
                on_media(state, message.stream_sid, message.payload, now);
            }
            break;
        case StreamEvent::start:
            on_start(state, message, now);
            break;
        case StreamEvent::mark:
            log_later(ws_log::mark(message.mark));
            if (state.phase == StreamPhase::streaming && state.mode == WsMode::ai) {
                context_.conversation.on_mark(in_hand(state, now), message.mark);
            }
            break;
        case StreamEvent::dtmf:
            if (state.phase == StreamPhase::streaming && state.mode == WsMode::ai && message.digit != 0) {
                context_.conversation.on_dtmf(in_hand(state, now), message.digit);
            }
            break;
        case StreamEvent::stop:
            on_stop(state, now);
            break;
        case StreamEvent::connected:
        case StreamEvent::unknown:  // Twilio may add events at any time.
            break;
    }
}

void MediaStream::on_start(CallState& state, const StreamMessage& message, TimePoint now) {
    if (state.phase != StreamPhase::waiting) {
        return complain(state, ws_log::error(state.stream_sid.view(), "second start ignored"));
    }
    if (context_.token_valid && !context_.token_valid(message.call_sid, message.parameter("token"))) {
        fail(state, ws_close::policy,
             "start without a valid token: not a call that our TwiML connected; check that incoming_call and the "
             "stream reach the same installation and its clock");
        return;
    }
    if (!plain_id(message.stream_sid) || !state.stream_sid.assign(message.stream_sid)) {
        return complain(state, ws_log::error({}, "start without a usable streamSid: nothing can be sent to it"));
    }
    if ((!message.encoding.empty() && message.encoding != "audio/x-mulaw") ||
        (message.sample_rate != 0 && message.sample_rate != static_cast<std::int64_t>(samples_per_second)) ||
        message.channels > 1) {
        fail(state, ws_close::unsupported,
             "media format " + log_value(message.encoding) + " " + std::to_string(message.sample_rate) +
                 " Hz; valid: audio/x-mulaw, 8000 Hz, 1 channel");
        return;
    }
    if (!state.call_sid.assign(message.call_sid)) {
        log_later(ws_log::error(state.stream_sid.view(), "callSid is too long and was left out"));
    }
    state.phase = StreamPhase::streaming;
    log_later(ws_log::start(state.stream_sid.view(), state.mode));
    begin_conversation(state, message, now);
    // Only now: until the slot has this key, the call's stream before is the newest.
    call_.entry().sid_key.store(state.call_sid.empty() ? 0 : sid_key(state.call_sid.view()), std::memory_order_release);
}

void MediaStream::begin_conversation(CallState& state, const StreamMessage& message, TimePoint now) {
    const std::string_view token = message.parameter("resume");
    const auto resumed =
        token.empty() || !context_.resume ? std::nullopt : context_.resume(state.call_sid.view(), token);
    if (resumed) {
        state.resumes = static_cast<std::uint8_t>(resumed->number);
        state.rx = resumed->state ? resumed->state->rx : 0;
        state.tx = resumed->state ? resumed->state->tx : 0;
        log_later(log_line("call_resumed", {{"call", state.call_sid.view()},
                                            {"stream", state.stream_sid.view()},
                                            {"resume", resumed->number},
                                            {"known", resumed->state.has_value()},
                                            {"rx", state.rx},
                                            {"tx", state.tx}}));
    }
    if (state.mode != WsMode::ai) {
        return;
    }
    if (resumed && resumed->state) {
        context_.conversation.on_resume(in_hand(state, now), {resumed->state->conversation, resumed->voice}, message);
    } else {
        context_.conversation.on_start(in_hand(state, now), message);
    }
}

void MediaStream::on_media(CallState& state, std::string_view stream_sid, std::string_view payload, TimePoint now) {
    // Without `start` there is no id to answer with; with a foreign id it is not our stream (31951).
    if (state.phase != StreamPhase::streaming || (!stream_sid.empty() && stream_sid != state.stream_sid.view())) {
        return;
    }
    const auto size = base64_decode(payload, scratch_.audio.data());
    if (!size) {
        return complain(state, ws_log::error(state.stream_sid.view(), "media payload is not base64"));
    }
    const std::span<const std::uint8_t> mulaw{scratch_.audio.data(), *size};
    POISON_POINT(mulaw);
    ++state.rx;
    state.level = mulaw_mean_square(mulaw);
    switch (state.mode) {
        case WsMode::sink:
            break;
        case WsMode::ai:
            context_.conversation.on_audio(in_hand(state, now), CallerAudio(mulaw));
            break;
        case WsMode::echo: {
            ++state.tx;
            const EchoStep echo = echo_step(state.tx);
            if (echo.clear) {
                clear();
            }
            send_text(write_media_text(state.stream_sid.view(), payload, scratch_.out.data()));
            if (!echo.mark.empty()) {
                mark(echo.mark);
            }
            break;
        }
    }
}

void MediaStream::on_stop(CallState& state, TimePoint /*now*/) {
    if (state.phase == StreamPhase::stopped) {
        return;
    }
    log_later(ws_log::stop(state.stream_sid.view(), state.rx, state.tx));
    decide(state, StreamFate::finished);
    end_cause_ = "stop";
    state.phase = StreamPhase::stopped;
    send_close(state, ws_close::normal);
}

// The peer's close frame is in: answer it unless ours went first, and the call is over.
void MediaStream::finish(CallState& state, std::uint16_t code) {
    if (state.phase != StreamPhase::stopped) {
        log_later(ws_log::closed(state.stream_sid.view(), state.rx, state.tx));
    }
    // A close frame without `stop` that is no plain farewell comes from something between Twilio and us.
    decide(state, code == ws_close::normal || code == ws_close::no_code || code == ws_close::policy
                      ? StreamFate::finished
                      : StreamFate::lost);
    send_close(state, code);
    state.phase = StreamPhase::closed;
}

// The stream cannot go on: say why in one line, send the code, and do not read further (RFC 6455 7.1.7).
void MediaStream::fail(CallState& state, std::uint16_t code, std::string_view why) {
    log_later(ws_log::error(state.stream_sid.view(), why));
    finish(state, code);
}

void MediaStream::send_close(CallState& state, std::uint16_t code) {
    if (state.frames.close_sent) {
        return;
    }
    state.frames.close_sent = true;
    state.close_code = code;
    std::array<std::uint8_t, frame_header_bytes_max> header;
    const bool empty = code == ws_close::no_code;
    call_.append({header.data(), write_frame_header(WsOpcode::close, empty ? 0 : 2, header)});
    if (!empty) {
        const std::array<std::uint8_t, 2> payload{static_cast<std::uint8_t>(code >> 8),
                                                  static_cast<std::uint8_t>(code & 0xff)};
        call_.append(payload);
    }
}

void MediaStream::close(std::uint16_t code, std::string_view why, TimePoint now) {
    if (closed()) {
        return;
    }
    CallState& state = call_.begin();
    // Only these mean the server's trouble, not the call's end.
    decide(state, code == ws_close::going_away || code == ws_close::internal ? StreamFate::lost : StreamFate::finished);
    if (!state.frames.close_sent) {
        log_later(ws_log::error(state.stream_sid.view(), why));
        log_later(ws_log::closed(state.stream_sid.view(), state.rx, state.tx));
        send_close(state, code);
        state.heard_ns = ns(now);
    }
    state.phase = StreamPhase::stopped;
    commit();
}

void MediaStream::condemn(std::string_view why, TimePoint now) {
    if (closed()) {
        return;
    }
    CallState& state = call_.begin();
    state.frames.deaf = true;
    decide(state, StreamFate::finished);  // Connected again it would end two workers more.
    commit();
    close(ws_close::internal, why, now);
}

void MediaStream::on_peer_gone() {
    if (closed()) {
        return;
    }
    CallState& state = call_.begin();
    decide(state, StreamFate::lost);
    if (state.phase != StreamPhase::stopped) {
        log_later(ws_log::closed(state.stream_sid.view(), state.rx, state.tx));
    }
    state.phase = StreamPhase::closed;
    commit();
}

void MediaStream::on_tick(TimePoint now) {
    if (closed()) {
        return;
    }
    // While a slow reader keeps us from reading, what it takes from us is its sign of life.
    if (const std::uint64_t sent = call_.entry().sent.load(std::memory_order_relaxed); sent != sent_seen_) {
        sent_seen_ = sent;
        sent_moved_ = now;
    }
    const std::int64_t life = stalled() ? std::max(call_.state().heard_ns, ns(sent_moved_)) : call_.state().heard_ns;
    const std::int64_t silent = ns(now) - life;
    switch (call_.state().phase) {
        case StreamPhase::waiting:
            if (silent > ns(context_.start_max)) {
                close(ws_close::policy, "no start message in time", now);
            }
            return;
        case StreamPhase::stopped:
            // Whom we do not listen to cannot answer our close frame: enough that it arrives.
            if (silent > ns(call_.state().frames.deaf ? deaf_close : context_.close_max)) {
                on_peer_gone();
            }
            return;
        case StreamPhase::streaming:
            if (silent > ns(context_.silence_max)) {
                // No close frame would arrive, and none is waited for: the peer is gone.
                CallState& state = call_.begin();
                log_later(
                    ws_log::error(state.stream_sid.view(), "peer silent or not reading for too long: connection lost"));
                finish(state, ws_close::going_away);
                commit();
                return;
            }
            break;
        case StreamPhase::closed:
            return;
    }
    if (call_.state().mode == WsMode::ai && !stalled()) {
        CallState& state = call_.begin();
        step_ = &state;
        context_.conversation.on_tick(in_hand(state, now));
        commit();
    }
}

void MediaStream::on_agent(const FromAgentMessage& message, TimePoint now) {
    if (call_.state().phase != StreamPhase::streaming || call_.state().mode != WsMode::ai) {
        return;
    }
    CallState& state = call_.begin();
    step_ = &state;
    context_.conversation.on_agent(in_hand(state, now), message);
    commit();
}

CallInHand MediaStream::in_hand(CallState& state, TimePoint now) {
    return {.slot = call_.number(),
            .call = call_.entry().call.load(std::memory_order_relaxed),
            .call_sid = state.call_sid.view(),
            .state = state.conversation,
            .voice = call_.voice(),
            .now = now,
            .speaker = *this};
}

void MediaStream::commit() {
    step_ = nullptr;
    CRASH_POINT(step_filled);
    const StreamPhase before = call_.state().phase;
    call_.commit();
    CRASH_POINT(step_committed);
    if (call_.state().phase >= StreamPhase::stopped && call_.state().mode == WsMode::ai) {
        const bool lost = call_.state().fate == StreamFate::lost;  // It may come back (stream_ended).
        context_.conversation.on_end(call_.number(), call_.entry().call.load(std::memory_order_relaxed),
                                     lost ? "lost" : end_cause_);
    }
    if (before == StreamPhase::waiting && call_.state().phase == StreamPhase::streaming && context_.on_started) {
        context_.on_started(call_.state());
    }
    for (const std::string& line : lines_) {
        context_.log.line(line);
    }
    lines_.clear();
    if (closed() && !call_.state().done_logged) {
        // Marked before it is printed: a crash between the two loses the line rather than printing it twice.
        call_.begin().done_logged = true;
        call_.commit();
        CRASH_POINT(done_marked);
        const CallState& state = call_.state();
        context_.log.line(ws_log::done(state.stream_sid.view(), state.rx, state.tx));
        if (context_.on_ended) {
            context_.on_ended(state);
        }
    }
}

void MediaStream::complain(CallState& state, std::string line) {
    if (state.complaints < complaints_max) {
        ++state.complaints;
        log_later(std::move(line));
        if (state.complaints == complaints_max) {
            log_later(ws_log::error(state.stream_sid.view(), "further mistakes of this stream are not logged"));
        }
    }
}

void MediaStream::send_text(std::size_t size) {
    std::array<std::uint8_t, frame_header_bytes_max> header;
    call_.append({header.data(), write_frame_header(WsOpcode::text, size, header)});
    call_.append(as_bytes({scratch_.out.data(), size}));
}

void MediaStream::clear() {
    send_text(write_clear(step_->stream_sid.view(), scratch_.out.data()));
}

void MediaStream::mark(std::string_view name) {
    ENSURE(plain_id(name));
    send_text(write_mark(step_->stream_sid.view(), name, scratch_.out.data()));
}

void MediaStream::play(AgentAudio audio) {
    ENSURE(audio.mulaw().size() == frame_samples);
    std::array<char, base64_size(frame_samples)> text;
    base64_encode(audio.mulaw(), text.data());
    send_text(write_media_text(step_->stream_sid.view(), {text.data(), text.size()}, scratch_.out.data()));
    ++step_->tx;
}

void MediaStream::speech_ready(std::uint64_t pcm_bytes) {
    log_later(ws_log::tts_length(pcm_bytes));
}

// We end the call: Twilio goes on with the document behind the stream, which hangs up.
void MediaStream::hang_up() {
    end_cause_ = "hangup";
    decide(*step_, StreamFate::finished);
    send_close(*step_, ws_close::normal);
    step_->phase = StreamPhase::stopped;
}

// A step that began with too little room plays nothing; what is due goes out with the next.
std::size_t MediaStream::frames_free() const {
    const std::size_t room = call_.room();
    const std::size_t spare = message_bytes_max;  // For the answer to one largest message.
    return room < spare ? 0 : std::min(frames_a_step_max, (room - spare) / frame_message_bytes);
}

}  // namespace agentlocator
