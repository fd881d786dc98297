#pragma once
// WhatsApp webhooks: a message that came in, and what became of one we sent. All acknowledge (204) what is durable, and
// answer 503 when it cannot be stored. What a person wrote is answered by the agent, through the outbox. Pure.
//
//   twilio, inbound, status   Twilio's, signed (the router has checked). inbound answers with TwiML that says nothing
//   baileys, incoming         of a bridge of the old kind (ours is pulled): JSON, proved by X-BAILEYS-SIGNATURE (hex
//                             HMAC-SHA256 of the body), X-BAILEYS-SECRET or X-Internal-Secret, each with
//                             BAILEYS_SECRET. The original refused every message: its bridge sent the one proof, its
//                             handler wanted the other (F-47). Without a secret nobody gets in.
#include "worker/webhook.hpp"

namespace agentlocator {

[[nodiscard]] RouteResult whatsapp_from_twilio(const WebRequest& request);
[[nodiscard]] RouteResult whatsapp_inbound(const WebRequest& request);
[[nodiscard]] RouteResult whatsapp_status(const WebRequest& request);
[[nodiscard]] RouteResult whatsapp_from_bridge(const WebRequest& request);
[[nodiscard]] RouteResult whatsapp_batch_from_bridge(const WebRequest& request);

inline constexpr std::size_t webhook_messages_max = 100;  // In one batch of an old bridge: it sends them one by one.

// Stripe was removed long ago; who still asks is told so for good.
[[nodiscard]] RouteResult stripe_gone(const WebRequest& request);

}  // namespace agentlocator
