#pragma once
// The agent's mouth in one call: sentences in, mu-law towards the media thread out, the next sentence synthesised while
// the one before plays. Pure.
//
//   sentence: queued --at most `ahead_max` at once--> asked --audio--> handed over in order --> done
//   A voice that fails is replaced by the next one: the sentence from its start if less than 300 ms of it were handed
//   over, else from about where it broke. No voice left: a recorded sentence, once, in place of all that was queued.
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "worker/agent/agent_services.hpp"
#include "worker/agent/event_mailbox.hpp"
#include "worker/agent/outbox.hpp"

namespace agentlocator {

class Speaking {
public:
    struct Done {
        std::uint32_t turn = 0;
        std::uint32_t sentence = 0;
        std::string text{};
        std::int64_t ms = 0;
        bool recorded = false;  // What was queued behind it is gone.
    };

    // `first_value`: the value of the message with an answer's first speech.
    Speaking(AgentServices& services, EventMailbox& mailbox, Outbox& outbox, Language language,
             std::function<std::int64_t()> first_value)
        : services_(services),
          mailbox_(mailbox),
          outbox_(outbox),
          language_(language),
          first_value_(std::move(first_value)) {}
    ~Speaking() { cancel(); }
    Speaking(const Speaking&) = delete;
    Speaking& operator=(const Speaking&) = delete;

    void say(std::uint32_t turn, std::uint32_t sentence, std::string text);
    void cancel();                                     // Everything, the work in progress included.
    void hold_until(TimePoint when) { hold_ = when; }  // Synthesised, but not handed over before.

    void run(TimePoint now);
    bool on_event(const ServiceEvent& event, TimePoint now);
    void on_time(TimePoint now);
    [[nodiscard]] std::optional<TimePoint> deadline() const;

    [[nodiscard]] bool idle() const { return sentences_.empty(); }
    [[nodiscard]] std::vector<Done> take_done() { return std::exchange(done_, {}); }

    // Of the answer in hand; reset by begin_answer().
    void begin_answer();
    [[nodiscard]] std::optional<TimePoint> asked_at() const { return asked_at_; }
    [[nodiscard]] std::optional<TimePoint> first_audio_at() const { return first_audio_at_; }
    [[nodiscard]] std::optional<TimePoint> first_sent_at() const { return first_sent_at_; }
    [[nodiscard]] const std::string& provider() const { return provider_; }

    static constexpr std::size_t ahead_max = 2;
    static constexpr Duration first_audio_max = std::chrono::milliseconds(1500);
    static constexpr Duration idle_max = std::chrono::seconds(2);
    static constexpr std::size_t repeat_below = 300 * 8;          // Bytes: a repetition of less is not noticed.
    static constexpr std::size_t piece_max = 8000;                // Bytes in one message: a second of speech.
    static constexpr std::size_t sentence_bytes_max = 60 * 8000;  // A voice that does not stop.

private:
    struct Sentence {
        std::uint32_t turn = 0;
        std::uint32_t number = 0;
        std::string text;
        std::string to_ask;  // What is still to be synthesised.
        ChainWalk<TtsProvider> walk;
        OperationPtr running{};
        std::uint64_t operation = 0;
        bool asked = false;
        bool complete = false;
        bool recorded = false;
        std::string audio{};          // Not handed over yet.
        std::size_t received = 0;     // Bytes of all providers.
        std::size_t of_provider = 0;  // Bytes of the one in hand.
        TimePoint last_output{};
    };
    void ask(Sentence& sentence, TtsProvider* provider, TimePoint now);
    void fail(Sentence& sentence, const ProviderError& error, TimePoint now);
    void say_recorded(Sentence& sentence, TimePoint now);

    AgentServices& services_;
    EventMailbox& mailbox_;
    Outbox& outbox_;
    Language language_;
    std::function<std::int64_t()> first_value_;
    std::deque<Sentence> sentences_;
    std::vector<Done> done_;
    std::optional<TimePoint> hold_;
    std::optional<TimePoint> asked_at_;
    std::optional<TimePoint> first_audio_at_;
    std::optional<TimePoint> first_sent_at_;
    std::string provider_;
};

}  // namespace agentlocator
