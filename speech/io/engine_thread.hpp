#pragma once
// The thread of the synthesiser: one clause at a time, reports in a mailbox. The engine lives and dies on this thread.
#include <atomic>
#include <cstdint>
#include <string>
#include <thread>
#include <vector>

#include "speech/io/mailbox.hpp"
#include "speech/io/synthesis_engine.hpp"

namespace agentlocator::speech {

struct EngineReport {
    enum class Kind : std::uint8_t { opened, missing, audio, done, failed } kind{};
    std::vector<std::uint8_t> audio;  // mu-law
    std::string fault;                // missing, failed
};

class EngineThread {
public:
    EngineThread(const VoiceOptions& options, Mailbox<EngineReport>& reports);
    ~EngineThread();
    EngineThread(const EngineThread&) = delete;
    EngineThread& operator=(const EngineThread&) = delete;

    // Only when the last clause is done or failed.
    void speak(Clause clause);
    // The clause in hand ends within one block of 60 ms of speech, which is 0.1 ms of work; done is reported.
    void stop() { stop_.store(true, std::memory_order_relaxed); }

private:
    void run(const VoiceOptions& options);
    void speak(SynthesisEngine& engine, const Clause& clause);

    Mailbox<Clause> clauses_;
    Mailbox<EngineReport>& reports_;
    std::atomic<bool> stop_ = false;
    std::thread thread_;  // Last: it uses the rest.
};

}  // namespace agentlocator::speech
