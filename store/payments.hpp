#pragma once
// Payments as they are asked for, looked up and listed. Amounts are integers in minor units (agorot, cents). What a
// provider tells of one comes as a fact (PaymentEventFact), kept once for each of its events.
#include <optional>
#include <string>

#include "store/queries.hpp"
#include "store/table.hpp"

namespace agentlocator {

struct PaymentRow {
    std::string id{};
    std::int64_t business = 0;
    std::string provider{};
    std::int64_t amount = 0;
    std::string currency{};
    std::string status{};       // created, pending, mismatch, failed, paid, refunded
    std::string provider_id{};  // The provider's own: PayPal's order, Tranzila's transaction.
    std::string url{};          // Where the payer pays.
    std::string note{};
    std::int64_t created_at = 0;

    friend bool operator==(const PaymentRow&, const PaymentRow&) = default;
};

// False: there is one with this id already; nothing was changed.
[[nodiscard]] Result<bool> add_payment(Database& database, const PaymentRow& payment);
[[nodiscard]] Result<std::optional<PaymentRow>> find_payment(Database& database, const std::string& id);

// What the provider answered to the request for it. Never takes a status back.
struct PaymentAnswer {
    std::string provider_id{};  // Empty: unchanged. So is an empty url.
    std::string url{};
    std::string note{};
    bool refused = false;  // For good: the payment failed.
};
[[nodiscard]] Result<void> note_payment_answer(Database& database, const std::string& id, const PaymentAnswer& answer,
                                               std::int64_t now_ms);

// Binds a payment to the provider's transaction; a later one replaces one that did not pay. False: the transaction is
// another payment's, or this one is paid by another.
[[nodiscard]] Result<bool> bind_payment(Database& database, const PaymentRow& payment, const std::string& provider_id,
                                        std::int64_t now_ms);

[[nodiscard]] Result<bool> is_payment_event_known(Database& database, const std::string& provider,
                                                  const std::string& event_id);

// Payments that nothing final is known of, and that are to be looked up again: after a minute, then ever more rarely,
// for three days (as long as PayPal repeats its webhooks). Marks them as looked at now.
[[nodiscard]] Result<std::vector<PaymentRow>> take_open_payments(Database& database, std::int64_t now_ms,
                                                                 std::int64_t limit);
inline constexpr std::int64_t payment_look_first_ms = 60'000;
inline constexpr std::int64_t payment_open_ms = 3 * 86'400'000LL;

[[nodiscard]] Result<Table> list_payments(Database& database, const Page& page);
// The events of one payment, oldest first.
[[nodiscard]] Result<Table> list_payment_events(Database& database, const std::string& id);

}  // namespace agentlocator
