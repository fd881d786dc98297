#pragma once
// A telephone call around a VoiceConversation: the caller's frames, Twilio's playback buffer, an agent that follows a
// script, the slot, and processes that die between two steps or within one.
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "common/io/call_slab_file.hpp"
#include "tests/unit/voice/signal.hpp"
#include "worker/media_message.hpp"
#include "worker/voice/nanoseconds.hpp"
#include "worker/voice/voice_conversation.hpp"

namespace agentlocator::test {

using Mulaw = std::vector<std::uint8_t>;

struct Told {
    ToAgent kind;
    std::uint32_t turn;
    std::uint32_t sentence;
    std::int64_t value;
    std::string payload;
};

// The agent's words: every sample is known, so that a lost or repeated one shows.
inline std::string words(std::uint32_t turn, std::uint32_t sentence, std::size_t samples) {
    std::string out(samples, '\0');
    std::uint32_t x = turn * 7919 + sentence * 104'729 + 1;
    for (char& sample : out) {
        x = x * 1'664'525 + 1'013'904'223;
        sample = static_cast<char>(x >> 24);
    }
    return out;
}

class ScriptedAgent final : public AgentInput {
public:
    [[nodiscard]] bool tell(const ToAgentMessage& message) override {
        if (full) {
            return false;
        }
        told.push_back({message.kind, message.turn, message.sentence, message.value, std::string(message.payload)});
        return true;
    }
    [[nodiscard]] std::size_t room() const override { return full ? 0 : 1 << 20; }

    [[nodiscard]] std::vector<Told> of(ToAgent kind) const {
        std::vector<Told> out;
        for (const Told& message : told) {
            if (message.kind == kind) {
                out.push_back(message);
            }
        }
        return out;
    }
    // The audio of one utterance, put together; each piece must follow the last.
    [[nodiscard]] std::string audio(std::uint32_t turn) const {
        std::string out;
        std::int64_t begin = -1;
        for (const Told& message : told) {
            if (message.kind == ToAgent::utterance_began && message.turn == turn) {
                out.clear();  // Told again, or the number was given back.
                begin = message.value;
            }
            if (message.kind == ToAgent::audio && message.turn == turn) {
                if (message.value != begin + static_cast<std::int64_t>(out.size() / 8)) {
                    throw std::runtime_error("audio with a gap");
                }
                out += message.payload;
            }
        }
        return out;
    }

    std::vector<Told> told;
    bool full = false;
};

struct Phone final : private Speaker {
    explicit Phone(VoiceRules with = {}, bool with_agent = true)
        : rules(with), attached(with_agent), file(*create_slab("test")) {
        start_process();
    }

    // ---- processes

    void start_process() {
        agent.told.clear();
        conversation = std::make_unique<VoiceConversation>(rules, prompts, attached ? &agent : nullptr, &metrics);
    }
    // Runs one event. When the process dies in it, what it did is lost but the slot's uncommitted bytes, and what the
    // agent thread had to say; another process does the event again.
    void event(const std::function<void(CallInHand)>& what, bool again = true) {
        ConversationState shadow = state;
        out.clear();
        what({slot, call, "CA1", shadow, file.slab->slots[slot].voice, now, *this});
        if (die_in != 0 && --die_in == 0) {
            ++deaths;
            queue.clear();
            start_process();
            return again ? event(what) : void();
        }
        state = shadow;
        for (auto& action : out) {
            action();
        }
    }

    // ---- the caller and Twilio

    void start(std::vector<std::pair<std::string, std::string>> parameters = {}) {
        StreamMessage message;
        message.call_sid = "CA1";
        message.stream_sid = "MZ1";
        message.parameters = std::move(parameters);
        event([&](CallInHand in) { conversation->on_start(in, message); });
    }
    // 20 ms: the caller's frame in, one frame played, a tick every 100 ms, the agent's turn.
    void frame(std::span<const std::uint8_t> mulaw) {
        now += 20ms;
        for (const std::string& name : std::exchange(late_marks, {})) {
            echo(name);
        }
        play_out();
        event([&](CallInHand in) { conversation->on_audio(in, CallerAudio(mulaw)); });
        if (++frames % 5 == 0) {
            event([&](CallInHand in) { conversation->on_tick(in); });
        }
        if (script) {
            script();
        }
        answer();
    }
    void say(const Signal& signal) {
        Mulaw audio = mulaw(signal);
        for (std::size_t at = 0; at + frame_samples <= audio.size(); at += frame_samples) {
            caller.insert(caller.end(), audio.begin() + static_cast<long>(at),
                          audio.begin() + static_cast<long>(at + frame_samples));
            frame({&audio[at], frame_samples});
        }
    }
    // Line noise, so that the detector has something to learn from.
    void wait(double seconds) { say(white(seconds, -60, ++seed)); }
    void talk(double seconds) { say(voice(seconds, -22) + white(seconds, -60, ++seed)); }
    void key(char digit) {
        event([&](CallInHand in) { conversation->on_dtmf(in, digit); });
        answer();
    }

    // ---- the agent

    void from_agent(FromAgent kind, std::uint32_t turn, std::uint32_t sentence = 0, std::string payload = {},
                    std::int64_t value = 0) {
        queue.push_back({kind, turn, sentence, std::move(payload), value});
        answer();
    }
    // A whole sentence of `samples`, in pieces.
    void sentence(std::uint32_t turn, std::uint32_t number, std::size_t samples) {
        const std::string audio = words(turn, number, samples);
        for (std::size_t at = 0; at < audio.size(); at += 1000) {
            queue.push_back({FromAgent::speech, turn, number, audio.substr(at, 1000)});
        }
        queue.push_back({FromAgent::sentence_done, turn, number, "text"});
        answer();
    }
    void listen(const ListenHints& hints) { from_agent(FromAgent::listen, 0, 0, std::string(listen_payload(hints))); }
    void answer() {
        for (std::size_t i = 0; i < messages_a_frame && !queue.empty(); ++i) {
            const Spoken spoken = queue.front();
            queue.pop_front();
            event(
                [&](CallInHand in) {
                    conversation->on_agent(in, {.kind = spoken.kind,
                                                .slot = slot,
                                                .call = call,
                                                .turn = spoken.turn,
                                                .sentence = spoken.sentence,
                                                .value = spoken.value,
                                                .payload = spoken.payload});
                },
                false);
        }
    }

    static constexpr std::uint32_t slot = 5;
    static constexpr std::uint64_t call = 99;

    VoiceRules rules;
    bool attached;
    SlabFile file;
    PromptLibrary prompts{{Mulaw(8000, 0x10), Mulaw(4000, 0x20), Mulaw(1600, 0x30), Mulaw(2400, 0x40)}};
    ScriptedAgent agent;
    AgentMetrics metrics;
    std::unique_ptr<VoiceConversation> conversation;
    ConversationState state;
    TimePoint now = TimePoint(std::chrono::hours(1));
    Mulaw caller;                   // All that the caller said.
    std::string heard;              // All that the caller heard.
    std::vector<std::string> wire;  // clear, media, the marks' names, hang_up: as they went out.
    std::vector<std::string> lines;
    std::function<void()> script;  // The agent's own doing, once a frame.
    bool marks_come_back = true;
    bool hung_up = false;
    std::uint64_t ready = 0;  // Bytes that speech_ready told of.
    std::size_t messages_a_frame = 1000;
    int die_in = 0;  // Events until the process dies; 0: it does not.
    int deaths = 0;
    std::size_t frames = 0;
    std::uint32_t seed = 100;

private:
    struct Spoken {
        FromAgent kind;
        std::uint32_t turn;
        std::uint32_t sentence;
        std::string payload;
        std::int64_t value = 0;
    };
    struct Item {
        std::string audio;
        std::string mark;
    };

    void play_out() {
        if (!buffer.empty() && buffer.front().mark.empty()) {
            heard += buffer.front().audio;
            buffer.pop_front();
        }
        echo_marks();
    }
    // Those that nothing stands before.
    void echo_marks() {
        while (!buffer.empty() && !buffer.front().mark.empty()) {
            const std::string name = buffer.front().mark;
            buffer.pop_front();
            echo(name);
        }
    }
    void echo(const std::string& name) {
        if (marks_come_back) {
            event([&](CallInHand in) { conversation->on_mark(in, name); });
        }
    }

    void clear() override {
        out.push_back([this] {
            wire.emplace_back("clear");
            std::deque<Item> dropped;
            dropped.swap(buffer);
            for (const Item& item : dropped) {
                if (!item.mark.empty()) {
                    late_marks.push_back(item.mark);
                }
            }
        });
    }
    void play(AgentAudio audio) override {
        const std::string frame(audio.mulaw().begin(), audio.mulaw().end());
        out.push_back([this, frame] {
            wire.emplace_back("media");
            buffer.push_back({frame, ""});
        });
    }
    void mark(std::string_view name) override {
        out.push_back([this, name = std::string(name)] {
            wire.push_back(name);
            buffer.push_back({"", name});
        });
    }
    void hang_up() override {
        out.push_back([this] {
            wire.emplace_back("hang_up");
            hung_up = true;
        });
    }
    void log(std::string_view line) override { lines.emplace_back(line); }
    void speech_ready(std::uint64_t pcm_bytes) override { ready += pcm_bytes; }
    [[nodiscard]] std::size_t frames_free() const override { return 50; }

    std::deque<Item> buffer;
    std::deque<Spoken> queue;
    std::vector<std::function<void()>> out;  // Of the event in hand: true once it is committed.
    std::vector<std::string> late_marks;     // Of what a clear dropped; they come back with the next frame.
};

}  // namespace agentlocator::test
