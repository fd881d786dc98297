#include "speech/io/engine_thread.hpp"

#include <utility>

namespace agentlocator::speech {

EngineThread::EngineThread(const VoiceOptions& options, Mailbox<EngineReport>& reports)
    : reports_(reports), thread_([this, options] { run(options); }) {}

EngineThread::~EngineThread() {
    stop();
    clauses_.close();
    thread_.join();
}

void EngineThread::speak(Clause clause) {
    stop_.store(false, std::memory_order_relaxed);
    clauses_.send(std::move(clause));
}

void EngineThread::run(const VoiceOptions& options) {
    auto engine = open_synthesis_engine(options);
    if (!engine) {
        reports_.send({EngineReport::Kind::missing, {}, engine.error().detail});
        return;
    }
    reports_.send({EngineReport::Kind::opened, {}, {}});
    while (const auto clause = clauses_.receive()) {
        speak(**engine, *clause);
    }
}

void EngineThread::speak(SynthesisEngine& engine, const Clause& clause) {
    const auto spoken = engine.speak(clause, [this](std::span<const std::uint8_t> audio) {
        if (stop_.load(std::memory_order_relaxed)) {
            return false;
        }
        if (!audio.empty()) {
            reports_.send({EngineReport::Kind::audio, {audio.begin(), audio.end()}, {}});
        }
        return true;
    });
    if (spoken) {
        reports_.send({EngineReport::Kind::done, {}, {}});
    } else {
        reports_.send({EngineReport::Kind::failed, {}, spoken.error().detail});
    }
}

}  // namespace agentlocator::speech
