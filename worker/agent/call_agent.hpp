#pragma once
// The conversation of one call: what the media thread tells -> recogniser -> model or script -> voice -> what it is
// told. Pure: messages, the services' events (mailbox) and the time come in; messages go to an outbox.
//
//   utterance: Hearing -> text -> Thinking (model) or Dialogue (script) -> sentences -> Speaking -> turn_done
//   One answer at a time. What the caller does next replaces it: a newer turn with words, a key, an interruption
//   destroys the operations in flight. A newer turn without words (noise) takes the unfinished answer over.
//
//   Never silent: whatever is owed ends in speech or in a deliberate turn_done. A stage that fails apologises and asks
//   again; the second time in a row the script goes on with what the model has learnt; a voice that cannot be had is
//   the recorded apology.
//
//   Everything that a take-over must know is in the memory (call_agent_memory.cpp), told before speech is.
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "worker/agent/agent_services.hpp"
#include "worker/agent/agent_texts.hpp"
#include "worker/agent/call_history.hpp"
#include "worker/agent/dialogue.hpp"
#include "worker/agent/hearing.hpp"
#include "worker/agent/outbox.hpp"
#include "worker/agent/speaking.hpp"
#include "worker/agent/talking.hpp"
#include "worker/agent/thinking.hpp"
#include "worker/agent/turn_latency.hpp"

namespace agentlocator {

class CallAgent {
public:
    // `wake`: run() is wanted soon. The services outlive the call. Without a persona it is the installation's.
    CallAgent(AgentServices& services, std::uint32_t slot, std::uint64_t call, std::function<void()> wake,
              PersonaPtr persona = nullptr);
    ~CallAgent() { talk_walk_.cancelled(); }
    CallAgent(const CallAgent&) = delete;
    CallAgent& operator=(const CallAgent&) = delete;

    // The number that was called, of call_started's or call_resumed's payload; empty: not known.
    [[nodiscard]] static std::string called_number(std::string_view payload);

    void on_message(const ToAgentMessage& message, TimePoint now);
    void run(TimePoint now);
    // Tells what is ready. False: the queue is full; try again soon.
    [[nodiscard]] bool flush(AgentOutput& output, TimePoint now);
    [[nodiscard]] std::optional<TimePoint> deadline() const;
    [[nodiscard]] bool over() const { return over_; }
    [[nodiscard]] const std::string& call_sid() const { return call_sid_; }
    [[nodiscard]] const CallHistory& history() const { return history_; }
    [[nodiscard]] const LeadSlots& slots() const { return slots_; }
    [[nodiscard]] bool uses_model() const { return mode_ == Mode::model; }
    [[nodiscard]] bool talks() const { return mode_ == Mode::realtime; }

    static constexpr Duration turn_budget = std::chrono::seconds(6);     // Silence longer than this is a broken call.
    static constexpr Duration thinking_every = std::chrono::seconds(1);  // Tells the media thread that we are alive.
    static constexpr Duration key_pause = std::chrono::seconds(2);       // Digits for the model end so long after.
    static constexpr Duration farewell_max = std::chrono::seconds(20);   // A transfer waits for our words at most.
    static constexpr Duration transfer_max = std::chrono::seconds(10);   // Twilio's answer.
    static constexpr int tool_rounds_max = 4;                            // A model in a loop of tools is stopped.
    static constexpr int reprompts_max = 2;                              // Speech into silence, then goodbye.
    static constexpr std::size_t keys_max = 20;
    // The memory is written again after so many pieces of words: each is a copy of all of it.
    static constexpr int talk_words_a_memory = 8;
    // realtime: a session is renewed when five sixths of its time are over, in the next pause of the conversation.
    static constexpr Duration session_time = std::chrono::minutes(60);     // Of a service that does not tell: OpenAI's.
    static constexpr Duration session_time_min = std::chrono::seconds(1);  // Less is a clock that is wrong.
    static constexpr Duration pause_again = std::chrono::seconds(1);       // No pause now: looked for again so soon.
    static constexpr Duration renewal_max = std::chrono::seconds(10);      // The next session is ready, or given up.
    static constexpr Duration renewal_again = std::chrono::minutes(1);     // It could not be had.

private:
    enum class Mode : std::uint8_t { model, script, realtime };
    enum class After : std::uint8_t { listen, transfer, hang_up };
    enum class Leaving : std::uint8_t { no, waiting_heard, transferring, hung_up };

    struct Answer {
        Answer() {}  // Not defaulted: clang 14 cannot see such a one from std::optional inside this class.
        std::uint32_t turn = 0;
        bool complete = false;  // No more sentences will be added.
        After after = After::listen;
        std::string reason{};  // hang_up
        bool said_something = false;
        bool apology = false;  // A stage failed.
        int tool_rounds = 0;
        std::size_t characters = 0;
        std::string words{};  // realtime: to be said word for word, not known to be said.
        TurnLatency latency{};
    };

    // realtime: kept until it is answered, for the next session or a recogniser.
    struct Utterance {
        std::uint32_t turn = 0;
        std::vector<std::uint8_t> audio;
        bool finished = false;
    };

    // Messages
    void on_started(std::string_view payload, TimePoint now);
    void on_resumed(const ToAgentMessage& message, TimePoint now);
    void on_ended(std::string_view reason);
    void on_utterance_began(const ToAgentMessage& message, TimePoint now);
    void on_utterance_ended(const ToAgentMessage& message, TimePoint now);
    void on_key(std::uint32_t turn, char key, TimePoint now);
    void on_key_pause(TimePoint now);
    void on_interrupted(const ToAgentMessage& message, TimePoint now);
    void cut_answer(const ToAgentMessage& message, TimePoint now);
    void on_silence(const ToAgentMessage& message, TimePoint now);
    void on_thinking_hint(const ToAgentMessage& message);
    void on_time_up(const ToAgentMessage& message, TimePoint now);
    void read_caller(std::string_view payload, TimePoint now);

    // Events and time
    void dispatch(const ServiceEvent& event, TimePoint now);
    void check_deadlines(TimePoint now);
    void settle(TimePoint now);
    void settle_hearings(TimePoint now);
    void settle_thinking(TimePoint now);
    void settle_speaking(TimePoint now);
    void maybe_speculate(TimePoint now);

    // Turns
    void take_text(std::uint32_t turn, std::string text, TimePoint now);
    void take_nothing(std::uint32_t turn, TimePoint now);
    void take_unheard(std::uint32_t turn, TimePoint now);
    void take_failed(std::uint32_t turn, TimePoint now);
    [[nodiscard]] bool is_repeated(std::string_view key, TimePoint now) const;
    [[nodiscard]] bool is_own_echo(std::string_view text, TimePoint now) const;
    void retarget(std::uint32_t turn, TimePoint now);

    // Answers
    Answer& begin_answer(std::uint32_t turn, TimePoint now);
    void abandon_answer();
    void say(std::string text);
    void say_fixed(AgentText text);
    void complete(After after = After::listen, std::string reason = {});
    void ask_model(TimePoint now);
    [[nodiscard]] LlmRequest model_request() const;
    void run_tools(const std::vector<ToolCall>& calls, TimePoint now);
    void reply(const DialogueReply& reply);
    void answer_by_script(std::uint32_t turn, const DialogueReply& reply, TimePoint now);
    void fail_answer(TimePoint now);
    void finish_answer(TimePoint now);
    [[nodiscard]] std::int64_t first_speech_value() const;
    void start_transfer(TimePoint now);
    void transfer_failed(std::string_view problem, TimePoint now);
    void owe(std::uint32_t turn, TimePoint now);
    void owe_nothing();

    // Speech to speech (call_agent_talk.cpp)
    [[nodiscard]] bool open_talk(RealtimeProvider* provider);
    [[nodiscard]] std::optional<Talking::Place> place_of_talk();
    void keep_utterance(const ToAgentMessage& message);
    void drop_utterance(std::uint32_t turn);
    [[nodiscard]] bool answer_utterance(std::uint32_t turn, TimePoint now);
    void settle_talking(TimePoint now);
    bool note_talk();
    void fail_talk(const ProviderError& error, TimePoint now);
    void resume_talk(TimePoint now);
    void leave_talk(TimePoint now);
    [[nodiscard]] std::unique_ptr<Talking> make_talk(RealtimeProvider& provider);
    [[nodiscard]] bool is_pause() const;
    void plan_renewal(std::int64_t expires_at, TimePoint now);
    void begin_renewal(TimePoint now);
    void settle_renewal(TimePoint now);
    void give_up_renewal(TimePoint again) {
        next_talk_.reset();
        renew_due_ = again;
    }
    void resume_talk_answer(std::uint32_t turn, std::uint32_t sentence, TimePoint now);

    // Facts and memory
    void record_turn(std::uint32_t turn, std::string_view speaker, std::string text, bool interrupted,
                     const TurnLatency* latency);
    void record_lead();
    void book(const LeadSlots& slots, std::int64_t starts_at, std::int64_t ends_at);
    void remember();
    [[nodiscard]] std::string memory() const;
    [[nodiscard]] bool restore(std::string_view memory, TimePoint now);
    void choose_mode(TimePoint now);
    void ask_who_calls();
    void learn(KnownPersonPtr known);
    void resume_answer(std::uint32_t turn, std::uint32_t sentence, TimePoint now);

    [[nodiscard]] SttConfig listening() const;
    void tell_listening();
    [[nodiscard]] std::uint32_t next_sentence(std::uint32_t turn);
    void tell_numbering(std::uint32_t turn, std::uint32_t sentence);
    [[nodiscard]] bool can_transfer() const;
    [[nodiscard]] bool understands() const;
    [[nodiscard]] Dialogue make_dialogue() const;

    AgentServices& services_;
    const PersonaPtr persona_;
    EventMailbox mailbox_;
    Outbox outbox_;
    Language language_;
    Mode mode_ = Mode::script;
    bool over_ = false;

    std::string call_sid_;
    std::string from_;
    std::string to_;
    // What is known of the caller from before. Not part of the memory: whoever takes the call over asks the store
    // again.
    KnownPersonPtr known_;
    OperationPtr asking_;
    std::uint64_t asking_operation_ = 0;
    CallHistory history_;
    Dialogue dialogue_;
    LeadSlots slots_;

    std::vector<std::unique_ptr<Hearing>> hearings_;  // Oldest first.
    std::unique_ptr<Thinking> thinking_;
    std::unique_ptr<Thinking> speculation_;  // On a partial text; heard only if that becomes the text.
    std::string speculation_key_;
    Speaking speaking_;
    std::optional<Answer> answer_;
    TurnLatency heard_latency_;  // Of the utterance being recognised.
    std::string stash_;          // Text of a turn that a newer one follows at once.
    ChainWalk<RealtimeProvider> talk_walk_;
    std::unique_ptr<Talking> talk_;       // While mode_ is realtime.
    std::unique_ptr<Talking> next_talk_;  // Its successor, until it is ready.
    std::optional<TimePoint> renew_due_;  // While there is talk_.
    std::vector<Utterance> utterances_;   // Of it; oldest first.
    int talk_unremembered_ = 0;           // Pieces of words since the memory was written.

    std::uint32_t turn_ = 0;   // Latest turn that was told.
    std::uint32_t taken_ = 0;  // Latest turn whose input was taken in; part of the memory.
    std::uint32_t numbered_turn_ = 0;
    std::uint32_t next_sentence_ = 0;
    std::uint32_t skip_turn_ = 0;    // After a take-over: sentences of this turn ...
    std::uint32_t skip_before_ = 0;  // ... before this one are in the slot already.
    std::string keys_;
    std::optional<TimePoint> key_due_;
    std::optional<TimePoint> owed_until_;  // Of the answer owed; an apology is due then.
    std::optional<TimePoint> thinking_due_;
    bool owed_ = false;
    int failures_ = 0;  // Turns in a row that ended in an apology.
    int reprompts_ = 0;
    std::string last_key_;  // Of the caller's last words.
    TimePoint last_key_at_{};
    std::string last_said_;  // Our latest sentences, to know our own echo.
    TimePoint last_said_at_{};
    TimePoint pause_until_{};  // The breath before an answer.
    Leaving leaving_ = Leaving::no;
    std::uint32_t last_sentence_turn_ = 0;
    std::uint32_t last_sentence_ = 0;
    std::optional<TimePoint> leaving_due_;
    OperationPtr transfer_;
    std::uint64_t transfer_operation_ = 0;
};

}  // namespace agentlocator
