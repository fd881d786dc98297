// What the agent says.
#include <algorithm>

#include "worker/voice/nanoseconds.hpp"
#include "worker/voice/voice_conversation.hpp"

namespace agentlocator {

void VoiceConversation::on_agent(CallInHand call, const FromAgentMessage& message) {
    link_.catch_up(call);
    ConversationState& state = call.state;
    state.mute_from_ns = ns(call.now);
    switch (message.kind) {
        case FromAgent::speech:
            return on_speech(call, message);
        case FromAgent::sentence_done:
            return on_sentence_done(call, message);
        case FromAgent::turn_done:
            return on_turn_done(call, message.turn);
        case FromAgent::thinking:
            return;
        case FromAgent::listen:
            return on_listen(call, message.payload);
        case FromAgent::remember:
            return remember(call, message.payload);
        case FromAgent::hang_up:
            state.closing = true;
            return watch(call);
        case FromAgent::cancel_turn:
            return on_cancel(call, message.turn);
        case FromAgent::log:
            return call.speaker.log(message.payload);
    }
}

// Is this speech still wanted? Also makes the sentence it belongs to the one that is coming in.
bool VoiceConversation::accept(CallInHand& call, const FromAgentMessage& message) {
    ConversationState& state = call.state;
    const std::uint32_t last = state.turn - (state.ear.open ? 1U : 0U);
    if (message.turn < state.answer_turn || message.turn > last || message.turn < state.speaking_turn ||
        state.closing) {
        return false;
    }
    if (message.turn > state.speaking_turn) {
        state.speaking_turn = message.turn;
        state.speaking_number = 0;
        state.incoming_skip = 0;
    }
    if (message.sentence < state.speaking_number) {
        return false;  // In the slot already, or cut off.
    }
    if (message.sentence > state.speaking_number) {
        state.speaking_number = message.sentence;
        state.incoming_skip = 0;
    }
    return true;
}

void VoiceConversation::on_speech(CallInHand& call, const FromAgentMessage& message) {
    ConversationState& state = call.state;
    if (!accept(call, message)) {
        return;
    }
    state.mute_turns = 0;
    if (message.value > 0 && !state.ear.open) {
        state.service_us = static_cast<std::uint32_t>(std::min<std::int64_t>(message.value, 0xffff'ffff));
    }
    const std::size_t known = std::min<std::size_t>(state.incoming_skip, message.payload.size());
    state.incoming_skip -= static_cast<std::uint32_t>(known);
    SpeechQueue(state, call.voice).append(message.payload.substr(known));
    speak(call);
}

void VoiceConversation::on_sentence_done(CallInHand& call, const FromAgentMessage& message) {
    ConversationState& state = call.state;
    if (!accept(call, message)) {
        return;
    }
    const std::uint64_t samples = state.said - state.incoming_from;
    SpeechQueue(state, call.voice).end_sentence(message.turn, message.sentence);
    state.speaking_number = message.sentence + 1;
    state.incoming_skip = 0;
    call.speaker.speech_ready(2 * samples);
    speak(call);
}

void VoiceConversation::on_turn_done(CallInHand& call, std::uint32_t turn) {
    ConversationState& state = call.state;
    CallerTape tape(state, call.voice);
    const std::uint32_t last = state.turn - (state.ear.open ? 1U : 0U);
    tape.drop_through(std::min(turn, last));
    if (turn >= last) {
        state.owed = false;
        state.quiet_from_ns = ns(call.now);
    }
}

void VoiceConversation::on_listen(CallInHand& call, std::string_view payload) {
    ListenHints hints;
    if (!read_listen_payload(payload, hints)) {
        return;
    }
    call.state.hangover_ms = static_cast<std::uint16_t>(std::min(hints.hangover_ms, 10'000U));
    call.state.answer_within_ms = hints.answer_within_ms;
    call.state.barge_in = hints.barge_in;
    call.state.streaming = hints.streaming;
}

void VoiceConversation::on_cancel(CallInHand& call, std::uint32_t turn) {
    ConversationState& state = call.state;
    SpeechQueue speech(state, call.voice);
    if (turn < state.answer_turn || turn != state.speaking_turn || !speech.pending(call.now)) {
        return;
    }
    hold(call);
    speech.drop_unsent();
    state.quiet_from_ns = ns(call.now);
}

}  // namespace agentlocator
