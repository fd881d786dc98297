#pragma once
// Answers the messages that wait in the store, by the agent in writing: leases them, asks the model or the script, and
// stores the answer as a message to be sent, with everything that came of it, in one transaction. The answer's id is
// made from the message's: however often and by whomever it is answered, one answer is sent. A model is waited for on
// this thread's loop, so several people are answered at once; a person's messages one after the other.
#include <atomic>
#include <functional>
#include <list>
#include <memory>
#include <string>
#include <thread>

#include "common/config.hpp"
#include "common/io/event_loop.hpp"
#include "common/io/mailbox.hpp"
#include "common/message_metrics.hpp"
#include "store/inbox.hpp"
#include "store/io/open_database.hpp"
#include "worker/agent/io/agent_thread.hpp"
#include "worker/agent/text_agent.hpp"
#include "worker/agent/voice_note.hpp"

namespace agentlocator {

struct AnswerThreadParts {
    DatabaseAddress database;
    std::string owner;  // Unique to this process.
    AgentFiles files;
    MessageMetrics& metrics;                 // Of the installation.
    std::function<void()> on_answer;         // A message to be sent is in the store. On this thread.
    std::function<void(std::string)> say{};  // Lines for the log; must not block.
};

class AnswerThread {
public:
    static constexpr auto look_every = std::chrono::seconds(1);  // For what other workers left.
    // Longer than a voice note (50 s) and four rounds of tools take.
    static constexpr auto lease = std::chrono::seconds(180);
    static constexpr std::size_t answers_at_once = 8;  // People waiting for a model at the same time.

    // `settings` outlive it.
    AnswerThread(const Settings& settings, AnswerThreadParts parts);
    ~AnswerThread();
    AnswerThread(const AnswerThread&) = delete;
    AnswerThread& operator=(const AnswerThread&) = delete;

    void wake() { wake_.wake(); }  // A message was stored. Any thread.

private:
    struct Running {
        InboxJob job;
        PersonRecord record;
        PersonaPtr persona;
        std::unique_ptr<VoiceNote> note;   // While it is being understood ...
        std::string heard;                 // ... what it says ...
        std::unique_ptr<TextAgent> agent;  // ... and then, or at once.
    };
    // What answers are made with, on the thread's loop.
    struct Tools {
        AgentServices& services;
        VoiceNote::Transcribers transcribers;
        MediaSource& media;
    };
    void run();
    void work(Tools& tools, std::list<Running>& running);
    [[nodiscard]] bool take_more(Tools& tools, std::list<Running>& running);
    void begin(Tools& tools, Running& one);
    void ask_agent(Tools& tools, Running& one);
    [[nodiscard]] bool is_over(Tools& tools, Running& one);
    void postpone(Database& database, const InboxJob& job);
    void settle(Database& database, const Running& one);
    [[nodiscard]] Database* database();

    const Settings& settings_;
    const AnswerThreadParts parts_;
    Mailbox<int> wake_{1};
    std::atomic<bool> stopping_{false};
    std::unique_ptr<Database> database_;
    std::thread thread_;
};

}  // namespace agentlocator
