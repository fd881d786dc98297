#include "worker/call_snapshot.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <limits>
#include <string>
#include <type_traits>

#include "common/mulaw.hpp"
#include "worker/call_handle.hpp"
#include "worker/snapshot_fields.hpp"

namespace agentlocator {
namespace {

using snapshot::Bytes;
using snapshot::Reader;
using snapshot::Writer;

// The fields of each part, once for writing and reading. An id is never given to another field.
template <class State, class Visit>
void visit_call(State& s, Visit& visit) {
    visit(1, s.phase);
    visit(2, s.mode);
    visit(3, s.done_logged);
    visit(4, s.close_code);
    visit(5, s.complaints);
    visit(6, s.fate);
    visit(7, s.resumes);
    visit(8, s.stream_sid);
    visit(9, s.call_sid);
    visit(10, s.rx);
    visit(11, s.tx);
    visit(12, s.level);
    visit(13, s.opened_ns);
    visit(14, s.heard_ns);
}
template <class State, class Visit>
void visit_frames(State& s, Visit& visit) {
    visit(1, s.parsed);
    visit(2, s.message_size);
    visit(3, s.message_open);
    visit(4, s.close_received);
    visit(5, s.close_sent);
    visit(6, s.deaf);
}
template <class State, class Visit>
void visit_send(State& s, Visit& visit) {
    visit(1, s.tail);
}
template <class State, class Visit>
void visit_conversation(State& s, Visit& visit) {
    visit(1, s.heard);
    visit(2, s.vad.frames);
    visit(3, s.vad.tone_peaks[0]);
    visit(4, s.vad.tone_peaks[1]);
    visit(5, s.vad.tone_frames);
    visit(6, s.vad.in_speech);
    visit(7, s.ear.recent);
    visit(8, s.ear.voiced);
    visit(9, s.ear.silence);
    visit(10, s.ear.open);
    visit(11, s.tape_origin);
    visit(12, s.told);
    visit(13, s.end_told);
    visit(14, s.turn);
    visit(15, s.answer_turn);
    visit(16, s.speaking_turn);
    visit(17, s.speaking_number);
    visit(18, s.said);
    visit(19, s.speech_origin);
    visit(20, s.sent);
    visit(21, s.sentence_from);
    visit(22, s.incoming_from);
    visit(23, s.incoming_skip);
    visit(24, s.sentences_heard);
    visit(25, s.sentences_sent);
    visit(26, s.sentences_whole);
    visit(27, s.mark_offset);
    visit(28, s.play_until_ns);
    visit(29, s.talk_since_ns);
    visit(30, s.speak_after_ns);
    visit(31, s.started_ns);
    visit(32, s.asked_ns);
    visit(33, s.mute_from_ns);
    visit(34, s.quiet_from_ns);
    visit(35, s.ignore_until_ns);
    visit(36, s.heartbeat_at_ns);
    visit(37, s.heartbeats);
    visit(38, s.owed);
    visit(39, s.hint_told);
    visit(40, s.time_up);
    visit(41, s.closing);
    visit(42, s.mute_turns);
    visit(43, s.barge_in);
    visit(44, s.streaming);
    visit(45, s.hangover_ms);
    visit(46, s.answer_within_ms);
    visit(47, s.remembered);
    visit(48, s.service_us);
    visit(49, s.waited_ms);
    visit(50, s.vad.unvoiced);
    // vad.tonality is not carried: no whole number, and heard anew in 0.1 s.
}
// A field that was added above must be visited; then these are the sizes to compare with.
static_assert(sizeof(ConversationState) == 320 && sizeof(FrameState) == 32 && sizeof(SendState) == 16);
#ifndef AGENTLOCATOR_OTHER_LAYOUT
static_assert(sizeof(CallState) == 552);
#endif

template <class State>
void visit(State& state, auto& visitor) {
    using Plain = std::remove_const_t<State>;
    if constexpr (std::is_same_v<Plain, CallState>) {
        visit_call(state, visitor);
    } else if constexpr (std::is_same_v<Plain, FrameState>) {
        visit_frames(state, visitor);
    } else if constexpr (std::is_same_v<Plain, SendState>) {
        visit_send(state, visitor);
    } else {
        visit_conversation(state, visitor);
    }
}

template <class State>
std::vector<std::uint8_t> field_section(const State& state) {
    Writer writer;
    snapshot::FieldWriter fields(writer);
    visit(state, fields);
    return writer.take();
}

template <class State>
bool load_fields(Bytes section, State& state) {
    Reader reader(section);
    while (!reader.empty()) {
        std::uint64_t id = 0;
        std::uint64_t size = 0;
        Bytes content;
        if (!reader.number(2, id) || !reader.number(2, size) || !reader.take(static_cast<std::size_t>(size), content)) {
            return false;
        }
        snapshot::FieldLoader load(id, content);
        visit(state, load);
        if (!load.fits()) {
            return false;
        }
    }
    return true;
}

// A stretch [from, to) of one of the voice rings, behind its position.
template <class Ring>
std::vector<std::uint8_t> ring_section(const Ring& ring, std::uint64_t origin, std::uint64_t from, std::uint64_t to) {
    Writer writer;
    writer.number(from, 8);
    for (; from < to; ++from) {
        writer.number(ring[static_cast<std::size_t>((from - origin) % ring.size())], 1);
    }
    return writer.take();
}

template <class Ring>
bool load_ring(Bytes section, Ring& ring, std::uint64_t origin, std::uint64_t to) {
    Reader reader(section);
    std::uint64_t from = 0;
    if (!reader.number(8, from) || reader.rest().size() > ring.size() || from < origin || from > to ||
        to - from != reader.rest().size()) {
        return false;
    }
    for (const std::uint8_t byte : reader.rest()) {
        ring[static_cast<std::size_t>((from++ - origin) % ring.size())] = byte;
    }
    return true;
}

// What the agent may still have to be told of the caller: from the oldest act on.
std::uint64_t oldest_utterance(const ConversationState& state) {
    if (state.act_count == 0 || state.acts[0].begin > state.heard) {
        return state.heard;
    }
    return std::max(state.acts[0].begin, state.heard - std::min<std::uint64_t>(state.heard, utterance_bytes));
}

// What the caller has not yet heard of the agent.
std::uint64_t oldest_speech(const ConversationState& state) {
    const std::uint64_t from = std::max(std::min(state.sentence_from, state.sent), state.speech_origin);
    return std::max(from, state.said - std::min<std::uint64_t>(state.said, speech_bytes));
}

std::vector<std::uint8_t> acts_section(const ConversationState& state) {
    Writer writer;
    for (std::size_t i = 0; i < state.act_count; ++i) {
        const CallerAct& act = state.acts[i];
        writer.number(act.begin, 8);
        writer.number(act.length, 4);
        writer.number(act.turn, 4);
        writer.number(static_cast<unsigned char>(act.key), 1);
    }
    return writer.take();
}

bool load_acts(Bytes section, ConversationState& state) {
    Reader reader(section);
    for (state.act_count = 0; !reader.empty(); ++state.act_count) {
        std::uint64_t begin = 0;
        std::uint64_t length = 0;
        std::uint64_t turn = 0;
        std::uint64_t key = 0;
        if (state.act_count == caller_acts_max || !reader.number(8, begin) || !reader.number(4, length) ||
            !reader.number(4, turn) || !reader.number(1, key)) {
            return false;
        }
        state.acts[state.act_count] = {begin, static_cast<std::uint32_t>(length), static_cast<std::uint32_t>(turn),
                                       static_cast<char>(key)};
    }
    return true;
}

std::vector<std::uint8_t> sentences_section(const ConversationState& state, const VoiceArea& voice) {
    Writer writer;
    for (std::uint32_t n = state.sentences_heard; n != state.sentences_whole; ++n) {
        const SpokenSentence& sentence = voice.sentences[n % sentences_max];
        writer.number(sentence.end, 8);
        writer.number(sentence.turn, 4);
        writer.number(sentence.number, 4);
    }
    return writer.take();
}

bool load_sentences(Bytes section, const ConversationState& state, VoiceArea& voice) {
    Reader reader(section);
    std::uint32_t n = state.sentences_heard;
    for (; !reader.empty(); ++n) {
        std::uint64_t end = 0;
        std::uint64_t turn = 0;
        std::uint64_t number = 0;
        if (n - state.sentences_heard == sentences_max || !reader.number(8, end) || !reader.number(4, turn) ||
            !reader.number(4, number)) {
            return false;
        }
        voice.sentences[n % sentences_max] = {end, static_cast<std::uint32_t>(turn),
                                              static_cast<std::uint32_t>(number)};
    }
    return n == state.sentences_whole && state.sentences_sent - state.sentences_heard <= n - state.sentences_heard;
}

template <class T>
Bytes raw(const T& data) {
    return {reinterpret_cast<const std::uint8_t*>(&data), sizeof data};
}

// Data that need not be exact: kept when it is as we have it, else forgotten.
template <class T>
bool load_raw(Bytes bytes, T& data) {
    const bool same = bytes.size() == sizeof data;
    if (same) {
        std::memcpy(&data, bytes.data(), sizeof data);
    }
    return same;
}

struct Sections {
    // Of every call.
    Bytes call;
    Bytes frames;
    Bytes kept;
    Bytes send;
    Bytes unsent;
    Bytes message;
    Bytes last;
    // Of AI calls.
    Bytes conversation;
    Bytes acts;
    Bytes utterances;
    Bytes sentences;
    Bytes speech;
    Bytes memory;
    Bytes bands;
    Bytes levels;
    Bytes recent;
    unsigned found = 0;  // One bit each, in this order.
};
constexpr unsigned call_sections = 0b0000'0000'0111'1111;
constexpr unsigned voice_sections = 0b0001'1111'1000'0000;

Result<Sections> split_sections(Bytes bytes) {
    Reader reader(bytes);
    Bytes word;
    std::uint64_t version = 0;
    if (bytes.size() > snapshot_bytes_max) {
        return error(Errc::too_large, "a snapshot of a call of " + std::to_string(bytes.size()) + " bytes; at most " +
                                          std::to_string(snapshot_bytes_max));
    }
    if (!reader.take(snapshot::magic.size(), word) || snapshot::text(word) != snapshot::magic ||
        !reader.number(4, version)) {
        return error(Errc::bad_message, "no snapshot of a call");
    }
    if (version != snapshot_version) {
        return error(Errc::bad_message, "a snapshot of a call in format " + std::to_string(version) +
                                            ", this build reads format " + std::to_string(snapshot_version));
    }
    Sections found;
    const std::array<std::pair<std::string_view, Bytes*>, 16> known{{{"CALL", &found.call},
                                                                     {"FRAM", &found.frames},
                                                                     {"KEPT", &found.kept},
                                                                     {"SEND", &found.send},
                                                                     {"UNSE", &found.unsent},
                                                                     {"MESG", &found.message},
                                                                     {"LAST", &found.last},
                                                                     {"CONV", &found.conversation},
                                                                     {"ACTS", &found.acts},
                                                                     {"UTTR", &found.utterances},
                                                                     {"SENT", &found.sentences},
                                                                     {"SPCH", &found.speech},
                                                                     {"MEMO", &found.memory},
                                                                     {"BAND", &found.bands},
                                                                     {"LEVL", &found.levels},
                                                                     {"RECN", &found.recent}}};
    while (!reader.empty()) {
        std::uint64_t size = 0;
        Bytes content;
        if (!reader.take(4, word) || !reader.number(4, version) || !reader.number(4, size) ||
            !reader.take(static_cast<std::size_t>(size), content)) {
            return error(Errc::bad_message, "a snapshot of a call that ends too early");
        }
        for (std::size_t i = 0; i < known.size(); ++i) {
            if (known[i].first != snapshot::text(word)) {
                continue;
            }
            if (version != snapshot::section_version) {
                return error(Errc::bad_message, "part " + std::string(known[i].first) +
                                                    " of a call's snapshot is in format " + std::to_string(version) +
                                                    ", this build reads format " +
                                                    std::to_string(snapshot::section_version));
            }
            *known[i].second = content;
            found.found |= 1U << i;
        }
    }
    if ((found.found & call_sections) != call_sections) {
        return error(Errc::bad_message, "a snapshot of a call without all its parts");
    }
    return found;
}

void write_voice(const ConversationState& state, const VoiceArea& voice, Writer& out) {
    out.section("CONV", field_section(state));
    out.section("ACTS", acts_section(state));
    out.section("UTTR", ring_section(voice.utterances, state.tape_origin, oldest_utterance(state), state.heard));
    out.section("SENT", sentences_section(state, voice));
    out.section("SPCH", ring_section(voice.speech, state.speech_origin, oldest_speech(state), state.said));
    const auto& memory = voice.memory[state.memory_half & 1U];
    out.section("MEMO", raw(memory).first(std::min<std::size_t>(state.memory_size, memory.size())));
    out.section("BAND", raw(voice.vad.band_history));
    out.section("LEVL", raw(voice.vad.level_history));
    out.section("RECN", raw(voice.recent));
}

// False: what must not be guessed does not fit.
bool read_voice(const Sections& parts, ConversationState& state, VoiceArea& voice) {
    if ((parts.found & voice_sections) != voice_sections || !load_fields(parts.conversation, state) ||
        !load_acts(parts.acts, state) || !load_sentences(parts.sentences, state, voice) ||
        !load_ring(parts.utterances, voice.utterances, state.tape_origin, state.heard) ||
        !load_ring(parts.speech, voice.speech, state.speech_origin, state.said) ||
        parts.memory.size() > voice.memory[0].size()) {
        return false;
    }
    state.memory_half = 0;
    state.memory_size = static_cast<std::uint16_t>(parts.memory.size());
    std::copy(parts.memory.begin(), parts.memory.end(), voice.memory[0].begin());
    voice.vad.counts_of.store(0);  // They are made anew from the histories.
    if (!load_raw(parts.bands, voice.vad.band_history) || !load_raw(parts.levels, voice.vad.level_history)) {
        state.vad = {};
    }
    if (!load_raw(parts.recent, voice.recent)) {
        voice.recent.fill(mulaw_silence);
    }
    return true;
}

bool is_sound(const CallState& state) {
    return state.phase <= StreamPhase::closed && state.fate <= StreamFate::finished && state.mode <= WsMode::sink;
}

}  // namespace

std::vector<std::uint8_t> write_snapshot(CallSlab& slab, std::uint32_t slot) {
    const CallHandle call(slab, slot);
    const CallState& state = call.state();
    Writer out;
    out.text(snapshot::magic);
    out.number(snapshot_version, 4);
    out.section("CALL", field_section(state));
    out.section("FRAM", field_section(state.frames));
    out.section("KEPT", call.remainder());
    out.section("SEND", field_section(state.send));
    std::vector<std::uint8_t> unsent;
    for (const auto piece : call.unsent().pieces) {
        unsent.insert(unsent.end(), piece.begin(), piece.end());
    }
    out.section("UNSE", unsent);
    out.section("MESG", Bytes(call.message()).first(state.frames.message_size));
    if (state.mode == WsMode::ai) {
        write_voice(state.conversation, slab.slots[slot].voice, out);
    }
    out.section("LAST", {});
    return out.take();
}

Result<void> read_snapshot(CallSlab& slab, std::uint32_t slot, std::span<const std::uint8_t> bytes) {
    const auto parts = split_sections(bytes);
    if (!parts) {
        return parts.error();
    }
    CallState state;
    if (!load_fields(parts->call, state) || !load_fields(parts->frames, state.frames) ||
        !load_fields(parts->send, state.send) || !is_sound(state) ||
        state.frames.message_size != parts->message.size() || parts->unsent.size() > state.send.tail) {
        return error(Errc::bad_message, "a snapshot of a call that contradicts itself");
    }
    CallSlot& memory = slab.slots[slot];
    if (parts->kept.size() > memory.remainder[0].size() || parts->unsent.size() > memory.send_ring.size() ||
        parts->message.size() > memory.message.size()) {
        return error(Errc::too_large, "a snapshot of a call with more bytes than this build keeps");
    }
    if (state.mode == WsMode::ai && !read_voice(*parts, state.conversation, memory.voice)) {
        return error(Errc::bad_message, "a snapshot of a conversation that does not fit this build");
    }
    state.frames.remainder_at = state.frames.parsed;
    state.frames.remainder_size = static_cast<std::uint32_t>(parts->kept.size());
    state.send.origin = state.send.tail - parts->unsent.size();
    std::copy(parts->kept.begin(), parts->kept.end(), memory.remainder[0].begin());
    std::copy(parts->unsent.begin(), parts->unsent.end(), memory.send_ring.begin());
    std::copy(parts->message.begin(), parts->message.end(), memory.message.begin());
    memory.states[slab.directory[slot].current.load() & 1U] = state;
    return {};
}

}  // namespace agentlocator
