#pragma once
// Twilio's WhatsApp webhooks (signed; the router has checked): a message that came in, and what became of one we sent.
// Both acknowledge (204) what is durable, and answer 503 when it cannot be stored: then Twilio asks its fallback URL.
// Pure.
#include "worker/webhook.hpp"

namespace agentlocator {

[[nodiscard]] RouteResult whatsapp_from_twilio(const WebRequest& request);
[[nodiscard]] RouteResult whatsapp_status(const WebRequest& request);

// Stripe was removed long ago; who still asks is told so for good.
[[nodiscard]] RouteResult stripe_gone(const WebRequest& request);

}  // namespace agentlocator
