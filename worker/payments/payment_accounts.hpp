#pragma once
// Whose account a payment goes to: the business's own where it has one, else the installation's. Never a mixture: a
// business with a client id of its own and no secret has no account. Pure but for the database.
#include <memory>

#include "worker/payments/payments.hpp"

namespace agentlocator {

struct OpenedAccount {
    std::unique_ptr<PaymentProvider> provider;  // Null: it is not set up; `missing` says what.
    std::string missing{};
};
// `provider`: paypal or tranzila. Error: the database.
[[nodiscard]] Result<OpenedAccount> open_account(const PaymentContext& context, std::int64_t business,
                                                 std::string_view provider);

}  // namespace agentlocator
