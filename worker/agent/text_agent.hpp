#pragma once
// The agent in writing: one message in, one answer out, with the prompt, the tools and the script of the telephone.
// Pure: the services' events and the time come in. Everything a conversation needs comes with the question and goes
// back with the answer, so any process may answer any message, and one that dies has changed nothing.
//
//   running --model, its tools--> done        --no model answers--> failed: to be asked again later; after
//   model_attempts_max of those the script answers, as it does where there is no model
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/message_metrics.hpp"
#include "worker/agent/agent_services.hpp"
#include "worker/agent/agent_tools.hpp"
#include "worker/agent/dialogue.hpp"
#include "worker/agent/event_mailbox.hpp"
#include "worker/agent/thinking.hpp"

namespace agentlocator {

struct TextQuestion {
    std::string person{};               // Who writes: the model's prompt cache goes by it.
    std::string phone{};                // E.164; empty: not known.
    std::string kind{};                 // Of the message: text, image, voice ...
    std::string text{};                 // Empty: a picture, a recording, something that is no text.
    std::vector<ChatMessage> before{};  // What was said so far, on the telephone too; oldest first.
    LeadFact lead{};                    // What is known.
    std::string state{};                // Of an earlier answer; empty: the first.
    std::int64_t attempts = 1;          // This one included.
};

struct TextAnswer {
    std::string text{};                     // Empty: nothing is sent, what there was to say was said lately.
    std::optional<AnsweredBy> by{};         // Nothing when nothing is sent.
    std::string state{};                    // For the next question.
    std::vector<LeadFact> leads{};          // phone, name, notes, details; the rest is the caller's to add.
    std::vector<AppointmentFact> booked{};  // phone, title, notes, times.
};

class TextAgent {
public:
    enum class State : std::uint8_t { running, done, failed };

    // `wake`: run() is wanted soon. The services outlive it. Without a persona it is the installation's.
    TextAgent(AgentServices& services, TextQuestion question, std::function<void()> wake, PersonaPtr persona = nullptr);
    TextAgent(const TextAgent&) = delete;
    TextAgent& operator=(const TextAgent&) = delete;

    void run(TimePoint now);  // The first one starts.
    [[nodiscard]] std::optional<TimePoint> deadline() const;
    [[nodiscard]] State state() const { return state_; }
    [[nodiscard]] const TextAnswer& answer() const { return answer_; }

    static constexpr int tool_rounds_max = 4;  // A model in a loop of tools is stopped.
    // Who sends ten pictures at once is asked for words once in so long; words of his end it.
    static constexpr std::int64_t asked_for_text_ms = std::int64_t{3600} * 1000;
    static constexpr std::int64_t model_attempts_max = 3;
    static constexpr std::size_t answer_characters_max = 1500;                // Twilio docs: 21617, 1600 at most.
    static constexpr std::int64_t taken_ms = std::int64_t{12} * 3600 * 1000;  // So long after a lead was taken ...
    // ... the script does not begin anew.

private:
    void start(TimePoint now);
    void ask_model(TimePoint now);
    void settle_model(TimePoint now);
    void run_tools(TimePoint now);
    void ask_for_text();
    void answer_by_script();
    void apply(const DialogueReply& reply, const Dialogue& dialogue, std::string& said);
    [[nodiscard]] Dialogue make_dialogue() const;
    void finish(std::string text, AnsweredBy by);

    AgentServices& services_;
    const PersonaPtr persona_;
    TextQuestion question_;
    EventMailbox mailbox_;
    Language language_;
    std::vector<ChatMessage> messages_;
    LeadSlots slots_;
    std::unique_ptr<Thinking> thinking_;
    std::string said_;
    int tool_rounds_ = 0;
    bool started_ = false;
    State state_ = State::running;
    TextAnswer answer_;
};

// What is written where `text` is spoken: without the points that tell the voice how.
[[nodiscard]] std::string written_text(std::string_view text);

}  // namespace agentlocator
