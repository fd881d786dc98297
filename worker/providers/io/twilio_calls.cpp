#include "worker/providers/io/twilio_calls.hpp"

#include "worker/providers/io/operation_timer.hpp"
#include "worker/providers/provider_limits.hpp"

namespace agentlocator {
namespace {

constexpr Duration answer_max = std::chrono::seconds(5);  // The caller is waiting in silence.

}  // namespace

class TwilioCalls::Order final : private HttpListener {
public:
    Order(TwilioCalls& owner, std::uint64_t id, HttpCall call, Done done)
        : owner_(owner),
          id_(id),
          done_(std::move(done)),
          timer_(owner.client_.loop()),
          transfer_(owner.client_.start(std::move(call), *this, document_bytes_max)) {
        timer_.arm(Clock::now() + answer_max, [this] {
            owner_.finish(id_, make_error(twilio_place(), ProviderErrorClass::timeout, "no answer in time"));
        });
    }

    Done take_done() { return std::move(done_); }

private:
    void on_head(const HttpHead& head) override { head_ = head; }
    void on_body(std::string_view bytes) override { body_ += bytes; }  // Bounded by the transfer's limit.
    void on_end(const HttpHead&) override { owner_.finish(id_, twilio_problem(head_, body_)); }
    void on_failure(const TransportFailure& failure) override {
        owner_.finish(id_, transport_error(twilio_place(), failure));
    }

    TwilioCalls& owner_;
    std::uint64_t id_;
    Done done_;
    HttpHead head_;
    std::string body_;
    OperationTimer timer_;
    std::unique_ptr<HttpTransfer> transfer_;
};

TwilioCalls::TwilioCalls(HttpClient& client, TwilioAccount account) : client_(client), account_(std::move(account)) {}

TwilioCalls::~TwilioCalls() = default;

bool TwilioCalls::is_configured() const {
    return !account_.account_sid.empty() && !account_.auth_token.empty();
}

void TwilioCalls::hang_up(const std::string& call_sid, Done done) {
    run(twilio_hang_up(account_, call_sid), std::move(done));
}

void TwilioCalls::redirect(const std::string& call_sid, const std::string& twiml, Done done) {
    run(twilio_redirect(account_, call_sid, twiml), std::move(done));
}

void TwilioCalls::run(HttpCall call, Done done) {
    const std::uint64_t id = next_++;
    orders_[id] = std::make_unique<Order>(*this, id, std::move(call), std::move(done));
}

void TwilioCalls::finish(std::uint64_t id, const std::optional<ProviderError>& problem) {
    const std::optional<ProviderError> told = problem;
    const auto order = orders_.extract(id);
    if (!order.empty()) {
        const Done done = order.mapped()->take_done();
        if (done) {
            done(told);
        }
    }
}

}  // namespace agentlocator
