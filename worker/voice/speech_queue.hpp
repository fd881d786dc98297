#pragma once
// What the agent says: taken in as it is synthesised, played at most `ahead_max` before the caller hears it, kept until
// it was heard, so that it can go on where it was interrupted. Pure; works on the call's slot.
//
//   incoming_from        said     The ring, in samples of the agent since the call began:
//        v                 v      [.. heard ..|.. sent, on the wire ..|.. unsent ..|.. sentence coming in ..]
//
// What was heard is known by marks, and between them by the clock: Twilio plays what it gets at once, without pause.
// The only maker of AgentAudio beside the prompt library, and it has no way to come by CallerAudio (P2).
#include <cstdint>
#include <optional>
#include <string_view>

#include "common/mulaw.hpp"
#include "worker/conversation.hpp"

namespace agentlocator {

class SpeechQueue {
public:
    SpeechQueue(ConversationState& state, VoiceArea& voice) : state_(state), voice_(voice) {}

    static constexpr auto ahead_max = std::chrono::seconds(1);  // More is lost at an interruption.
    // A mark that is not back so long after its audio should have been heard will not come.
    static constexpr auto mark_grace = std::chrono::seconds(2);
    static constexpr std::uint32_t prompt_number = 0xffff'ffffU;  // Of sentences that are prompts of ours.

    struct Sentence {
        std::uint32_t turn = 0;
        std::uint32_t number = 0;
        std::int64_t heard_ms = 0;
    };

    // Takes in what the agent says next of the sentence that is coming in; returns how much of it fits.
    std::size_t append(std::string_view mulaw);
    // The sentence is whole: filled up to a whole frame. False: there was nothing of it.
    bool end_sentence(std::uint32_t turn, std::uint32_t number);
    // A recorded sentence. One of the agent's that is coming in stays incomplete.
    void append_prompt(AgentAudio prompt, std::uint32_t turn);

    // Sends what is due: frames, and a mark behind each whole sentence.
    void pump(TimePoint now, Speaker& speaker);

    // Frames that are not sent.
    [[nodiscard]] bool has_unsent() const { return state_.said - state_.sent >= frame_samples; }
    [[nodiscard]] std::int64_t unsent_ms() const { return static_cast<std::int64_t>(state_.said - state_.sent) / 8; }
    // The caller hears us, or will without delay: by the clock, and until the marks are back.
    [[nodiscard]] bool on_wire(TimePoint now) const;
    [[nodiscard]] bool pending(TimePoint now) const { return has_unsent() || on_wire(now); }

    // What is on the wire and not heard is taken back: it is unsent again. The caller of this sends `clear`, and then
    // takes the sentences that were played but whose marks were still on their way.
    void rewind(TimePoint now);
    [[nodiscard]] std::optional<Sentence> take_played();
    // After rewind(): the sentence the next frame belongs to, and how much of it was heard.
    [[nodiscard]] Sentence interrupted() const;
    // After rewind(): forgets all that is unsent.
    void drop_unsent();

    // After the stream broke off: what is not known to be heard is copied from the last slot and unsent again, from the
    // beginning of its sentence.
    void go_back(const VoiceArea& from, TimePoint now);

    // A mark came back, or by the clock must have been heard: the next sentence the caller heard whole. Repeat until
    // empty.
    [[nodiscard]] std::optional<Sentence> take_heard(std::string_view mark, TimePoint now);
    [[nodiscard]] std::optional<Sentence> take_heard_by_clock(TimePoint now);

private:
    [[nodiscard]] SpokenSentence& sentence(std::uint32_t n) const { return voice_.sentences[n % sentences_max]; }
    [[nodiscard]] std::size_t index(std::uint64_t position) const {
        return static_cast<std::size_t>(position - state_.speech_origin) % speech_bytes;
    }
    [[nodiscard]] std::size_t room() const;
    void write(const std::uint8_t* samples, std::size_t count);
    void fill_frame();
    void send_marks(Speaker& speaker);
    Sentence pop_heard();

    ConversationState& state_;
    VoiceArea& voice_;
};

}  // namespace agentlocator
