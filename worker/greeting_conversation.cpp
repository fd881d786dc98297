#include "worker/greeting_conversation.hpp"

#include <algorithm>
#include <string>

#include "common/ws_log.hpp"
#include "worker/mulaw.hpp"

namespace agentlocator {
namespace {

constexpr std::int64_t frame_ns = 20'000'000;

std::int64_t ns(Duration duration) {
    return std::chrono::duration_cast<std::chrono::nanoseconds>(duration).count();
}
std::int64_t ns(TimePoint time) {
    return ns(time.time_since_epoch());
}

// Follows the line's noise: down at once, up by about 3 dB a second, so that speech does not count as noise.
std::uint32_t follow_noise(std::uint32_t floor, std::uint32_t mean_square) {
    if (floor == 0 || mean_square < floor) {
        return std::max(mean_square, 1U);
    }
    return std::min(mean_square, floor + floor / 64 + 1);
}

std::string mark_name(const Mark& mark) {
    return (mark.kind == Mark::Kind::speech ? "tts_" : "heartbeat_") + std::to_string(mark.number);
}

}  // namespace

void GreetingConversation::on_start(ConversationState& state, TimePoint now, Speaker& speaker) {
    state.heartbeat_at_ns = ns(now + heartbeat);
    speak(state, Prompt::greeting, now, speaker);
}

void GreetingConversation::on_resume(ConversationState& state, const LostStream& lost, TimePoint now,
                                     Speaker& speaker) {
    const ConversationState& before = lost.conversation;
    state.heartbeat_at_ns = ns(now + heartbeat);
    state.heartbeats = before.heartbeats;
    state.noise_floor = before.noise_floor;
    state.turn = before.turn;
    if (before.prompt != 0) {  // Broken off while it was being said: once more from its beginning.
        speak(state, static_cast<Prompt>(before.prompt), now, speaker);
    }
}

void GreetingConversation::on_audio(ConversationState& state, CallerAudio audio, TimePoint now, Speaker& speaker) {
    if (ns(now) < state.play_until_ns + ns(refractory)) {
        state.voice_frames = 0;
        state.silence_frames = 0;
        return;
    }
    const std::uint32_t mean_square = audio.mean_square();
    state.noise_floor = follow_noise(state.noise_floor, mean_square);
    const std::uint64_t threshold =
        std::max<std::uint64_t>(voice_mean_square_min, std::uint64_t{voice_over_noise} * state.noise_floor);
    if (mean_square > threshold) {
        state.voice_frames = static_cast<std::uint16_t>(std::min(state.voice_frames + 1, 0xffff));
        state.silence_frames = 0;
        return;
    }
    if (state.voice_frames == 0) {
        return;
    }
    // Silence is counted in frames without voice, never in frames that did not arrive (F-21).
    if (++state.silence_frames >= silence_frames_min) {
        const bool utterance = state.voice_frames >= voice_frames_min;
        state.voice_frames = 0;
        state.silence_frames = 0;
        if (utterance) {
            speak(state, Prompt::heard_you, now, speaker);
        }
    }
}

void GreetingConversation::on_dtmf(ConversationState& state, char /*digit*/, TimePoint now, Speaker& speaker) {
    speak(state, Prompt::got_digit, now, speaker);
}

void GreetingConversation::on_mark(ConversationState& state, std::string_view name, TimePoint /*now*/,
                                   Speaker& /*speaker*/) {
    auto* const begin = state.outstanding.data();
    auto* const end = begin + std::min<std::size_t>(state.marks, state.outstanding.size());
    auto* const found = std::find_if(begin, end, [&](const Mark& mark) { return mark_name(mark) == name; });
    if (found != end) {
        std::move(found + 1, end, found);
        --state.marks;
    }
}

void GreetingConversation::on_tick(ConversationState& state, TimePoint now, Speaker& speaker) {
    pump(state, now, speaker);
    if (ns(now) >= state.heartbeat_at_ns) {
        state.heartbeat_at_ns = ns(now + heartbeat);
        send_mark(state, {Mark::Kind::heartbeat, ++state.heartbeats}, speaker);
    }
}

void GreetingConversation::speak(ConversationState& state, Prompt prompt, TimePoint now, Speaker& speaker) const {
    speaker.clear();
    speaker.log(ws_log::tts_length(2 * prompts_.audio(prompt).mulaw().size()));
    ++state.turn;
    state.prompt = static_cast<std::uint8_t>(prompt);
    state.prompt_at = 0;
    state.play_until_ns = ns(now);  // What was queued is cleared: play-out starts again.
    state.voice_frames = 0;
    state.silence_frames = 0;
    pump(state, now, speaker);
}

void GreetingConversation::pump(ConversationState& state, TimePoint now, Speaker& speaker) const {
    if (state.prompt == 0 || state.prompt > prompt_count) {
        return;
    }
    const AgentAudio audio = prompts_.audio(static_cast<Prompt>(state.prompt));
    state.play_until_ns = std::max(state.play_until_ns, ns(now));
    for (std::size_t free = speaker.frames_free(); free > 0 && state.prompt_at < audio.mulaw().size(); --free) {
        if (state.play_until_ns >= ns(now + ahead_max)) {
            return;
        }
        speaker.play(audio.part(state.prompt_at, frame_samples));
        state.prompt_at += frame_samples;
        state.play_until_ns += frame_ns;
    }
    if (state.prompt_at >= audio.mulaw().size()) {
        state.prompt = 0;
        send_mark(state, {Mark::Kind::speech, state.turn}, speaker);
    }
}

void GreetingConversation::send_mark(ConversationState& state, Mark mark, Speaker& speaker) {
    if (state.marks == state.outstanding.size()) {  // A peer that never answers marks: forget the oldest.
        std::move(state.outstanding.begin() + 1, state.outstanding.end(), state.outstanding.begin());
        --state.marks;
    }
    state.outstanding[state.marks++] = mark;
    speaker.mark(mark_name(mark));
}

}  // namespace agentlocator
