#pragma once
// What the bridge tells (docs/bridge-api.md, "Receiving: events"), as facts for the store. Pure.
//
// Answered is what a person wrote to us alone, lately: never what the owner wrote himself on his phone, a group, or
// what lay at WhatsApp for longer than a day. A second copy changes nothing: the event's id is the key.
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "common/message_metrics.hpp"
#include "common/result.hpp"
#include "store/facts.hpp"

namespace agentlocator {

// Older than that nobody waits for an answer any more, and an unasked message is what accounts are blocked for.
inline constexpr std::int64_t answer_age_ms_max = 86'400'000;

struct BridgeEvents {
    std::vector<Fact> facts{};             // In the order of the events.
    std::int64_t next = 0;                 // To be acknowledged once the facts are stored,
    std::int64_t before = 0;               // where this was acknowledged already.
    bool messages = false;                 // Somebody waits for an answer.
    std::uint64_t received = 0;            // Messages.
    std::vector<Unanswered> unanswered{};  // Why so many of them are not answered.
};

// The body of GET /v1/events. Events of kinds we do not know are passed over; error bad_message: not such a body.
[[nodiscard]] Result<BridgeEvents> read_bridge_events(std::string_view body, std::int64_t now_ms);

}  // namespace agentlocator
