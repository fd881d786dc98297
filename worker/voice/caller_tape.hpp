#pragma once
// What the caller said, as far as it is kept: the last half second always, for the detector and the pre-roll; the
// utterances that the agent may still ask for. Pure; works on the call's slot.
//
// It is the only reader of CallerAudio. Its samples leave towards the detector and the agent, nowhere else (P2).
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "worker/conversation.hpp"
#include "worker/voice/spectrum.hpp"

namespace agentlocator {

class CallerTape {
public:
    CallerTape(ConversationState& state, VoiceArea& voice) : state_(state), voice_(voice) {}

    // Takes in samples from `from` on, up to the end of the frame they belong to; returns how many. A frame is complete
    // when state.heard is a multiple of 160.
    std::size_t take(CallerAudio audio, std::size_t from);
    // The last whole frame and the 96 samples before it.
    [[nodiscard]] std::array<std::uint8_t, spectrum_samples> window() const;

    // A new utterance, `turn`, that began `back` samples ago: as much of that as is still there, and nothing that an
    // earlier utterance has already. The oldest acts give way when there is no room.
    void begin_utterance(std::uint32_t turn, std::size_t back);
    // What is kept of [from, to), as much of it as lies in one piece.
    [[nodiscard]] std::string_view piece(std::uint64_t from, std::uint64_t to) const;

    // The list of acts.
    [[nodiscard]] std::span<CallerAct> acts() const { return {state_.acts.data(), state_.act_count}; }
    void add_key(std::uint32_t turn, char key);
    void drop_newest();
    void drop_through(std::uint32_t turn);  // Those that are answered.
    // What is kept of the acts, from the slot of the call's last stream.
    void copy_acts(const VoiceArea& from);
    // The newest act, when it is an utterance that is being heard; else null.
    [[nodiscard]] CallerAct* open_utterance() const;

private:
    void add(const CallerAct& act);
    void keep(std::uint64_t at, std::span<const std::uint8_t> samples);
    void drop_oldest();

    ConversationState& state_;
    VoiceArea& voice_;
};

}  // namespace agentlocator
