#pragma once
// What was said in a call, as the model will be told it: only what the caller really heard. Pure.
//
// Our sentences enter when they are handed to the media thread. An interruption cuts the one that was playing to the
// words that were heard and removes those behind it; an answer that never came out is removed by the next one.
#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "worker/agent/provider.hpp"

namespace agentlocator {

struct HistoryItem {
    enum class Kind : std::uint8_t { caller, agent, tool_calls, tool_result };
    Kind kind{};
    std::uint32_t turn = 0;
    std::uint32_t sentence = 0;     // agent
    std::string text{};             // tool_result: JSON
    std::int64_t ms = 0;            // agent: length of its audio; 0: not synthesised yet.
    bool heard = false;             // agent: settled, played whole or cut.
    std::string call_id{};          // tool_result
    std::vector<ToolCall> tools{};  // tool_calls

    friend bool operator==(const HistoryItem& a, const HistoryItem& b);
};

class CallHistory {
public:
    static constexpr std::size_t items_max = 120;  // Half an hour of conversation; the oldest leave first.

    // In front of what was answered already: a speech-to-speech service writes down late what the caller said.
    void add_caller(std::uint32_t turn, std::string text);
    void add_sentence(std::uint32_t turn, std::uint32_t sentence, std::string text);
    void add_tools(std::uint32_t turn, std::vector<ToolCall> tools);
    void add_tool_result(std::uint32_t turn, std::string call_id, std::string json);

    void synthesised(std::uint32_t turn, std::uint32_t sentence, std::string_view text, std::int64_t ms);
    void heard(std::uint32_t turn, std::uint32_t sentence);
    void interrupted(std::uint32_t turn, std::uint32_t sentence, std::int64_t heard_ms);
    // Removes our sentences that were never settled as heard: nobody will play them any more.
    void drop_unheard();
    // Removes those of this turn from `sentence` on.
    void drop_sentences_from(std::uint32_t turn, std::uint32_t sentence);

    [[nodiscard]] std::vector<HistoryItem> sentences_from(std::uint32_t turn, std::uint32_t sentence) const;
    [[nodiscard]] std::string said_in(std::uint32_t turn) const;
    [[nodiscard]] bool has_caller(std::uint32_t turn) const;
    // One message for each run of sentences; tool calls with all their results, never one without the other.
    [[nodiscard]] std::vector<ChatMessage> messages(std::string_view system) const;
    [[nodiscard]] const std::vector<HistoryItem>& items() const { return items_; }
    [[nodiscard]] bool empty() const { return items_.empty(); }
    void drop_oldest();

    [[nodiscard]] nlohmann::json save() const;
    void restore(const nlohmann::json& state);  // What does not fit is left out.

private:
    void add(HistoryItem item);
    void trim();
    [[nodiscard]] HistoryItem* find(std::uint32_t turn, std::uint32_t sentence);

    std::vector<HistoryItem> items_;
};

}  // namespace agentlocator
