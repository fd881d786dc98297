#include "worker/providers/deepgram.hpp"

#include "common/text.hpp"
#include "worker/providers/json_text.hpp"

namespace agentlocator {
namespace {

using nlohmann::json;

HttpHeader authorization(const DeepgramServer& server) {
    return {"Authorization", "Token " + server.key};
}

std::string joined(std::string_view a, std::string_view b) {
    return a.empty() || b.empty() ? std::string(a) + std::string(b) : std::string(a) + " " + std::string(b);
}

// Text is what every final result says, one after the other; an interim result replaces the last one. Finalize asks for
// the rest, and its answer, which may be empty, is the end.
class Session final : public WsSttSession {
public:
    explicit Session(ProviderPlace place) : place_(std::move(place)) {}

    void open(std::vector<WsMessage>&) override {}
    void audio(std::span<const std::uint8_t> mulaw, std::vector<WsMessage>& out) override {
        out.push_back({true, std::string(mulaw.begin(), mulaw.end())});
    }
    void finish(std::vector<WsMessage>& out) override {
        out.push_back({false, R"({"type":"Finalize"})"});  // A text frame: a binary one would be taken as sound.
    }

    WsSttOutput on_text(std::string_view text) override {
        WsSttOutput out;
        const json message = parse_json(text);
        const std::string type = text_at(message, "type");
        if (type == "Results") {
            const json& alternatives = array_at(object_at(message, "channel"), "alternatives");
            const std::string said = alternatives.empty() ? "" : text_at(alternatives.front(), "transcript");
            const bool final = flag_at(message, "is_final");
            if (final) {
                finals_ = joined(finals_, trim(said));
                interim_.clear();
            } else {
                interim_ = trim(said);
            }
            if (!said.empty()) {
                out.partial = best();
            }
            out.done = flag_at(message, "from_finalize");
        } else if (type == "Error" || find_at(message, "err_code") != nullptr) {
            out.error = stream_error(place_, read_error_body(text));
        } else if (!message.is_object()) {
            out.error = make_error(place_, ProviderErrorClass::protocol, "a message that is not JSON");
        }  // SpeechStarted, UtteranceEnd, Metadata: our own detector decides about turns.
        return out;
    }

    std::string best() const override { return joined(finals_, interim_); }

private:
    ProviderPlace place_;
    std::string finals_;
    std::string interim_;
};

}  // namespace

HttpCall DeepgramServer::warm_up() const {
    HttpCall call;
    call.method = "GET";
    call.url = base_url + "/v1/projects";
    call.headers.push_back(authorization(*this));
    return call;
}

DeepgramListen::DeepgramListen(DeepgramServer server)
    : server_(std::move(server)),
      place_{"deepgram", "transcribe", "DEEPGRAM_API_KEY", "DEEPGRAM_MODEL", "DEEPGRAM_BASE_URL"} {}

std::string DeepgramListen::url(const SttConfig& config) const {
    std::string url = socket_url(server_.base_url) + "/v1/listen?model=" + url_encode(server_.model) +
                      "&language=" + url_encode(config.language) +
                      "&encoding=mulaw&sample_rate=8000&channels=1&interim_results=true&smart_format=true"
                      "&endpointing=300";
    constexpr std::size_t keyterms_max = 50;  // A long list makes the URL too long, and helps less.
    for (std::size_t i = 0; i < std::min(config.phrases.size(), keyterms_max); ++i) {
        url += "&keyterm=" + url_encode(config.phrases[i]);
    }
    return url;
}

std::vector<HttpHeader> DeepgramListen::headers(const WsSttSeed&) const {
    return {authorization(server_)};
}

std::unique_ptr<WsSttSession> DeepgramListen::session(const SttConfig&, WsSttSeed) const {
    return std::make_unique<Session>(place_);
}

DeepgramSpeak::DeepgramSpeak(DeepgramServer server)
    : server_(std::move(server)),
      place_{"deepgram", "speak", "DEEPGRAM_API_KEY", "DEEPGRAM_TTS_MODEL", "DEEPGRAM_BASE_URL"} {}

bool DeepgramSpeak::speaks(std::string_view language) const {
    return server_.model.ends_with("-" + std::string(language));
}

HttpCall DeepgramSpeak::request(std::string_view text, const TtsConfig& config) const {
    HttpCall call;
    // Without container=none mu-law comes inside a WAV file.
    call.url = server_.base_url + "/v1/speak?model=" + url_encode(config.voice.empty() ? server_.model : config.voice) +
               "&encoding=mulaw&sample_rate=8000&container=none";
    call.headers = {authorization(server_), {"Content-Type", "application/json"}};
    call.body = dump_json({{"text", std::string(text)}});
    return call;
}

}  // namespace agentlocator
