#pragma once
// The thread of the recogniser: utterances of all calls, each piece of audio as it comes. Recognition takes 1 to 3 % of
// real time, so that one thread keeps up with thirty callers who answer at once.
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "common/speech_message.hpp"
#include "speech/io/mailbox.hpp"
#include "speech/io/recogniser.hpp"
#include "speech/sentence_queue.hpp"

namespace agentlocator::speech {

struct RecogniserTask {
    enum class Kind : std::uint8_t { start, audio, finish, cancel } kind{};
    SentenceKey key;
    ListenRequest request;            // start
    std::vector<std::uint8_t> audio;  // mu-law
};

struct RecogniserReport {
    enum class Kind : std::uint8_t { opened, missing, partial, heard, failed } kind{};
    SentenceKey key;
    std::string text;  // partial, heard; the fault of missing and failed
};

class RecogniserThread {
public:
    RecogniserThread(const RecogniserOptions& options, Mailbox<RecogniserReport>& reports);
    ~RecogniserThread();
    RecogniserThread(const RecogniserThread&) = delete;
    RecogniserThread& operator=(const RecogniserThread&) = delete;

    void send(RecogniserTask task) { tasks_.send(std::move(task)); }

private:
    struct Utterance {
        std::unique_ptr<Recognition> recognition;
        std::size_t unread = 0;  // Bytes since the last look at the partial result.
        std::string partial;
    };
    void run(const RecogniserOptions& options);
    void perform(Recogniser& recogniser, RecogniserTask task);
    void look(SentenceKey key, Utterance& utterance, std::size_t bytes);

    Mailbox<RecogniserTask> tasks_;
    Mailbox<RecogniserReport>& reports_;
    std::map<SentenceKey, Utterance> utterances_;
    std::thread thread_;  // Last: it uses the rest.
};

}  // namespace agentlocator::speech
