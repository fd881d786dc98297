#pragma once
// Messages of one call to the media thread, kept while the queue between the threads is full. In order.
#include <deque>
#include <string>
#include <string_view>

#include "worker/agent/agent_message.hpp"

namespace agentlocator {

class Outbox {
public:
    // So many bytes may wait before the voice pauses: two seconds of speech.
    static constexpr std::size_t bytes_high = 16'000;

    Outbox(std::uint32_t slot, std::uint64_t call) : slot_(slot), call_(call) {}

    void add(FromAgent kind, std::uint32_t turn, std::uint32_t sentence = 0, std::string_view payload = {},
             std::int64_t value = 0) {
        bytes_ += payload.size();
        waiting_.push_back({kind, turn, sentence, value, std::string(payload)});
    }
    // False: the queue is full, try again soon.
    [[nodiscard]] bool flush(AgentOutput& output) {
        while (!waiting_.empty()) {
            const Waiting& next = waiting_.front();
            FromAgentMessage message;
            message.kind = next.kind;
            message.slot = slot_;
            message.call = call_;
            message.turn = next.turn;
            message.sentence = next.sentence;
            message.value = next.value;
            message.payload = next.payload;
            if (!output.tell(message)) {
                return false;
            }
            bytes_ -= next.payload.size();
            waiting_.pop_front();
        }
        return true;
    }
    [[nodiscard]] bool is_high() const { return bytes_ >= bytes_high; }
    [[nodiscard]] bool empty() const { return waiting_.empty(); }
    // What was not told yet of speech that nobody will hear; what the media thread must know stays.
    void drop_speech() {
        std::erase_if(waiting_, [&](const Waiting& waiting) {
            const bool speech = waiting.kind == FromAgent::speech || waiting.kind == FromAgent::sentence_done;
            bytes_ -= speech ? waiting.payload.size() : 0;
            return speech;
        });
    }

private:
    struct Waiting {
        FromAgent kind;
        std::uint32_t turn;
        std::uint32_t sentence;
        std::int64_t value;
        std::string payload;
    };
    std::uint32_t slot_;
    std::uint64_t call_;
    std::deque<Waiting> waiting_;
    std::size_t bytes_ = 0;
};

}  // namespace agentlocator
