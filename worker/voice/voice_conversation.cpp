// What the caller does.
#include "worker/voice/voice_conversation.hpp"

#include <algorithm>
#include <cstring>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>

#include "worker/media_message.hpp"
#include "worker/voice/end_pointer.hpp"
#include "worker/voice/nanoseconds.hpp"

namespace agentlocator {
namespace {

constexpr std::uint32_t frame_ms = 20;

// What the agent is told of the call, without what is only between Twilio and us.
std::string call_facts(const CallInHand& call, const StreamMessage& start) {
    nlohmann::json facts;
    for (const auto& [name, value] : start.parameters) {
        if (name != "token" && name != "resume") {
            facts[name] = value;
        }
    }
    facts["call_sid"] = start.call_sid;
    facts["stream_sid"] = start.stream_sid;
    std::string text = facts.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
    if (text.size() <= call_memory_bytes) {
        return text;
    }
    return nlohmann::json{{"call_sid", call.call_sid}}.dump();
}

// Even over the turns of all calls, and the same when a step is done again.
std::uint64_t scatter(std::uint64_t call, std::uint32_t turn) {
    std::uint64_t x = call * 0x9e37'79b9'7f4a'7c15ULL + turn;
    x = (x ^ x >> 30U) * 0xbf58'476d'1ce4'e5b9ULL;
    x = (x ^ x >> 27U) * 0x94d0'49bb'1331'11ebULL;
    return x ^ x >> 31U;
}

}  // namespace

void VoiceConversation::on_start(CallInHand call, const StreamMessage& start) {
    ConversationState& state = call.state;
    state.started_ns = ns(call.now);
    state.heartbeat_at_ns = ns(call.now + heartbeat);
    remember(call, call_facts(call, start));
    state.remembered = false;
    owe(call);
    link_.start(call);
    if (!link_.attached()) {
        prompt(call, Prompt::greeting);
        state.owed = false;
    }
}

// The sentence that broke off is said again from its beginning; an utterance that was being heard goes on.
void VoiceConversation::on_resume(CallInHand call, const LostStream& lost, const StreamMessage& start) {
    if (lost.voice == nullptr) {
        return on_start(call, start);
    }
    ConversationState& state = call.state;
    state = lost.conversation;
    VoiceArea& to = call.voice;
    std::memcpy(static_cast<void*>(&to), lost.voice, offsetof(VoiceArea, utterances));
    CallerTape(state, to).copy_acts(*lost.voice);
    SpeechQueue(state, to).go_back(*lost.voice, call.now);
    to.memory[state.memory_half & 1U] = lost.voice->memory[state.memory_half & 1U];
    state.heartbeat_at_ns = ns(call.now + heartbeat);
    state.mute_from_ns = ns(call.now);
    state.quiet_from_ns = ns(call.now);
    link_.catch_up(call);
    speak(call);
}

void VoiceConversation::on_audio(CallInHand call, CallerAudio audio) {
    link_.catch_up(call);
    CallerTape tape(call.state, call.voice);
    for (std::size_t at = 0; at < audio.samples();) {
        at += tape.take(audio, at);
        if (call.state.heard % frame_samples == 0) {
            on_frame(call);
        }
    }
    link_.tell_utterance(call);
}

void VoiceConversation::on_frame(CallInHand& call) {
    ConversationState& state = call.state;
    const CallerTape tape(state, call.voice);
    const SpeechQueue speech(state, call.voice);
    const VadFrame frame = detect_voice(state.vad, call.voice.vad, tape.window(), rules_.level_min);
    const std::uint32_t hangover = state.hangover_ms != 0 ? state.hangover_ms : rules_.hangover_ms;
    EndPointing pointing{rules_.start_frames, rules_.start_window, std::max(1U, hangover / frame_ms)};
    bool voice = frame.voice && ns(call.now) >= state.ignore_until_ns && !state.closing;
    // Our own voice may come back on the line, and some of it is still on its way when the clock says it was heard.
    const bool ours = speech.on_wire(call.now) ||
                      (state.sent > 0 && ns(call.now) < state.play_until_ns + ms_to_ns(rules_.refractory_ms));
    if (!state.ear.open && ours) {
        const bool playing = speech.on_wire(call.now);
        const bool grace = playing && ns(call.now) < state.talk_since_ns + ms_to_ns(rules_.barge_in_grace_ms);
        voice = voice && frame.level >= frame.threshold + rules_.barge_in_raise_db && !grace &&
                (!playing || may_interrupt(state));
        pointing.start_frames = rules_.barge_in_frames;
        pointing.start_window = rules_.barge_in_window;
    }
    const bool was_open = state.ear.open;
    hear(state.ear, voice, pointing);
    if (!was_open && state.ear.open) {
        begin_utterance(call, pointing.start_window);
    } else if (was_open && !state.ear.open) {
        end_utterance(call);
    } else if (was_open) {
        during_utterance(call);
    }
}

bool VoiceConversation::may_interrupt(const ConversationState& state) const {
    return rules_.barge_in && state.barge_in;
}

void VoiceConversation::begin_utterance(CallInHand& call, unsigned window) {
    ConversationState& state = call.state;
    hold(call);
    state.service_us = 0;  // An answer that has to wait for the caller says nothing about us.
    link_.begin_act(call);
    CallerTape tape(state, call.voice);
    tape.begin_utterance(++state.turn, window * frame_samples + pre_roll_ms * samples_per_second / 1000);
    state.told = tape.open_utterance()->begin;
    state.end_told = false;
    link_.tell(call, ToAgent::utterance_began, state.turn, 0, static_cast<std::int64_t>(state.told / 8));
}

// The caller spoke up before it was clear whether he means it.
bool VoiceConversation::unconfirmed(const CallInHand& call) const {
    return call.state.answer_turn < call.state.turn && SpeechQueue(call.state, call.voice).has_unsent();
}

void VoiceConversation::during_utterance(CallInHand& call) {
    ConversationState& state = call.state;
    const bool meant = frame_ms * state.ear.voiced >= rules_.backchannel_ms;
    if (meant && (unconfirmed(call) || (state.owed && state.answer_turn < state.turn))) {
        interrupt(call, state.turn);
    }
    const CallerTape tape(state, call.voice);
    if (state.heard - tape.open_utterance()->begin >= std::uint64_t{8} * rules_.max_utterance_ms) {
        state.ear.open = false;
        state.ear.recent = 0;
        end_utterance(call);
    }
}

void VoiceConversation::end_utterance(CallInHand& call) {
    ConversationState& state = call.state;
    CallerTape tape(state, call.voice);
    const SpeechQueue speech(state, call.voice);
    const std::uint32_t voiced_ms = frame_ms * state.ear.voiced;
    // Much is left to say: of what is here, or because the agent is not done.
    const bool murmur =
        unconfirmed(call) && voiced_ms < rules_.backchannel_ms && (speech.unsent_ms() > answer_tail_ms || state.owed);
    const bool click = voiced_ms < rules_.min_utterance_ms && state.answer_turn < state.turn;
    if (click || murmur) {
        tape.drop_newest();
        state.end_told = true;
        link_.tell(call, ToAgent::utterance_dropped, state.turn);
        --state.turn;
        return speak(call);
    }
    if (state.answer_turn < state.turn) {
        interrupt(call, state.turn);
    }
    tape.open_utterance()->length =
        static_cast<std::uint32_t>(state.heard - tape.open_utterance()->begin);  // Never 0: a frame at least.
    const std::uint32_t spread = rules_.answer_delay_max_ms - rules_.answer_delay_min_ms;
    const auto breath =
        rules_.answer_delay_min_ms + static_cast<std::uint32_t>(scatter(call.call, state.turn) % (spread + 1));
    state.waited_ms = static_cast<std::uint16_t>(frame_ms * state.ear.silence);
    state.speak_after_ns = ns(call.now) + ms_to_ns(std::int64_t{breath} - state.waited_ms);
    owe(call);
    link_.tell_utterance(call);
    if (!link_.attached()) {
        prompt(call, Prompt::heard_you);
        on_turn_done(call, state.turn);
    }
}

// `clear` goes out before all else; what the caller has not heard waits.
void VoiceConversation::hold(CallInHand& call) {
    SpeechQueue speech(call.state, call.voice);
    if (!speech.on_wire(call.now)) {
        return;
    }
    call.speaker.clear();
    speech.rewind(call.now);
    while (const auto sentence = speech.take_played()) {
        tell_heard(call, *sentence);
    }
}

// From now on only `turn` is answered; what was not heard of older answers is forgotten.
void VoiceConversation::interrupt(CallInHand& call, std::uint32_t turn) {
    ConversationState& state = call.state;
    SpeechQueue speech(state, call.voice);
    hold(call);
    if (speech.has_unsent() || state.owed || state.said > state.incoming_from) {
        const SpeechQueue::Sentence cut = speech.interrupted();
        link_.tell(call, ToAgent::interrupted, cut.turn, cut.number, cut.heard_ms);
    }
    speech.drop_unsent();
    state.service_us = 0;
    state.answer_turn = turn;
}

void VoiceConversation::on_dtmf(CallInHand call, char digit) {
    link_.catch_up(call);
    ConversationState& state = call.state;
    if (state.closing) {
        return;
    }
    if (state.ear.open) {
        const bool meant = frame_ms * state.ear.voiced >= key_cut_ms;
        state.ear.voiced = meant ? state.ear.voiced : std::uint16_t{0};  // Else it was the key's own tones.
        state.ear.open = false;
        end_utterance(call);
    }
    state.ear.recent = 0;
    state.ignore_until_ns = ns(call.now) + ms_to_ns(key_deaf_ms);
    interrupt(call, ++state.turn);
    link_.begin_act(call);
    CallerTape(state, call.voice).add_key(state.turn, digit);
    state.end_told = true;
    owe(call);
    link_.tell(call, ToAgent::key, state.turn, 0, 0, {&digit, 1});
    if (!link_.attached()) {
        prompt(call, Prompt::got_digit);
        on_turn_done(call, state.turn);
    }
}

void VoiceConversation::on_mark(CallInHand call, std::string_view name) {
    link_.catch_up(call);
    SpeechQueue speech(call.state, call.voice);
    while (const auto sentence = speech.take_heard(name, call.now)) {
        tell_heard(call, *sentence);
    }
    watch(call);
}

void VoiceConversation::tell_heard(CallInHand& call, const SpeechQueue::Sentence& sentence) {
    if (sentence.number != SpeechQueue::prompt_number) {
        link_.tell(call, ToAgent::sentence_heard, sentence.turn, sentence.number);
    }
}

void VoiceConversation::on_end(std::uint32_t slot, std::uint64_t call, std::string_view why) {
    link_.end(slot, call, why);
}

void VoiceConversation::owe(CallInHand& call) {
    ConversationState& state = call.state;
    state.owed = true;
    state.hint_told = false;
    state.asked_ns = ns(call.now);
    state.mute_from_ns = ns(call.now);
}

// Our speech plays while the caller is silent.
void VoiceConversation::speak(CallInHand& call) {
    ConversationState& state = call.state;
    if (state.ear.open || ns(call.now) < state.speak_after_ns) {
        return;
    }
    const std::uint64_t before = state.sent;
    SpeechQueue(state, call.voice).pump(call.now, call.speaker);
    if (state.service_us != 0 && state.sent > before) {
        count_answer(call);
    }
}

// The first frame of an answer went out. Ours is what neither the services nor the settings (the breath before an
// answer) account for.
void VoiceConversation::count_answer(CallInHand& call) {
    ConversationState& state = call.state;
    const std::int64_t services_ns = std::int64_t{1000} * (std::exchange(state.service_us, 0) - 1);
    if (metrics_ == nullptr) {
        return;
    }
    const std::int64_t could = std::max(state.asked_ns + services_ns, state.speak_after_ns);
    metrics_->own.add(std::chrono::nanoseconds(std::max<std::int64_t>(0, ns(call.now) - could)));
    metrics_->sent.add(std::chrono::nanoseconds(ns(call.now) - state.asked_ns + ms_to_ns(state.waited_ms)));
}

void remember(CallInHand& call, std::string_view memory) {
    ConversationState& state = call.state;
    const std::string_view kept = memory.substr(0, call_memory_bytes);
    // The half that is not committed; twice in one step it would be, so a step remembers once.
    state.memory_half ^= 1U;
    std::copy(kept.begin(), kept.end(), call.voice.memory[state.memory_half & 1U].begin());
    state.memory_size = static_cast<std::uint16_t>(kept.size());
    state.remembered = true;
}

}  // namespace agentlocator
