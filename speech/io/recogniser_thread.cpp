#include "speech/io/recogniser_thread.hpp"

#include <utility>

namespace agentlocator::speech {
namespace {

constexpr std::size_t partial_bytes = 1600;  // 200 ms: a look costs a walk through the search's history.

}  // namespace

RecogniserThread::RecogniserThread(const RecogniserOptions& options, Mailbox<RecogniserReport>& reports)
    : reports_(reports), thread_([this, options] { run(options); }) {}

RecogniserThread::~RecogniserThread() {
    tasks_.close();
    thread_.join();
}

void RecogniserThread::run(const RecogniserOptions& options) {
    const auto recogniser = open_recogniser(options);
    if (!recogniser) {
        reports_.send({RecogniserReport::Kind::missing, {}, recogniser.error().detail});
        return;
    }
    reports_.send({RecogniserReport::Kind::opened, {}, {}});
    while (auto task = tasks_.receive()) {
        perform(**recogniser, std::move(*task));
    }
    utterances_.clear();  // Before the recogniser that owns their decoders.
}

void RecogniserThread::perform(Recogniser& recogniser, RecogniserTask task) {
    if (task.kind == RecogniserTask::Kind::start) {
        auto started = recogniser.start(task.request);
        if (started) {
            utterances_[task.key].recognition = std::move(*started);
        } else {
            reports_.send({RecogniserReport::Kind::failed, task.key, started.error().detail});
        }
        return;
    }
    const auto found = utterances_.find(task.key);
    if (found == utterances_.end()) {
        return;
    }
    if (task.kind == RecogniserTask::Kind::audio) {
        found->second.recognition->audio(task.audio);
        look(task.key, found->second, task.audio.size());
        return;
    }
    if (task.kind == RecogniserTask::Kind::finish) {
        reports_.send({RecogniserReport::Kind::heard, task.key, found->second.recognition->finish()});
    }
    utterances_.erase(found);
}

void RecogniserThread::look(SentenceKey key, Utterance& utterance, std::size_t bytes) {
    utterance.unread += bytes;
    if (utterance.unread < partial_bytes) {
        return;
    }
    utterance.unread = 0;
    std::string partial = utterance.recognition->partial();
    if (partial != utterance.partial && !partial.empty()) {
        reports_.send({RecogniserReport::Kind::partial, key, partial});
    }
    utterance.partial = std::move(partial);
}

}  // namespace agentlocator::speech
