#include "worker/providers/elevenlabs.hpp"

#include "common/text.hpp"
#include "worker/digest.hpp"
#include "worker/providers/json_text.hpp"

namespace agentlocator {
namespace {

using nlohmann::json;

// Text is every committed transcript; a partial one replaces the last. Our commit ends the utterance.
class Session final : public WsSttSession {
public:
    explicit Session(ProviderPlace place) : place_(std::move(place)) {}

    void open(std::vector<WsMessage>&) override {}

    void audio(std::span<const std::uint8_t> mulaw, std::vector<WsMessage>& out) override {
        pending_.append(mulaw.begin(), mulaw.end());
        if (pending_.size() >= chunk_bytes) {
            send(false, out);
        }
    }

    void finish(std::vector<WsMessage>& out) override {
        finished_ = true;
        send(true, out);
    }

    WsSttOutput on_text(std::string_view text) override {
        WsSttOutput out;
        const json message = parse_json(text);
        const std::string type = text_at(message, "message_type");
        if (type == "partial_transcript") {
            partial_ = trim(text_at(message, "text"));
            out.partial = best();
        } else if (type == "committed_transcript") {
            const std::string said(trim(text_at(message, "text")));
            committed_ += (committed_.empty() || said.empty() ? "" : " ") + said;
            partial_.clear();
            out.partial = best();
            out.done = finished_;
        } else if (type == "insufficient_audio_activity") {
            out.done = finished_;  // Nothing was said.
        } else if (find_at(message, "error") != nullptr) {
            out.error = stream_error(place_, read_error_body(text));
        } else if (!message.is_object()) {
            out.error = make_error(place_, ProviderErrorClass::protocol, "a message that is not JSON");
        }  // session_started, committed_transcript_with_timestamps and what is new.
        return out;
    }

    std::string best() const override {
        return committed_ + (committed_.empty() || partial_.empty() ? "" : " ") + partial_;
    }

private:
    static constexpr std::size_t chunk_bytes =
        800;  // 100 ms: a JSON message for each 20 ms would cost more than sound.

    void send(bool commit, std::vector<WsMessage>& out) {
        out.push_back({false, dump_json({{"message_type", "input_audio_chunk"},
                                         {"audio_base_64", to_base64(pending_)},
                                         {"commit", commit},
                                         {"sample_rate", 8000}})});
        pending_.clear();
    }

    ProviderPlace place_;
    std::string pending_;
    std::string committed_;
    std::string partial_;
    bool finished_ = false;
};

}  // namespace

HttpCall ElevenLabsServer::warm_up() const {
    HttpCall call;
    call.method = "GET";
    call.url = base_url + "/v1/models";
    call.headers.push_back({"xi-api-key", key});
    return call;
}

ElevenLabsSpeech::ElevenLabsSpeech(ElevenLabsServer server)
    : server_(std::move(server)),
      place_{"elevenlabs", "speak", "ELEVENLABS_API_KEY", "ELEVENLABS_MODEL_ID", "ELEVENLABS_BASE_URL"} {}

bool ElevenLabsSpeech::speaks(std::string_view language) const {
    const auto has = [this](std::string_view part) { return server_.model.find(part) != std::string::npos; };
    const bool without_hebrew = has("_v2") || has("flash") || has("_v1") || (has("turbo") && !has("v4"));
    return language == "en" || !without_hebrew;
}

HttpCall ElevenLabsSpeech::request(std::string_view text, const TtsConfig& config) const {
    HttpCall call;
    call.url = server_.base_url + "/v1/text-to-speech/" +
               url_encode(config.voice.empty() ? server_.voice : config.voice) + "/stream?output_format=ulaw_8000";
    call.headers = {{"xi-api-key", server_.key}, {"Content-Type", "application/json"}};
    call.body =
        dump_json({{"text", std::string(text)}, {"model_id", server_.model}, {"language_code", config.language}});
    return call;
}

ElevenLabsScribe::ElevenLabsScribe(ElevenLabsServer server)
    : server_(std::move(server)),
      place_{"elevenlabs", "transcribe", "ELEVENLABS_API_KEY", "ELEVENLABS_STT_MODEL", "ELEVENLABS_BASE_URL"} {}

std::string ElevenLabsScribe::url(const SttConfig& config) const {
    return socket_url(server_.base_url) + "/v1/speech-to-text/realtime?model_id=" + url_encode(server_.model) +
           "&audio_format=ulaw_8000&language_code=" + url_encode(config.language) + "&commit_strategy=manual";
}

std::vector<HttpHeader> ElevenLabsScribe::headers(const WsSttSeed&) const {
    return {{"xi-api-key", server_.key}};
}

std::unique_ptr<WsSttSession> ElevenLabsScribe::session(const SttConfig&, WsSttSeed) const {
    return std::make_unique<Session>(place_);
}

}  // namespace agentlocator
