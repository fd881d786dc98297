#pragma once
// One speech-to-speech session of a call: the caller's utterances in, the answers' sound and words out. Pure.
//
//   waiting --end_of_turn, say, hear, go_on--> expecting --sound, words, tool calls--> --its end--> waiting
//   expecting, and nothing comes: failed. Any error: failed. What a failed session had given out stays said.
//
// Each item of the service that has sound becomes a sentence of the call. It comes faster than it is spoken, so all of
// it is handed to the media thread at once; what was heard of it is told back (interrupted), and cut off over there,
// too.
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

class Talking {
public:
    struct Place {
        std::uint32_t turn = 0;
        std::uint32_t sentence = 0;
    };
    // A sentence that began or has more words now.
    struct Said {
        Place place;
        std::string text;
        std::int64_t ms = 0;
    };
    struct Heard {
        std::uint32_t turn = 0;
        std::string text;
    };
    struct Hooks {
        // Where a sentence that begins now belongs. Nothing: no answer is in hand, so nobody will hear it.
        std::function<std::optional<Place>()> place;
        std::function<std::int64_t()> first_value;  // As for Speaking.
    };

    Talking(EventMailbox& mailbox, Outbox& outbox, RealtimeProvider& provider, const RealtimeConfig& config,
            Hooks hooks);
    ~Talking() = default;
    Talking(const Talking&) = delete;
    Talking& operator=(const Talking&) = delete;

    // The caller.
    void push(std::span<const std::uint8_t> mulaw) { session_->push(mulaw); }
    void end_of_turn(std::uint32_t turn, TimePoint now);
    void drop_turn() { session_->drop_turn(); }
    void note(std::string_view text) { session_->note(text); }
    void hear(std::string_view text, TimePoint now);
    // Ours.
    void say(std::string_view text, TimePoint now);
    void go_on(const std::vector<std::pair<std::string, std::string>>& tool_results, std::string_view instructions,
               TimePoint now);
    void begin_answer() { first_sent_ = false; }
    void cancel();  // The answer in hand: what was not handed over of it is gone.
    void interrupted(std::uint32_t turn, std::uint32_t sentence, std::int64_t heard_ms);

    bool on_event(const ServiceEvent& event, TimePoint now);
    void on_time(TimePoint now);
    [[nodiscard]] std::optional<TimePoint> deadline() const;
    // Hands over what came.
    void run();
    // Of a session that failed: all that came is handed over, and the sentence ends there.
    void close();

    [[nodiscard]] std::vector<Said> take_said() { return std::exchange(said_, {}); }
    [[nodiscard]] std::vector<Heard> take_heard() { return std::exchange(heard_, {}); }
    // Once, when the session is ready: when it will be ended, in unix seconds; 0: not told.
    [[nodiscard]] std::optional<std::int64_t> take_ready() { return std::exchange(ready_, std::nullopt); }
    [[nodiscard]] std::optional<ProviderError> take_failure() { return std::exchange(failure_, std::nullopt); }
    // The answer's end came: the tools that it called.
    [[nodiscard]] std::optional<std::vector<ToolCall>> take_done();
    [[nodiscard]] bool idle() const { return !expecting_ && !done_ && open_items() == 0; }

    static constexpr Duration first_max =
        std::chrono::seconds(3);  // The caller's patience; the session may connect in it.
    static constexpr Duration idle_max = std::chrono::seconds(4);
    static constexpr std::size_t items_kept = 16;                 // An interruption is never about older ones.
    static constexpr std::size_t tools_max = 8;                   // Calls in one answer; more is a model in a loop.
    static constexpr std::size_t sentence_bytes_max = 60 * 8000;  // A model that does not stop: the rest is not said.

private:
    struct Item {
        std::string id;
        std::optional<Place> place;  // Once it has sound.
        std::string text;
        bool text_final = false;
        std::string audio;  // Not handed over yet.
        std::size_t received = 0;
        bool sound_over = false;
        bool told = false;  // All of it was handed over, or is not wanted.
    };
    Item& item(const std::string& id);
    void on_audio(const ServiceEvent& event);
    void on_words(const ServiceEvent& event);
    void expect(TimePoint now);
    void hand_over(Item& item, bool all);
    [[nodiscard]] std::size_t open_items() const;

    Outbox& outbox_;
    Hooks hooks_;
    std::uint64_t operation_;
    std::string provider_;
    std::deque<Item> items_;
    std::vector<Said> said_;
    std::vector<Heard> heard_;
    std::vector<ToolCall> tools_;
    std::optional<std::int64_t> ready_;
    std::optional<ProviderError> failure_;
    bool expecting_ = false;
    bool had_output_ = false;
    bool done_ = false;
    bool first_sent_ = false;
    TimePoint since_{};
    std::unique_ptr<RealtimeSession> session_;
};

}  // namespace agentlocator
