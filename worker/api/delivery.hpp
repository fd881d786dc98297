#pragma once
// How a message of the outbox is delivered: which provider, what its answer means, when it is tried again. Pure.
//
//   leased --choose--> baileys or twilio --answer--> accepted | refused | again (later) | unknown (look first, then
//   again)
//
// A message that a provider may have taken stays with that provider: the bridge knows it by our id, Twilio is asked
// whether it has it. Only a provider that certainly did not take it is left for the other one.
#include <optional>
#include <string>
#include <string_view>

#include "common/config.hpp"
#include "store/messages.hpp"

namespace agentlocator {

enum class WhatsAppProvider : std::uint8_t { baileys, twilio };
[[nodiscard]] std::string_view to_string(WhatsAppProvider provider);

struct ProvidersNow {
    bool baileys = false;  // The bridge runs and its link is open.
    bool twilio = false;   // Account, token and a number are set.
};

// `auto`: within a day of the person's last message the bridge if it can send, else Twilio; after that Twilio, because
// unasked messages are what WhatsApp restricts private accounts for; whatever there is when only one is set up.
// Nothing: none can take it now.
[[nodiscard]] std::optional<WhatsAppProvider> choose_provider(const OutboxJob& job, ProvidersNow now,
                                                              std::int64_t now_ms);

struct DeliveryOutcome {
    enum class Kind : std::uint8_t { accepted, refused, again, unknown } kind = Kind::again;
    std::string provider_id;
    std::string error;
};

// The bridge's answer to POST /v1/messages; status 0: no answer. Every attempt carries our id, so trying again is safe.
[[nodiscard]] DeliveryOutcome read_bridge_answer(long status, std::string_view body);
// Twilio's answer to POST Messages.json. `sent`: the request may have reached it. It knows no idempotency key.
[[nodiscard]] DeliveryOutcome read_twilio_answer(long status, std::string_view body, bool sent);
// Ids of the messages in Twilio's list that may be this one: outbound, with the same text. Which of them belongs to
// another message of the outbox (the same words said twice) only the store knows.
[[nodiscard]] std::vector<std::string> candidates_in_twilio_list(std::string_view body, const OutboxJob& job);

[[nodiscard]] std::string bridge_body(const OutboxJob& job);
// Form of POST Messages.json. `from` is the number to send from, `callback` may be empty.
[[nodiscard]] std::string twilio_form(const OutboxJob& job, const std::string& from, const std::string& callback);

// Which of Twilio's messages to look through: to and from these numbers, since the day it was asked for.
[[nodiscard]] std::string twilio_list_query(const OutboxJob& job, const std::string& from);

inline constexpr std::int64_t delivery_attempts_max = 12;  // With the pauses below: about an hour.
[[nodiscard]] std::int64_t delivery_pause_ms(std::int64_t attempts);
// While the one provider a message may take cannot, and it has waited so long: soon, so that one that is back is used,
// and not too often, because a phone may stay unlinked for days.
[[nodiscard]] std::int64_t nobody_pause_ms(std::int64_t waited_ms);

}  // namespace agentlocator
