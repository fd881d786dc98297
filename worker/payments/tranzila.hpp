#pragma once
// Tranzila: the payer is sent to the terminal's payment page (DirectNG), which tells our notify address how it ended.
//
// Tranzila signs nothing of what it tells there, and the payer sees and may change everything in the page's address.
// So:
//   - the notify address carries our own signature over payment, amount and currency: a notice without it costs
//   nothing;
//   - what it names is looked up in Tranzila's reports, by a request that we sign (Tranzila docs: Authentication), and
//     the payment is paid only if that transaction was approved, is a charge, and carries our payment's id;
//   - the amount there must be ours to the last agora, else the payment is a mismatch (store/apply).
// The id travels in the field `ordernum`, which must be set up as a user-defined field of the terminal.
#include <string>

#include "worker/payments/payment_provider.hpp"

namespace agentlocator {

struct TranzilaAccount {
    std::string page_url;
    std::string report_url;
    std::string terminal;
    std::string app_key;
    std::string secret;
    std::string ca_file;
    std::string return_base;  // PUBLIC_BASE_URL
};

class Tranzila final : public PaymentProvider {
public:
    Tranzila(TranzilaAccount account, PaymentWorld& world) : account_(std::move(account)), world_(world) {}

    // Asks nobody: the page is an address. refused: Tranzila takes no such currency.
    [[nodiscard]] Result<Checkout> create(const PaymentRow& payment) override;
    // Of the notice only the signature is judged here; bind the transaction it names, then look.
    [[nodiscard]] Result<PaymentNews> prove(const PaymentRow& payment, const HttpRequest& notice) override;
    // Of the transaction that the payment is bound to.
    [[nodiscard]] Result<PaymentNews> look(const PaymentRow& payment) override;

private:
    [[nodiscard]] std::string signature(const PaymentRow& payment) const;

    const TranzilaAccount account_;
    PaymentWorld& world_;
};

// What a notice, or the payer's browser on its way back, says: in the query that we wrote and the form that Tranzila
// did. `index` is the transaction.
struct TranzilaNotice {
    std::int64_t business = 0;
    std::string payment{};
    std::string signature{};
    std::string index{};
};
[[nodiscard]] TranzilaNotice read_tranzila_notice(const HttpRequest& notice);

}  // namespace agentlocator
