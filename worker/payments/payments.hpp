#pragma once
// The routes of payments: request in, answer and facts out. On a payment thread, which may ask the database and the
// provider. The table of the original, in its order, and its words:
//
//   POST /api/crm/payments/create  {business_id, amount, currency?, provider?}; the admin token
//     400 malformed            501 PAYMENTS_ENABLED is off    404 no such business    403 not allowed to this business
//     501 its provider is not set up                          200 {ok:true, payment_id, note, order_id + approve_url |
//     redirect_url}            202 {ok:false, payment_id, note}: the provider failed
//   GET  /api/payments  /api/payments/ID   the admin token
//
// Open to everybody, because the callers know no token; each is proved by the provider (payment_provider.hpp):
//   POST /api/crm/webhook/paypal           GET, POST /api/crm/webhook/tranzila
//     204 stored, known already, or not ours    403 forged    503 not provable or not storable now: it is sent again
//   GET  /api/crm/payments/paypal/return, cancel; GET, POST /api/crm/payments/tranzila/return/success, fail
//     200 paid    202 being checked    400 declined or cancelled    204 not ours, or payments are off
#include <string>
#include <string_view>

#include "common/config.hpp"
#include "common/http_message.hpp"
#include "store/database.hpp"
#include "worker/payments/payment_provider.hpp"
#include "worker/payments/paypal.hpp"
#include "worker/web_context.hpp"

namespace agentlocator {

// Who may ask a path below /api.
enum class PaymentAccess : std::uint8_t { none, token, everybody };
[[nodiscard]] PaymentAccess payment_access(std::string_view path);

struct PaymentContext {
    const Settings& settings;
    PaymentWorld& world;
    PayPalTokens& tokens;
    Database* database = nullptr;  // Null: it cannot be reached now.
    std::int64_t now_ms = 0;
    std::string random_id{};  // For a payment without an idempotency key.
};

[[nodiscard]] RouteResult payments_answer(const HttpRequest& request, std::string_view path, PaymentContext& context);

// Looks up one open payment (store/payments: take_open_payments) and stores what became of it; lines for the log.
[[nodiscard]] std::vector<std::string> settle_payment(const PaymentRow& payment, PaymentContext& context);

}  // namespace agentlocator
