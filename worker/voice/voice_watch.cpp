// What time brings: frames to play, silence, an agent that says nothing, the end of the call.
#include <algorithm>
#include <string>

#include "common/log_line.hpp"
#include "worker/voice/nanoseconds.hpp"
#include "worker/voice/voice_conversation.hpp"

namespace agentlocator {
namespace {

std::uint32_t next_sentence(const ConversationState& state) {
    return state.speaking_turn == state.turn ? state.speaking_number : 0;
}

}  // namespace

void VoiceConversation::on_tick(CallInHand call) {
    link_.catch_up(call);
    ConversationState& state = call.state;
    SpeechQueue speech(state, call.voice);
    while (const auto sentence = speech.take_heard_by_clock(call.now)) {
        tell_heard(call, *sentence);
    }
    speak(call);
    if (ns(call.now) >= state.heartbeat_at_ns) {
        state.heartbeat_at_ns = ns(call.now + heartbeat);
        call.speaker.mark("heartbeat_" + std::to_string(++state.heartbeats));
    }
    watch(call);
}

void VoiceConversation::watch(CallInHand& call) {
    const ConversationState& state = call.state;
    const SpeechQueue speech(call.state, call.voice);
    const bool speaking = speech.pending(call.now);
    if (state.closing) {
        if (!speaking) {
            call.speaker.hang_up();
        }
        return;
    }
    watch_length(call);
    if (state.ear.open || speaking || state.closing) {
        return;
    }
    if (state.owed) {
        watch_agent(call);
    } else {
        watch_caller(call);
    }
}

void VoiceConversation::watch_length(CallInHand& call) {
    ConversationState& state = call.state;
    const std::int64_t age = ns(call.now) - state.started_ns;
    if (rules_.max_call_ms == 0 || age < ms_to_ns(rules_.max_call_ms)) {
        return;
    }
    if (!state.time_up) {
        state.time_up = true;
        owe(call);
        link_.tell(call, ToAgent::time_up, state.turn, next_sentence(state));
    }
    if (!link_.attached() || age >= ms_to_ns(std::int64_t{rules_.max_call_ms} + farewell_wait_ms)) {
        interrupt(call, state.turn);
        prompt(call, Prompt::heard_you);
        state.closing = true;
    }
}

// It owes an answer and nothing is being said.
void VoiceConversation::watch_agent(CallInHand& call) {
    ConversationState& state = call.state;
    if (rules_.thinking_hint_ms != 0 && !state.hint_told &&
        ns(call.now) - state.asked_ns >= ms_to_ns(rules_.thinking_hint_ms)) {
        state.hint_told = true;
        link_.tell(call, ToAgent::thinking_hint, state.turn, next_sentence(state));
    }
    const bool greeting = state.turn == 0 && state.said == 0;
    const std::uint32_t patience = greeting ? std::min(greeting_wait_ms, rules_.agent_mute_ms) : rules_.agent_mute_ms;
    if (ns(call.now) - std::max(state.mute_from_ns, state.play_until_ns) >= ms_to_ns(patience)) {
        apologize(call);
    }
}

void VoiceConversation::apologize(CallInHand& call) {
    ConversationState& state = call.state;
    const bool greeting = state.turn == 0 && state.said == 0;
    ++state.mute_turns;
    call.speaker.log(log_line(
        "agent_mute", {{"call", call.call_sid},
                       {"turn", state.turn},
                       {"waited_ms", (ns(call.now) - state.asked_ns) / 1'000'000},
                       {"detail", greeting ? "the recorded greeting was played" : "a recorded apology was played"},
                       {"remedy", "see the provider errors before this line, or raise AGENT_MUTE_MS"}}));
    state.owed = false;
    state.quiet_from_ns = ns(call.now);
    if (greeting) {
        // A greeting that comes now would be the second: the call goes on in a turn of its own.
        state.answer_turn = ++state.turn;
        link_.lose(call);
        return prompt(call, Prompt::greeting);
    }
    if (state.mute_turns < mute_turns_max) {
        return prompt(call, Prompt::apology);
    }
    prompt(call, Prompt::heard_you);
    state.closing = true;
}

// Nothing is owed and nobody speaks: it is the caller's turn.
void VoiceConversation::watch_caller(CallInHand& call) {
    ConversationState& state = call.state;
    const std::int64_t since = std::max(state.quiet_from_ns, state.play_until_ns);
    const std::uint32_t within = state.answer_within_ms != 0 ? state.answer_within_ms : rules_.answer_within_ms;
    if (!link_.attached() || since == 0 || ns(call.now) - since < ms_to_ns(within)) {
        return;
    }
    link_.tell(call, ToAgent::silence, state.turn, next_sentence(state), (ns(call.now) - since) / 1'000'000);
    state.quiet_from_ns = ns(call.now);
    owe(call);
}

void VoiceConversation::prompt(CallInHand& call, Prompt which) {
    const AgentAudio audio = prompts_.audio(which);
    call.speaker.speech_ready(2 * audio.mulaw().size());
    SpeechQueue(call.state, call.voice).append_prompt(audio, call.state.turn);
    speak(call);
}

}  // namespace agentlocator
