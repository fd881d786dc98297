#pragma once
// PayPal: Orders API v2. The payer approves an order on PayPal's page, we capture it. (PayPal docs: Orders v2,
// Webhooks.)
//
//   POST /v1/oauth2/token                            an access token, kept until shortly before it expires
//   POST /v2/checkout/orders                         PayPal-Request-Id: the payment's id, so that asking again is safe
//   GET  /v2/checkout/orders/ID                      CREATED, PAYER_ACTION_REQUIRED, APPROVED, COMPLETED ...
//   POST /v2/checkout/orders/ID/capture              the money
//   POST /v1/notifications/verify-webhook-signature  whether a notice is PayPal's
//
// A notice is proved by asking PayPal (its "postback" way) and not with the certificate that it names: one request to a
// host of our choosing instead of fetching, checking and keeping certificates from an address in the notice.
#include <map>
#include <string>

#include "worker/payments/payment_provider.hpp"

namespace agentlocator {

struct PayPalAccount {
    std::string url;  // Of the API.
    std::string client_id;
    std::string client_secret;
    std::string webhook_id;
    std::string ca_file;
    std::string return_base;  // PUBLIC_BASE_URL
};

// Access tokens by client id. One a thread.
class PayPalTokens {
public:
    static constexpr std::size_t accounts_max = 256;  // More are asked for again.
    [[nodiscard]] std::string find(const std::string& client_id, TimePoint now) const;
    void keep(const std::string& client_id, std::string token, TimePoint until);
    void forget(const std::string& client_id) { tokens_.erase(client_id); }

private:
    struct Token {
        std::string text;
        TimePoint until;
    };
    std::map<std::string, Token> tokens_;
};

class PayPal final : public PaymentProvider {
public:
    PayPal(PayPalAccount account, PaymentWorld& world, PayPalTokens& tokens)
        : account_(std::move(account)), world_(world), tokens_(tokens) {}

    [[nodiscard]] Result<Checkout> create(const PaymentRow& payment) override;
    [[nodiscard]] Result<PaymentNews> prove(const PaymentRow& payment, const HttpRequest& notice) override;
    [[nodiscard]] Result<PaymentNews> look(const PaymentRow& payment) override;

private:
    struct Answer {
        long status = 0;
        std::string body;
    };
    [[nodiscard]] Result<std::string> token();
    [[nodiscard]] Result<Answer> ask(const std::string& method, const std::string& path, const std::string& body = {},
                                     const std::string& request_id = {});
    [[nodiscard]] Result<void> prove_signature(const HttpRequest& notice);
    [[nodiscard]] Result<PaymentNews> capture(const PaymentRow& payment);

    const PayPalAccount account_;
    PaymentWorld& world_;
    PayPalTokens& tokens_;
};

// Which payment of ours a notice is about: the order's custom id, "BUSINESS:PAYMENT". Empty: none of ours.
struct NoticeSubject {
    std::int64_t business = 0;
    std::string payment{};
    std::string event_id{};
};
[[nodiscard]] Result<NoticeSubject> paypal_subject(const HttpRequest& notice);

}  // namespace agentlocator
