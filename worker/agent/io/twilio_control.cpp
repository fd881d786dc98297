#include "worker/agent/io/twilio_control.hpp"

#include <nlohmann/json.hpp>

#include "worker/base64.hpp"

namespace agentlocator {
namespace {

constexpr std::size_t answer_bytes_max = 65'536;  // A call resource has 2 kB.

class TwilioUpdate final : public ProviderOperation, private HttpListener {
public:
    TwilioUpdate(HttpClient& client, HttpCall call, CallControl::Done done) : done_(std::move(done)) {
        transfer_ = client.start(std::move(call), *this, answer_bytes_max);
    }

private:
    void on_head(const HttpHead& head) override { status_ = head.status; }
    void on_body(std::string_view bytes) override { body_ += bytes; }
    void on_end(const HttpHead&) override {
        if (status_ >= 200 && status_ < 300) {
            done_({});
            return;
        }
        // The body may be anything when a gateway answered.
        const auto answer = nlohmann::json::parse(body_, nullptr, false);
        std::string problem = "Twilio answered " + std::to_string(status_);
        if (answer.is_object() && answer.contains("code") && answer["code"].is_number_integer()) {
            problem += ", code " + std::to_string(answer["code"].get<std::int64_t>());
        }
        if (status_ == 401) {
            problem += "; check TWILIO_ACCOUNT_SID and TWILIO_AUTH_TOKEN";
        }
        done_(problem);
    }
    void on_failure(const TransportFailure& failure) override {
        done_("Twilio was not reached: " + failure.detail + "; check TWILIO_API_BASE_URL and the network");
    }

    CallControl::Done done_;
    int status_ = 0;
    std::string body_;
    std::unique_ptr<HttpTransfer> transfer_;
};

}  // namespace

TwilioControl::TwilioControl(EventLoop& loop, const Settings& settings)
    : account_(settings.twilio_account_sid),
      token_(settings.twilio_auth_token),
      url_(settings.providers.twilio_api_url),
      trust_(settings.providers.ca_file),
      client_(loop, trust_, {.connect_max = settings.providers.connect_timeout}) {}

std::string TwilioControl::missing() const {
    return account_.empty() ? "TWILIO_ACCOUNT_SID" : token_.empty() ? "TWILIO_AUTH_TOKEN" : "";
}

OperationPtr TwilioControl::update(std::string_view call_sid, std::string_view twiml, Done done) {
    if (!missing().empty() || call_sid.empty()) {
        return nullptr;
    }
    HttpCall call;
    call.url = url_ + "/2010-04-01/Accounts/" + url_encode(account_) + "/Calls/" + url_encode(call_sid) + ".json";
    const std::string secret = account_ + ":" + token_;
    std::string encoded(base64_size(secret.size()), '\0');
    base64_encode({reinterpret_cast<const std::uint8_t*>(secret.data()), secret.size()}, encoded.data());
    call.headers = {{"Authorization", "Basic " + encoded}, {"Content-Type", "application/x-www-form-urlencoded"}};
    call.body = "Twiml=" + url_encode(twiml);
    return std::make_unique<TwilioUpdate>(client_, std::move(call), std::move(done));
}

}  // namespace agentlocator
