#pragma once
// What the model may do besides talking: its tools, their arguments checked, their results in words it can use. Pure;
// the call carries the effect out.
#include <cstdint>
#include <string>
#include <vector>

#include "store/facts.hpp"
#include "worker/agent/dialogue.hpp"
#include "worker/agent/provider.hpp"

namespace agentlocator {

struct ToolContext {
    std::string caller;       // Its number, normalised; may be empty.
    std::int64_t now_ms = 0;  // Unix.
    std::int64_t utc_offset_minutes = 0;
    bool can_transfer = false;
};

struct ToolOutcome {
    enum class Effect : std::uint8_t { none, save_lead, book_meeting, transfer, hang_up };
    Effect effect = Effect::none;
    std::string result;          // JSON for the model.
    LeadSlots slots{};           // save_lead: what to add; book_meeting: name, phone, notes
    std::int64_t starts_at = 0;  // book_meeting, Unix ms.
    std::int64_t ends_at = 0;
    std::string reason{};  // transfer, hang_up
};

inline constexpr std::size_t tool_text_max = 500;  // Bytes of one argument.

[[nodiscard]] std::vector<ToolSpec> tool_specs(bool can_transfer);
// Never fails: what is wrong is told to the model, which can say it better.
[[nodiscard]] ToolOutcome run_tool(const ToolCall& call, const ToolContext& context);

// What is known of somebody, as a fact: name, notes and number in fields of their own, the rest as details. Channel,
// source, time and our number are the caller's to add.
[[nodiscard]] LeadFact lead_of(const LeadSlots& slots, const std::string& caller);

}  // namespace agentlocator
