#include "worker/voice/agent_link.hpp"

#include <algorithm>

#include "common/call_slab.hpp"

namespace agentlocator {
namespace {

constexpr std::size_t piece_max = 8000;  // A second of audio in one message.
// Heads of messages, and the memory: beside the audio, what catching up needs of the ring.
constexpr std::size_t resume_overhead = agent_payload_max + 4096;

std::int64_t caller_ms(std::uint64_t position) {
    return static_cast<std::int64_t>(position / 8);
}

std::string_view memory_of(const CallInHand& call) {
    return {call.voice.memory[call.state.memory_half & 1U].data(), call.state.memory_size};
}

}  // namespace

AgentLink::AgentLink(AgentInput* agent) : agent_(agent), known_(agent == nullptr ? 0 : call_slots_max) {
    ended_.reserve(agent == nullptr ? 0 : call_slots_max);
}

bool AgentLink::push(const CallInHand& call, ToAgent kind, std::uint32_t turn, std::uint32_t sentence,
                     std::int64_t value, std::string_view payload) {
    return agent_->tell({.kind = kind,
                         .slot = call.slot,
                         .call = call.call,
                         .turn = turn,
                         .sentence = sentence,
                         .value = value,
                         .payload = payload});
}

void AgentLink::start(CallInHand& call) {
    if (attached() && push(call, ToAgent::call_started, 0, 0, 0, memory_of(call))) {
        known_[call.slot] = {call.call, true};
    }
}

void AgentLink::lose(const CallInHand& call) {
    if (attached()) {
        known_[call.slot].in_step = false;
    }
}

void AgentLink::tell(CallInHand& call, ToAgent kind, std::uint32_t turn, std::uint32_t sentence, std::int64_t value,
                     std::string_view payload) {
    if (in_step(call) && !push(call, kind, turn, sentence, value, payload)) {
        lose(call);
    }
}

void AgentLink::begin_act(CallInHand& call) {
    if (!call.state.end_told) {
        lose(call);
    }
}

bool AgentLink::push_audio(CallInHand& call, const CallerAct& act, std::uint64_t from, std::uint64_t to) {
    const CallerTape tape(call.state, call.voice);
    while (from < to) {
        const std::string_view piece = tape.piece(from, std::min(to, from + piece_max));
        if (!push(call, ToAgent::audio, act.turn, 0, caller_ms(from), piece)) {
            return false;
        }
        from += piece.size();
        call.state.told = std::max(call.state.told, from);
    }
    return true;
}

void AgentLink::tell_utterance(CallInHand& call) {
    ConversationState& state = call.state;
    if (!in_step(call) || state.end_told || state.act_count == 0) {
        return;
    }
    const CallerAct& act = state.acts[state.act_count - 1U];
    if (act.key != 0) {
        return;
    }
    const bool open = act.length == 0;
    if (open && !state.streaming) {
        return;
    }
    // What does not fit now is tried again at the next frame or tick: the audio is safe in the slot.
    if (push_audio(call, act, state.told, open ? state.heard : act.begin + act.length) && !open) {
        state.end_told = true;
        tell(call, ToAgent::utterance_ended, act.turn, 0, std::int64_t{20} * state.ear.silence);
    }
}

void AgentLink::catch_up(CallInHand& call) {
    if (!attached()) {
        return;
    }
    retry_ended();
    if (!in_step(call)) {
        if (!resume(call)) {
            return;
        }
        known_[call.slot].in_step = true;
    }
    tell_utterance(call);
}

bool AgentLink::resume(CallInHand& call) {
    ConversationState& state = call.state;
    const CallerTape tape(state, call.voice);
    std::size_t need = resume_overhead;
    for (const CallerAct& act : tape.acts()) {
        need += act.length == 0 ? static_cast<std::size_t>(state.heard - act.begin) : act.length;
    }
    if (agent_->room() < need) {
        return false;  // Begun and not finished, it would only fill the ring once more.
    }
    const bool open = tape.open_utterance() != nullptr;
    const std::uint32_t turn = state.turn - (open ? 1U : 0U);
    const std::uint32_t sentence = state.speaking_turn == turn ? state.speaking_number : 0;
    if (!push(call, ToAgent::call_resumed, turn, sentence, state.owed ? 0 : 1, memory_of(call))) {
        return false;
    }
    known_[call.slot] = {call.call, false};
    // The sentence that was coming in is said anew, from its beginning.
    state.incoming_skip = static_cast<std::uint32_t>(state.said - state.incoming_from);
    return std::all_of(tape.acts().begin(), tape.acts().end(),
                       [&](const CallerAct& act) { return resume_act(call, act); });
}

bool AgentLink::resume_act(CallInHand& call, const CallerAct& act) {
    ConversationState& state = call.state;
    if (act.key != 0) {
        return push(call, ToAgent::key, act.turn, 0, 0, {&act.key, 1});
    }
    if (!push(call, ToAgent::utterance_began, act.turn, 0, caller_ms(act.begin), {})) {
        return false;
    }
    if (&act == &state.acts[state.act_count - 1U]) {
        state.told = act.begin;
        state.end_told = false;
        return true;  // tell_utterance() does the rest.
    }
    return push_audio(call, act, act.begin, act.begin + act.length) &&
           push(call, ToAgent::utterance_ended, act.turn, 0, 0, {});
}

void AgentLink::end(std::uint32_t slot, std::uint64_t call, std::string_view why) {
    if (!attached() || known_[slot].call != call) {
        return;  // Unknown to the agent, or told already.
    }
    known_[slot] = {};
    if (ended_.size() == ended_.capacity()) {
        ended_.erase(ended_.begin());
    }
    ended_.push_back({slot, call, why});
    retry_ended();
}

void AgentLink::retry_ended() {
    auto next = ended_.begin();
    while (next != ended_.end() &&
           agent_->tell({.kind = ToAgent::call_ended, .slot = next->slot, .call = next->call, .payload = next->why})) {
        ++next;
    }
    ended_.erase(ended_.begin(), next);
}

}  // namespace agentlocator
