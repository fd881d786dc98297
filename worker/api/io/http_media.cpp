#include "worker/api/io/http_media.hpp"

#include "worker/digest.hpp"

namespace agentlocator {

std::optional<HttpCall> media_call(const Settings& settings, const std::string& provider, const std::string& url) {
    constexpr std::string_view bridge_path = "/v1/media/";
    HttpCall call;
    call.method = "GET";
    if (provider == "baileys" && url.starts_with(bridge_path) && settings.bridge_enabled) {
        call.url = "http://127.0.0.1:" + std::to_string(settings.bridge_port) + std::string(bridge_path) +
                   url_encode(std::string_view(url).substr(bridge_path.size()));
        call.headers = {{"Authorization", "Bearer " + settings.bridge_secret}};
        return call;
    }
    const std::string& twilio = settings.providers.twilio_api_url;
    if (provider == "twilio" && !settings.twilio_auth_token.empty() && url.starts_with(twilio + "/")) {
        call.url = url;
        call.headers = {
            {"Authorization", "Basic " + to_base64(settings.twilio_account_sid + ":" + settings.twilio_auth_token)}};
        return call;
    }
    return std::nullopt;
}

MediaSource::File media_file(const HttpHead& head, std::string bytes) {
    if (head.status == 200) {
        return {.sound = {.bytes = std::move(bytes), .mime = std::string(head.header("content-type"))}};
    }
    // Gone (404, 410) and refused (422) stay so; what is asked too often or is down comes back.
    return {.problem = "status " + std::to_string(head.status), .later = head.status == 429 || head.status >= 500};
}

class HttpMedia::Fetch final : public ProviderOperation, private HttpListener {
public:
    Fetch(HttpClient& client, HttpCall call, std::size_t bytes_max, Done done)
        : client_(client),
          bytes_max_(bytes_max),
          done_(std::move(done)),
          transfer_(client_.start(std::move(call), *this, bytes_max)) {}

private:
    void on_head(const HttpHead& head) override { head_ = head; }
    void on_body(std::string_view bytes) override { bytes_ += bytes; }  // Bounded by the transfer's limit.
    void on_end(const HttpHead&) override {
        const std::string to(head_.header("location"));
        if (head_.status / 100 == 3 && to.starts_with("https://") && ++redirects_ <= redirects_max) {
            HttpCall next;
            next.method = "GET";
            next.url = to;
            bytes_.clear();
            transfer_ = client_.start(std::move(next), *this, bytes_max_);
            return;
        }
        finish(media_file(head_, std::move(bytes_)));
    }
    void on_failure(const TransportFailure& failure) override {
        finish({.problem = failure.detail.empty() ? "no answer" : failure.detail,
                .later = failure.fault != TransportFault::too_large});
    }
    void finish(File file) {
        const Done done = std::move(done_);
        done(std::move(file));
    }

    HttpClient& client_;
    const std::size_t bytes_max_;
    Done done_;
    HttpHead head_;
    std::string bytes_;
    int redirects_ = 0;
    std::unique_ptr<HttpTransfer> transfer_;  // Last: gone first.
};

OperationPtr HttpMedia::fetch(const std::string& provider, const std::string& url, std::size_t bytes_max, Done done) {
    auto call = media_call(settings_, provider, url);
    return call ? std::make_unique<Fetch>(client_, *std::move(call), bytes_max, std::move(done)) : nullptr;
}

}  // namespace agentlocator
