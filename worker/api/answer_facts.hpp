#pragma once
// An answer of the agent, as facts for the store. Pure.
#include <string>
#include <vector>

#include "store/facts.hpp"
#include "store/inbox.hpp"
#include "worker/agent/text_agent.hpp"
#include "worker/agent/voice_note.hpp"

namespace agentlocator {

// The id of the answer to a message: the same however often it is answered, so that one is sent.
[[nodiscard]] std::string answer_id(const InboxJob& job);

// The message to be sent, on the road the other came; leads and meetings.
[[nodiscard]] std::vector<Fact> facts_of_answer(const InboxJob& job, const TextAnswer& answer, std::int64_t now_ms);

// What the agent is asked. `heard`: what the message's voice note says.
[[nodiscard]] TextQuestion question_of(const InboxJob& job, const PersonRecord& record, const std::string& heard = {});

// The recording that a message is; without an address: it is none. The language is the asker's to add.
[[nodiscard]] VoiceNote::Wanted voice_note_of(const InboxJob& job);

// When a message is looked at again after no model answered.
[[nodiscard]] std::int64_t answer_pause_ms(std::int64_t attempts);

}  // namespace agentlocator
