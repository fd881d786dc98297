#include "worker/voice/caller_tape.hpp"

#include <algorithm>
#include <cstring>

#include "common/call_slab.hpp"
#include "common/ensure.hpp"
#include "common/mulaw.hpp"

namespace agentlocator {
namespace {

// A step that is not committed may have written so far behind `heard`: one largest message.
constexpr std::size_t step_samples_max = message_bytes_max * 3 / 4;
// What one frame may overwrite of `recent` before it is committed.
constexpr std::size_t recent_usable = recent_bytes - frame_samples;

}  // namespace

std::size_t CallerTape::take(CallerAudio audio, std::size_t from) {
    const std::size_t left = frame_samples - static_cast<std::size_t>(state_.heard % frame_samples);
    const auto samples = audio.mulaw_.subspan(from, std::min(left, audio.mulaw_.size() - from));
    for (std::size_t i = 0; i < samples.size();) {
        const auto at = static_cast<std::size_t>((state_.heard + i) % recent_bytes);
        const std::size_t count = std::min(samples.size() - i, recent_bytes - at);
        std::memcpy(&voice_.recent[at], &samples[i], count);
        i += count;
    }
    if (open_utterance() != nullptr) {
        keep(state_.heard, samples);
    }
    state_.heard += samples.size();
    return samples.size();
}

std::array<std::uint8_t, spectrum_samples> CallerTape::window() const {
    std::array<std::uint8_t, spectrum_samples> out;
    for (std::size_t i = 0; i < out.size(); ++i) {
        const std::uint64_t back = out.size() - i;
        out[i] = back > state_.heard ? mulaw_silence
                                     : voice_.recent[static_cast<std::size_t>((state_.heard - back) % recent_bytes)];
    }
    return out;
}

void CallerTape::begin_utterance(std::uint32_t turn, std::size_t back) {
    std::uint64_t begin = state_.heard - std::min<std::uint64_t>(std::min(back, recent_usable), state_.heard);
    bool kept = false;
    for (const CallerAct& act : acts()) {
        if (act.key == 0) {
            begin = std::max(begin, act.begin + act.length);
            kept = true;
        }
    }
    if (!kept) {
        state_.tape_origin = begin;  // Nothing is kept: start again at the ring's first page.
    }
    add({.begin = begin, .turn = turn});
    for (std::uint64_t at = begin; at < state_.heard;) {
        const auto index = static_cast<std::size_t>(at % recent_bytes);
        const std::size_t count = std::min(static_cast<std::size_t>(state_.heard - at), recent_bytes - index);
        keep(at, {&voice_.recent[index], count});
        at += count;
    }
}

void CallerTape::keep(std::uint64_t at, std::span<const std::uint8_t> samples) {
    while (state_.act_count > 1 && at + step_samples_max > acts().front().begin + utterance_bytes) {
        drop_oldest();
    }
    const auto index = static_cast<std::size_t>(at - state_.tape_origin) % utterance_bytes;
    const std::size_t count = std::min(samples.size(), utterance_bytes - index);
    std::memcpy(&voice_.utterances[index], samples.data(), count);
    if (count < samples.size()) {
        std::memcpy(voice_.utterances.data(), samples.data() + count, samples.size() - count);
    }
}

std::string_view CallerTape::piece(std::uint64_t from, std::uint64_t to) const {
    const auto index = static_cast<std::size_t>(from - state_.tape_origin) % utterance_bytes;
    const std::size_t count = std::min(static_cast<std::size_t>(to - from), utterance_bytes - index);
    return {reinterpret_cast<const char*>(&voice_.utterances[index]), count};
}

void CallerTape::add(const CallerAct& act) {
    if (state_.act_count == caller_acts_max) {
        drop_oldest();
    }
    state_.acts[state_.act_count++] = act;
}

void CallerTape::add_key(std::uint32_t turn, char key) {
    // A key's place on the tape is where it was pressed, so that room is judged rightly.
    add({.begin = state_.heard, .turn = turn, .key = key});
}

void CallerTape::drop_oldest() {
    std::move(state_.acts.begin() + 1, state_.acts.begin() + state_.act_count, state_.acts.begin());
    --state_.act_count;
}

void CallerTape::drop_newest() {
    ENSURE(state_.act_count > 0);
    --state_.act_count;
}

void CallerTape::drop_through(std::uint32_t turn) {
    while (state_.act_count > 0 && state_.acts[0].turn <= turn) {
        drop_oldest();
    }
}

void CallerTape::copy_acts(const VoiceArea& from) {
    for (const CallerAct& act : acts()) {
        const std::uint64_t end = act.key != 0 ? act.begin : act.length != 0 ? act.begin + act.length : state_.heard;
        for (std::uint64_t at = act.begin; at < end;) {
            const auto index = static_cast<std::size_t>(at - state_.tape_origin) % utterance_bytes;
            const std::size_t count = std::min(static_cast<std::size_t>(end - at), utterance_bytes - index);
            std::memcpy(&voice_.utterances[index], &from.utterances[index], count);
            at += count;
        }
    }
}

CallerAct* CallerTape::open_utterance() const {
    if (state_.act_count == 0) {
        return nullptr;
    }
    CallerAct& newest = state_.acts[state_.act_count - 1U];
    return newest.key == 0 && newest.length == 0 ? &newest : nullptr;
}

}  // namespace agentlocator
