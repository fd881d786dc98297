#pragma once
// What is remembered, as facts: "this call was answered", "the caller said this". A fact is told once, spooled, and
// applied to the database one or more times, in any order, by any worker: applying is idempotent and commutative, by
// natural keys (store/apply). So a fact carries what it knows and leaves the rest empty; 0 and "" mean "not known
// here". Times are milliseconds since 1970, UTC.
#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "common/result.hpp"

namespace agentlocator {

// One call. Key: call_sid.
struct CallFact {
    std::string call_sid{};
    std::string from{};
    std::string to{};         // The called number: it decides whose call this is.
    std::string direction{};  // "inbound", "outbound-api"
    std::string status{};     // As Twilio names it: initiated, ringing, in-progress, completed, busy ...
    std::string stream_sid{};
    std::string mode{};        // AI, ECHO, SINK
    std::string end_reason{};  // "stop", "closed", "peer_gone" ...
    std::int64_t started_at = 0;
    std::int64_t stream_started_at = 0;
    std::int64_t ended_at = 0;
    std::int64_t duration_s = 0;  // Twilio's figure.
    std::int64_t frames_in = 0;
    std::int64_t frames_out = 0;
    std::int64_t stream_rank = 0;  // store/last_stream.hpp; the highest counts.
};

// One side of one turn. Key: call_sid, turn, speaker. The later `said_at` replaces the earlier: an answer that was cut
// short is told again with what was really heard.
struct TurnFact {
    std::string call_sid{};
    std::int64_t turn = 0;
    std::string speaker{};  // "caller" or "agent"
    std::string text{};
    std::int64_t said_at = 0;
    std::int64_t interrupted = 0;  // 1: the caller cut in; `text` is what he heard.
    // The latency record: milliseconds from the caller's last voice, 0 unknown.
    std::int64_t end_of_turn_ms = 0;  // ... to the decision that he is done
    std::int64_t stt_ms = 0;          // ... to the text
    std::int64_t llm_ms = 0;          // ... to the first word
    std::int64_t tts_ms = 0;          // ... to the first audio
    std::int64_t heard_ms = 0;        // ... to the first audio at the caller
    std::string providers{};          // "stt=embedded llm=openai tts=embedded"
};

// A person who may buy. Key: business, phone. Empty texts change nothing.
struct LeadFact {
    std::int64_t business = 0;  // 0: the business of `to`.
    std::string to{};           // Our number that was called or written to.
    std::string channel{};      // "voice" or "whatsapp": what kind of number `to` is.
    std::string phone{};        // As it came; normalised when applied.
    std::string source{};       // "call", "whatsapp"
    std::string external_id{};  // The call or message it came from.
    std::string name{};
    std::string email{};
    std::string status{};   // new, attempting, contacted, qualified, won, lost, unqualified
    std::string notes{};    // Replaces.
    std::string details{};  // JSON object: area, property, budget, timing ...
    std::int64_t seen_at = 0;
};

// Key: business, phone, starts_at.
struct AppointmentFact {
    std::int64_t business = 0;
    std::string to{};
    std::string channel{};
    std::string phone{};
    std::string call_sid{};
    std::string title{};
    std::string notes{};
    std::string status{};  // booked, cancelled
    std::int64_t starts_at = 0;
    std::int64_t ends_at = 0;
    std::int64_t told_at = 0;  // The later replaces.
};

// Twilio's recording of a call. Key: recording_sid.
struct RecordingFact {
    std::string recording_sid{};
    std::string call_sid{};
    std::string url{};
    std::string status{};
    std::int64_t duration_s = 0;
    std::int64_t recorded_at = 0;
};

// A message that came in. Key: provider, message_id: a second copy changes nothing.
struct MessageInFact {
    std::string provider{};  // "baileys", "twilio"
    std::string message_id{};
    std::string to{};       // Our number.
    std::string from{};     // Telephone number as it came; may be empty when only an address is known.
    std::string address{};  // Where an answer goes: the provider's own address (JID, whatsapp:+...).
    std::string name{};
    std::string kind{};  // text, image, audio, location ...
    std::string text{};
    std::string media{};  // JSON array of {"url","mime"}
    std::int64_t sent_at = 0;
    std::int64_t stored_at = 0;
    std::int64_t business = 0;  // 0: the business of `to`.
    std::int64_t arrival = 0;   // Order of messages stored at the same time.
    std::int64_t answer = 0;    // 1: a person waits for an answer; 0: history, own message, group.
};

// A message to be sent. Key: id, which is made from the idempotency key: a second copy changes nothing.
struct MessageOutFact {
    std::string id{};
    std::string body_hash{};  // Of what was asked for under the key, to refuse the key for something else.
    std::int64_t business = 0;
    std::string from{};      // Our number; empty: the provider's only one.
    std::string to{};        // E.164
    std::string provider{};  // "baileys", "twilio", "auto"
    std::string text{};
    std::string media_url{};
    std::string in_reply_to{};  // The inbound message this answers.
    std::int64_t asked_at = 0;
};

// What became of a message we sent. Key: provider, provider_id. Never moves a status backwards.
struct MessageStatusFact {
    std::string id{};  // Ours, when known.
    std::string provider{};
    std::string provider_id{};
    std::string status{};  // accepted, sent, delivered, read, failed
    std::string error{};
    std::int64_t at = 0;
};

// A payment provider's notice, as it came. Key: provider, event_id.
struct PaymentEventFact {
    std::string provider{};
    std::string event_id{};
    std::string payment_id{};
    std::string status{};  // paid, failed, "" when it does not change the payment
    std::string payload{};
    std::int64_t amount = 0;  // Minor units.
    std::string currency{};
    std::int64_t at = 0;
};

using Fact = std::variant<CallFact, TurnFact, LeadFact, AppointmentFact, RecordingFact, MessageInFact, MessageOutFact,
                          MessageStatusFact, PaymentEventFact>;

// Longest text of one field; longer ones are cut at a whole character, and so is what is not UTF-8 replaced. A
// WhatsApp message has 65 536 characters at most.
inline constexpr std::size_t fact_text_bytes_max = 262'144;

// JSON text, one object: {"kind":"turn", ...}; fields that are empty are left out.
[[nodiscard]] std::string to_json(const Fact& fact);
// Unknown keys are ignored and unknown kinds refused, so that a spool survives a roll-back of the build.
[[nodiscard]] Result<Fact> fact_from_json(std::string_view text);
[[nodiscard]] std::string_view kind_of(const Fact& fact);

}  // namespace agentlocator
