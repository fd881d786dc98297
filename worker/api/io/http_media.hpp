#pragma once
// Fetches the files of messages: from our bridge, by its own address, and from Twilio, with our account. No other
// address is asked, whatever a message names: a stranger could otherwise make us call any, our own network's too.
#include "common/config.hpp"
#include "worker/agent/voice_note.hpp"
#include "worker/providers/io/http_client.hpp"

namespace agentlocator {

// What to ask for, or nothing: that address is not ours to ask. Pure.
[[nodiscard]] std::optional<HttpCall> media_call(const Settings& settings, const std::string& provider,
                                                 const std::string& url);
// What an answer means. Pure.
[[nodiscard]] MediaSource::File media_file(const HttpHead& head, std::string bytes);

class HttpMedia final : public MediaSource {
public:
    // Both outlive it.
    HttpMedia(HttpClient& client, const Settings& settings) : client_(client), settings_(settings) {}
    [[nodiscard]] OperationPtr fetch(const std::string& provider, const std::string& url, std::size_t bytes_max,
                                     Done done) override;

    // Twilio keeps files elsewhere and sends us there (Twilio docs: Media resource); never with our password.
    static constexpr int redirects_max = 3;

private:
    class Fetch;
    HttpClient& client_;
    const Settings& settings_;
};

}  // namespace agentlocator
