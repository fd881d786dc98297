#pragma once
// The door to a payment provider. Behind it: PayPal (paypal.hpp) and Tranzila (tranzila.hpp). A provider decides what
// to ask and what an answer means; asking itself is handed in (PaymentWorld), so that all of it is tested without a
// socket. Calls wait for answers: on the payment threads only (io/payment_thread).
//
//   create ──> where the payer pays ──> notice ── prove ──> news      an event of the provider, once each
//                                   └─> look ─────────────> news      when the payer comes back, or nothing came
//
// What a notice or a payer's browser says is never believed by itself: the provider is asked.
#include <functional>
#include <string>

#include "common/http_message.hpp"
#include "common/result.hpp"
#include "common/time.hpp"
#include "store/payments.hpp"
#include "worker/api/io/http_call.hpp"

namespace agentlocator {

struct PaymentWorld {
    std::function<HttpReply(const WaitingHttpCall&)> send;
    std::function<TimePoint()> now;
    std::function<std::int64_t()> unix_ms;
    std::function<std::string()> nonce;  // 80 random hex digits.
};

// Where the payer is sent.
struct Checkout {
    std::string provider_id{};  // Empty: there is none yet.
    std::string url{};
};

// What the provider says of a payment. `status` empty: nothing that changes it.
struct PaymentNews {
    std::string event_id{};
    std::string status{};  // pending, failed, paid, refunded
    std::int64_t amount = 0;
    std::string currency{};
    std::string payload{};  // The provider's words, for a person to read.
};

// Errors: refused - the provider says no, or the notice is forged; io - no answer to be had now, try again;
// bad_config - a setting is missing, the detail names it.
class PaymentProvider {
public:
    virtual ~PaymentProvider() = default;
    // Asked twice for the same payment, it is the same order.
    [[nodiscard]] virtual Result<Checkout> create(const PaymentRow& payment) = 0;
    // Proves that the notice is the provider's, and says what it means.
    [[nodiscard]] virtual Result<PaymentNews> prove(const PaymentRow& payment, const HttpRequest& notice) = 0;
    // What became of it. Takes the money that a payer has approved.
    [[nodiscard]] virtual Result<PaymentNews> look(const PaymentRow& payment) = 0;

protected:
    PaymentProvider() = default;
    PaymentProvider(const PaymentProvider&) = default;
    PaymentProvider& operator=(const PaymentProvider&) = default;
};

inline constexpr std::size_t payment_payload_bytes_max = 16'384;  // A capture with all its parts has 3 kB.
// One request to a provider; a handful of them must fit into what a client waits for its answer.
inline constexpr Duration payment_call_max = std::chrono::seconds(10);

}  // namespace agentlocator
