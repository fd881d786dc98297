#include "worker/call_snapshot.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <random>

#include "support.hpp"

using namespace agentlocator;
using namespace agentlocator::test;

namespace {

// A call in the middle of everything: frames said, a message in pieces, half a frame kept, answers not yet sent.
struct BusyCall : StreamUnderTest {
    BusyCall() : StreamUnderTest(WsMode::echo) {
        start();
        for (int i = 0; i < 30; ++i) {
            media("AAECAw==");
        }
        (void)sent_bytes();
        media("/w==");  // Its answer is committed and unsent.
        feed(client_frame(R"({"event":"me)", WsOpcode::text, false));
        call().begin();
        call().keep_remainder(state().frames.parsed, Bytes{0x81, 0x85, 1, 2, 3});
        call().commit();
    }
};

std::string unsent(const CallHandle& call) {
    std::string bytes;
    for (const auto piece : call.unsent().pieces) {
        bytes.append(reinterpret_cast<const char*>(piece.data()), piece.size());
    }
    return bytes;
}

Bytes number(std::uint64_t value, std::size_t size) {
    Bytes bytes;
    for (std::size_t i = 0; i < size; ++i) {
        bytes.push_back(static_cast<std::uint8_t>(value >> (8 * i)));
    }
    return bytes;
}

// Where a section begins: at its tag.
std::size_t section(const Bytes& snapshot, std::string_view tag) {
    std::size_t at = 8;
    while (at < snapshot.size()) {
        if (std::equal(tag.begin(), tag.end(), snapshot.begin() + static_cast<std::ptrdiff_t>(at))) {
            return at;
        }
        at += 12 + (snapshot[at + 8] | snapshot[at + 9] << 8 | snapshot[at + 10] << 16);
    }
    FAIL("no such section");
    return 0;
}

// The same snapshot with another content of one section.
Bytes with(const Bytes& snapshot, std::string_view tag, const Bytes& content) {
    const auto at = static_cast<std::ptrdiff_t>(section(snapshot, tag));
    const auto old = snapshot[static_cast<std::size_t>(at) + 8] | snapshot[static_cast<std::size_t>(at) + 9] << 8 |
                     snapshot[static_cast<std::size_t>(at) + 10] << 16;
    Bytes out(snapshot.begin(), snapshot.begin() + at + 8);
    const Bytes size = number(content.size(), 4);
    out.insert(out.end(), size.begin(), size.end());
    out.insert(out.end(), content.begin(), content.end());
    out.insert(out.end(), snapshot.begin() + at + 12 + old, snapshot.end());
    return out;
}

Bytes content(const Bytes& snapshot, std::string_view tag) {
    const std::size_t at = section(snapshot, tag);
    const auto size = static_cast<std::size_t>(snapshot[at + 8] | snapshot[at + 9] << 8 | snapshot[at + 10] << 16);
    const auto from = snapshot.begin() + static_cast<std::ptrdiff_t>(at + 12);
    return {from, from + static_cast<std::ptrdiff_t>(size)};
}

std::string refusal(const Bytes& snapshot) {
    const SlabFile file = *create_slab("to");
    const auto read = read_snapshot(*file.slab, 7, snapshot);
    return read ? "" : read.error().detail;
}

// An AI call that listens and speaks at once, its rings wrapped.
struct TalkingCall {
    TalkingCall() {
        call.reset();
        CallState& state = call.begin();
        state.mode = WsMode::ai;
        ConversationState& talk = state.conversation;
        talk.tape_origin = 1000;
        talk.heard = 1000 + utterance_bytes + 500;
        talk.acts[0] = {talk.heard - 700, 0, 4, 0};
        talk.act_count = 1;
        talk.speech_origin = 100;
        talk.said = 100 + speech_bytes + 900;
        talk.sent = talk.said - 500;
        talk.sentence_from = talk.said - 1000;
        talk.incoming_from = talk.said - 160;
        talk.sentences_heard = 40;
        talk.sentences_sent = 41;
        talk.sentences_whole = 42;
        talk.memory_half = 1;
        talk.memory_size = 5;
        for (std::uint64_t at = talk.acts[0].begin; at < talk.heard; ++at) {
            voice.utterances[(at - talk.tape_origin) % utterance_bytes] = static_cast<std::uint8_t>(at * 3);
        }
        for (std::uint64_t at = talk.sentence_from; at < talk.said; ++at) {
            voice.speech[(at - talk.speech_origin) % speech_bytes] = static_cast<std::uint8_t>(at * 7);
        }
        std::copy_n("notes", 5, voice.memory[1].begin());
        voice.sentences[40 % sentences_max] = {talk.said - 600, 3, 9};
        voice.sentences[41 % sentences_max] = {talk.said - 160, 4, 1};
        voice.vad.level_history[9] = 77;
        call.commit();
        snapshot = write_snapshot(*file.slab, 7);
    }
    SlabFile file = *create_slab("from");
    CallHandle call{*file.slab, 7};
    VoiceArea& voice = file.slab->slots[7].voice;
    Bytes snapshot;
};

}  // namespace

TEST_CASE("call_snapshot: a call goes on from its snapshot as from its slot") {
    BusyCall from;
    const auto snapshot = write_snapshot(*from.file.slab, 7);
    StreamUnderTest to(WsMode::echo);
    CallHandle(*to.file.slab, 7).reset();
    // The directory is shared by both layouts.
    to.file.slab->directory[7].sent.store(from.file.slab->directory[7].sent.load());
    REQUIRE(read_snapshot(*to.file.slab, 7, snapshot).has_value());
    CHECK(to.state().rx == 31);
    CHECK(to.state().tx == 31);
    CHECK(to.state().stream_sid.view() == "MZ1");
    CHECK(to.state().call_sid.view() == "CA1");
    CHECK(to.state().frames.parsed == from.state().frames.parsed);
    CHECK(to.state().send.tail == from.state().send.tail);
    CHECK_FALSE(unsent(to.call()).empty());
    CHECK(unsent(to.call()) == unsent(from.call()));
    CHECK(Bytes(to.call().remainder().begin(), to.call().remainder().end()) == Bytes{0x81, 0x85, 1, 2, 3});
    CHECK(write_snapshot(*to.file.slab, 7) == snapshot);
    // Both say the same from here on.
    for (StreamUnderTest* t : {static_cast<StreamUnderTest*>(&from), &to}) {
        t->feed(client_frame(R"(dia","media":{"payload":"AQ=="},"streamSid":"MZ1"})", WsOpcode::continuation));
        CHECK(t->state().rx == 32);
    }
    CHECK(unsent(to.call()) == unsent(from.call()));
}

TEST_CASE("call_snapshot: a conversation travels with what was heard, what is being said, and the agent's notes") {
    const TalkingCall from;
    const SlabFile to = *create_slab("to");
    REQUIRE(read_snapshot(*to.slab, 7, from.snapshot).has_value());
    const CallState& there = CallHandle(*to.slab, 7).state();
    const ConversationState& talk = from.call.state().conversation;
    CHECK(there.conversation.heard == talk.heard);
    CHECK(there.conversation.acts[0].begin == talk.acts[0].begin);
    CHECK(there.conversation.acts[0].turn == 4);
    CHECK(there.conversation.sentences_whole == 42);
    const VoiceArea& copy = to.slab->slots[7].voice;
    for (std::uint64_t at = talk.acts[0].begin; at < talk.heard; ++at) {
        REQUIRE(copy.utterances[(at - talk.tape_origin) % utterance_bytes] == static_cast<std::uint8_t>(at * 3));
    }
    for (std::uint64_t at = talk.sentence_from; at < talk.said; ++at) {
        REQUIRE(copy.speech[(at - talk.speech_origin) % speech_bytes] == static_cast<std::uint8_t>(at * 7));
    }
    CHECK(std::string(copy.memory[there.conversation.memory_half].data(), there.conversation.memory_size) == "notes");
    CHECK(copy.sentences[40 % sentences_max].number == 9);
    CHECK(copy.sentences[41 % sentences_max].turn == 4);
    CHECK(copy.vad.level_history[9] == 77);
    CHECK(from.snapshot.size() < 16'000);  // As much as there is to tell, not the whole of the rings.
    CHECK(write_snapshot(*to.slab, 7) == from.snapshot);
}

TEST_CASE("call_snapshot: what a newer build added is passed over, what an older one lacked keeps its default") {
    BusyCall from;
    const auto snapshot = write_snapshot(*from.file.slab, 7);
    auto more = snapshot;
    const std::string_view future(
        "XTRA\x07\x00\x00\x00\x03\x00\x00\x00"
        "abc",
        15);
    more.insert(more.end(), future.begin(), future.end());
    CHECK(refusal(more).empty());
    auto fields = content(snapshot, "CALL");
    const Bytes unknown{0xff, 0x7f, 2, 0, 9, 9};
    fields.insert(fields.begin(), unknown.begin(), unknown.end());
    StreamUnderTest to(WsMode::echo);
    REQUIRE(read_snapshot(*to.file.slab, 7, with(snapshot, "CALL", fields)).has_value());
    CHECK(to.state().rx == 31);
    REQUIRE(read_snapshot(*to.file.slab, 7, with(snapshot, "CALL", Bytes{2, 0, 1, 0, 1})).has_value());
    CHECK(to.state().rx == 0);  // Not told: the default.
    CHECK(to.state().mode == WsMode::echo);
    // The detector's past may have another size there: it is forgotten, the rest is not.
    const TalkingCall talking;
    const SlabFile file = *create_slab("to");
    REQUIRE(read_snapshot(*file.slab, 7, with(talking.snapshot, "LEVL", Bytes(3, 1))).has_value());
    CHECK(CallHandle(*file.slab, 7).state().conversation.vad.frames == 0);
    CHECK(CallHandle(*file.slab, 7).state().conversation.sentences_whole == 42);
}

TEST_CASE("call_snapshot: numbers travel at any width, if their value fits") {
    BusyCall from;
    const auto snapshot = write_snapshot(*from.file.slab, 7);
    const auto call = [&](Bytes field) {
        const Bytes echo{2, 0, 1, 0, 1};
        field.insert(field.begin(), echo.begin(), echo.end());
        return with(snapshot, "CALL", field);
    };
    StreamUnderTest to(WsMode::echo);
    const auto state = [&](const Bytes& field) -> const CallState& {
        REQUIRE(read_snapshot(*to.file.slab, 7, call(field)).has_value());
        return to.state();
    };
    CHECK(state({10, 0, 1, 0, 200}).rx == 200);
    CHECK(state({4, 0, 4, 0, 0xe8, 3, 0, 0}).close_code == 1000);
    CHECK(state({13, 0, 2, 0, 0xfe, 0xff}).opened_ns == -2);
    CHECK(refusal(call({4, 0, 4, 0, 0, 0, 1, 0})) == "a snapshot of a call that contradicts itself");  // 65536
    CHECK_FALSE(refusal(call({3, 0, 1, 0, 2})).empty());                                               // A bool of 2.
    CHECK_FALSE(refusal(call({1, 0, 1, 0, 9})).empty());                                               // No such phase.
    CHECK_FALSE(refusal(call({2, 0, 1, 0, 3})).empty());                                               // No such mode.
}

TEST_CASE("call_snapshot: an unknown format is refused and both are named") {
    BusyCall from;
    auto snapshot = write_snapshot(*from.file.slab, 7);
    snapshot[4] = 2;
    CHECK(refusal(snapshot) == "a snapshot of a call in format 2, this build reads format 1");
    snapshot[4] = 1;
    snapshot[section(snapshot, "KEPT") + 4] = 7;
    CHECK(refusal(snapshot) == "part KEPT of a call's snapshot is in format 7, this build reads format 1");
    CHECK(refusal(Bytes{'A', 'L', 'C', 'X', 1, 0, 0, 0}) == "no snapshot of a call");
}

TEST_CASE("call_snapshot: every limit, at it and one past it") {
    BusyCall busy;
    const auto call = write_snapshot(*busy.file.slab, 7);
    CHECK(refusal(with(call, "KEPT", Bytes(staging_bytes, 1))).empty());
    CHECK_FALSE(refusal(with(call, "KEPT", Bytes(staging_bytes + 1, 1))).empty());
    const auto send = with(call, "SEND", Bytes{1, 0, 4, 0, 0, 0, 0x10, 0});  // tail: 1 MiB
    CHECK(refusal(with(send, "UNSE", Bytes(send_ring_bytes, 1))).empty());
    CHECK_FALSE(refusal(with(send, "UNSE", Bytes(send_ring_bytes + 1, 1))).empty());
    CHECK_FALSE(refusal(with(call, "MESG", Bytes(3, 1))).empty());  // Another size than FRAM says.
    auto largest = call;
    largest.resize(snapshot_bytes_max - 12, 0);
    CHECK(refusal(largest).find("too early") != std::string::npos);  // Judged, not for its size.
    largest.resize(snapshot_bytes_max + 1, 0);
    CHECK(refusal(largest).find("at most") != std::string::npos);

    const TalkingCall talking;
    CHECK(refusal(with(talking.snapshot, "MEMO", Bytes(call_memory_bytes, 'x'))).empty());
    CHECK_FALSE(refusal(with(talking.snapshot, "MEMO", Bytes(call_memory_bytes + 1, 'x'))).empty());
    CHECK(refusal(with(talking.snapshot, "ACTS", Bytes(17 * caller_acts_max, 0))).empty());
    CHECK_FALSE(refusal(with(talking.snapshot, "ACTS", Bytes(17 * (caller_acts_max + 1), 0))).empty());
    CHECK_FALSE(refusal(with(talking.snapshot, "SENT", Bytes(16, 0))).empty());  // Two are not heard.
    const auto ring = [&](std::string_view tag, std::uint64_t end, std::size_t size) {
        Bytes bytes = number(end - size, 8);
        bytes.resize(8 + size, 1);
        return refusal(with(talking.snapshot, tag, bytes));
    };
    const ConversationState& talk = talking.call.state().conversation;
    CHECK(ring("UTTR", talk.heard, 0).empty());
    CHECK(ring("UTTR", talk.heard, utterance_bytes).empty());
    CHECK_FALSE(ring("UTTR", talk.heard, utterance_bytes + 1).empty());
    CHECK_FALSE(ring("UTTR", talk.heard - 1, 100).empty());  // It must reach up to what was heard.
    CHECK(ring("SPCH", talk.said, speech_bytes).empty());
    CHECK_FALSE(ring("SPCH", talk.said, speech_bytes + 1).empty());
}

TEST_CASE("call_snapshot: anything that is not whole and sound is refused, and never harms") {
    for (const Bytes& snapshot : {write_snapshot(*BusyCall().file.slab, 7), TalkingCall().snapshot}) {
        const SlabFile file = *create_slab("to");
        for (std::size_t size = 0; size < snapshot.size(); size += size < 2000 ? 1 : 97) {
            REQUIRE_FALSE(read_snapshot(*file.slab, 7, std::span(snapshot).first(size)).has_value());
        }
        std::mt19937 random(1);
        for (int i = 0; i < 5000; ++i) {  // No read or write out of bounds: judged by the sanitizers.
            auto broken = snapshot;
            for (int k = 0; k < 3; ++k) {
                broken[random() % broken.size()] = static_cast<std::uint8_t>(random());
            }
            (void)read_snapshot(*file.slab, 7, broken);
        }
    }
}
