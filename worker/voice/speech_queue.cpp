#include "worker/voice/speech_queue.hpp"

#include <algorithm>
#include <cstring>
#include <string>

#include "common/ensure.hpp"
#include "common/text.hpp"
#include "worker/voice/nanoseconds.hpp"

namespace agentlocator {
namespace {

constexpr std::string_view mark_prefix = "tts_";
constexpr std::int64_t ns_a_sample = 125'000;
// Kept behind what was sent: what an interruption may take back.
constexpr std::size_t kept_samples = 2 * samples_per_second;

std::int64_t play_time(std::uint64_t samples) {
    return static_cast<std::int64_t>(samples) * ns_a_sample;
}

}  // namespace

std::size_t SpeechQueue::room() const {
    const std::uint64_t keep_from = state_.sent - std::min<std::uint64_t>(kept_samples, state_.sent);
    return speech_bytes - static_cast<std::size_t>(state_.said - keep_from);
}

void SpeechQueue::write(const std::uint8_t* samples, std::size_t count) {
    const std::size_t at = index(state_.said);
    const std::size_t before_wrap = std::min(count, speech_bytes - at);
    std::memcpy(&voice_.speech[at], samples, before_wrap);
    std::memcpy(voice_.speech.data(), samples + before_wrap, count - before_wrap);
    state_.said += count;
}

std::size_t SpeechQueue::append(std::string_view mulaw) {
    // Room for the filling of the last frame is left.
    const std::size_t count = std::min(mulaw.size(), room() - std::min(room(), frame_samples));
    write(reinterpret_cast<const std::uint8_t*>(mulaw.data()), count);
    return count;
}

void SpeechQueue::fill_frame() {
    std::array<std::uint8_t, frame_samples> silence;
    silence.fill(mulaw_silence);  // Not zero, which is a loud click (F-25).
    write(silence.data(), (frame_samples - static_cast<std::size_t>(state_.said % frame_samples)) % frame_samples);
}

bool SpeechQueue::end_sentence(std::uint32_t turn, std::uint32_t number) {
    if (state_.said == state_.incoming_from) {
        return false;
    }
    fill_frame();
    if (state_.sentences_whole - state_.sentences_heard < sentences_max) {
        sentence(state_.sentences_whole) = {state_.said, turn, number};
        ++state_.sentences_whole;
    } else {
        // So many sentences waiting is no speech any more; their last mark stands for all of them.
        sentence(state_.sentences_whole - 1) = {state_.said, turn, number};
    }
    state_.incoming_from = state_.said;
    return true;
}

void SpeechQueue::append_prompt(AgentAudio prompt, std::uint32_t turn) {
    fill_frame();
    const auto audio = prompt.mulaw();
    append({reinterpret_cast<const char*>(audio.data()), audio.size()});
    end_sentence(turn, prompt_number);
}

// Behind each sentence that is sent whole.
void SpeechQueue::send_marks(Speaker& speaker) {
    while (state_.sentences_sent < state_.sentences_whole && sentence(state_.sentences_sent).end <= state_.sent) {
        speaker.mark(std::string(mark_prefix) + std::to_string(state_.sentences_sent + state_.mark_offset));
        ++state_.sentences_sent;
    }
}

void SpeechQueue::pump(TimePoint now, Speaker& speaker) {
    send_marks(speaker);  // The sentence may have become whole after its last frame was sent.
    if (!has_unsent()) {
        if (state_.said == state_.sent && ns(now) >= state_.play_until_ns) {
            state_.speech_origin = state_.said;  // Nothing is kept: start again at the ring's first page.
        }
        return;
    }
    if (ns(now) > state_.play_until_ns) {
        state_.play_until_ns = ns(now);
        state_.talk_since_ns = ns(now);
    }
    for (std::size_t free = speaker.frames_free(); free > 0 && has_unsent(); --free) {
        if (state_.play_until_ns >= ns(now + ahead_max)) {
            return;
        }
        std::array<std::uint8_t, frame_samples> frame;
        const std::size_t at = index(state_.sent);
        const std::size_t before_wrap = std::min(frame.size(), speech_bytes - at);
        std::memcpy(frame.data(), &voice_.speech[at], before_wrap);
        std::memcpy(frame.data() + before_wrap, voice_.speech.data(), frame.size() - before_wrap);
        speaker.play(AgentAudio(frame));
        state_.sent += frame_samples;
        state_.play_until_ns += play_time(frame_samples);
        send_marks(speaker);
    }
}

bool SpeechQueue::on_wire(TimePoint now) const {
    return ns(now) < state_.play_until_ns || state_.sentences_heard < state_.sentences_sent;
}

void SpeechQueue::rewind(TimePoint now) {
    const std::int64_t left = std::max<std::int64_t>(0, state_.play_until_ns - ns(now));
    const auto unheard = static_cast<std::uint64_t>(left / ns_a_sample);
    std::uint64_t heard = state_.sent - std::min(state_.sent, unheard);
    heard -= heard % frame_samples;
    state_.sent = std::max(heard, state_.sentence_from);
    state_.play_until_ns = std::min(state_.play_until_ns, ns(now));
    std::uint32_t whole = state_.sentences_heard;
    while (whole < state_.sentences_sent && sentence(whole).end <= state_.sent) {
        ++whole;
    }
    // The marks of the rest come back at once and must mean nothing: those sentences get new numbers.
    state_.mark_offset += state_.sentences_sent - whole;
    state_.sentences_sent = whole;
}

std::optional<SpeechQueue::Sentence> SpeechQueue::take_played() {
    return state_.sentences_heard < state_.sentences_sent ? std::optional(pop_heard()) : std::nullopt;
}

SpeechQueue::Sentence SpeechQueue::interrupted() const {
    const auto part = [this](std::uint64_t from) { return static_cast<std::int64_t>(state_.sent - from) / 8; };
    if (state_.sentences_sent < state_.sentences_whole) {
        const SpokenSentence& cut = sentence(state_.sentences_sent);
        return {cut.turn, cut.number, part(state_.sentence_from)};
    }
    return {state_.speaking_turn, state_.speaking_number,
            state_.sent > state_.incoming_from ? part(state_.incoming_from) : 0};
}

void SpeechQueue::drop_unsent() {
    state_.speaking_number += state_.said > state_.incoming_from ? 1U : 0U;  // The rest of it is not wanted.
    state_.said = state_.sent;
    state_.incoming_from = state_.said;
    state_.incoming_skip = 0;
    state_.sentences_whole = state_.sentences_sent;
    if (state_.sentences_heard == state_.sentences_whole) {
        state_.sentence_from = state_.said;
    }
}

void SpeechQueue::go_back(const VoiceArea& from, TimePoint now) {
    // A sentence so long that its beginning is overwritten goes on where the ring begins.
    const std::uint64_t oldest = state_.said - std::min<std::uint64_t>(state_.said, speech_bytes - kept_samples);
    state_.sent = std::max(state_.sentence_from, oldest - oldest % frame_samples);
    state_.mark_offset += state_.sentences_sent - state_.sentences_heard;
    state_.sentences_sent = state_.sentences_heard;
    state_.play_until_ns = ns(now);
    for (std::uint64_t at = state_.sent; at < state_.said;) {
        const std::size_t count = std::min(static_cast<std::size_t>(state_.said - at), speech_bytes - index(at));
        std::memcpy(&voice_.speech[index(at)], &from.speech[index(at)], count);
        at += count;
    }
}

SpeechQueue::Sentence SpeechQueue::pop_heard() {
    const SpokenSentence& done = sentence(state_.sentences_heard);
    const auto length = static_cast<std::int64_t>(done.end - state_.sentence_from) / 8;
    state_.sentence_from = done.end;
    ++state_.sentences_heard;
    if (state_.sentences_heard == state_.sentences_whole) {
        state_.sentence_from = state_.incoming_from;
    }
    return {done.turn, done.number, length};
}

std::optional<SpeechQueue::Sentence> SpeechQueue::take_heard(std::string_view mark, TimePoint now) {
    if (!mark.starts_with(mark_prefix)) {
        return std::nullopt;
    }
    const auto number = parse_integer(mark.substr(mark_prefix.size()));
    const std::uint32_t first = state_.sentences_heard + state_.mark_offset;
    const std::uint32_t end = state_.sentences_sent + state_.mark_offset;
    if (!number || *number < first || *number >= end) {
        return std::nullopt;
    }
    // Now its end was heard; what was sent behind it is still to come.
    const std::uint64_t behind = sentence(static_cast<std::uint32_t>(*number) - state_.mark_offset).end;
    state_.play_until_ns = ns(now) + play_time(state_.sent - behind);
    return pop_heard();
}

std::optional<SpeechQueue::Sentence> SpeechQueue::take_heard_by_clock(TimePoint now) {
    if (state_.sentences_heard == state_.sentences_sent) {
        return std::nullopt;
    }
    const std::uint64_t behind = state_.sent - sentence(state_.sentences_heard).end;
    if (ns(now) < state_.play_until_ns - play_time(behind) + ns(Duration(mark_grace))) {
        return std::nullopt;
    }
    return pop_heard();
}

}  // namespace agentlocator
