#include "worker/providers/azure_speech.hpp"

#include "common/text.hpp"
#include "worker/providers/json_text.hpp"

namespace agentlocator {
namespace {

using nlohmann::json;

std::string escape_xml(std::string_view text) {
    std::string out;
    for (const char c : text) {
        switch (c) {
            case '&':
                out += "&amp;";
                break;
            case '<':
                out += "&lt;";
                break;
            case '>':
                out += "&gt;";
                break;
            case '\'':
                out += "&apos;";
                break;
            case '"':
                out += "&quot;";
                break;
            default:
                if (static_cast<unsigned char>(c) >= 0x20 || c == '\n' || c == '\t') {  // XML 1.0 has no others.
                    out.push_back(c);
                }
        }
    }
    return out;
}

// Messages have header lines, an empty line and a body; binary ones the size of the header in front.
class Session final : public WsSttSession {
public:
    Session(ProviderPlace place, const SttConfig& config, WsSttSeed seed)
        : place_(std::move(place)),
          language_(region_language(config.language)),
          phrases_(config.phrases),
          seed_(std::move(seed)) {}

    void open(std::vector<WsMessage>& out) override {
        const json system = {
            {"name", "agentlocator"}, {"version", AGENTLOCATOR_VERSION}, {"build", "C++"}, {"lang", "C++"}};
        const json source = {{"bitspersample", 8}, {"channelcount", 1}, {"samplerate", 8000}, {"type", "Stream"}};
        out.push_back({false, "Path: speech.config\r\nX-Timestamp: " + seed_.time +
                                  "\r\nContent-Type: application/json\r\n\r\n" +
                                  dump_json({{"context", {{"system", system}, {"audio", {{"source", source}}}}},
                                             {"recognition", "conversation"}})});
        json context = {{"phraseDetection", {{"language", language_}, {"enrichment", json::object()}}},
                        {"phraseOutput", json::object()}};
        if (!phrases_.empty()) {
            json items = json::array();
            for (const std::string& phrase : phrases_) {
                items.push_back({{"text", phrase}});
            }
            context["dgi"] = {{"groups", json::array({{{"type", "Generic"}, {"items", items}}})}};
        }
        out.push_back({false, "Path: speech.context\r\n" + header() + "Content-Type: application/json\r\n\r\n" +
                                  dump_json(context)});
        // A WAV header of endless length, format 7 (mu-law).
        std::string wav = make_wav("", {WavFormat::Encoding::mulaw, 8000, 1});
        wav.replace(4, 4, 4, '\0');
        out.push_back(sound(wav, "Content-Type: audio/x-wav\r\n"));
    }

    void audio(std::span<const std::uint8_t> mulaw, std::vector<WsMessage>& out) override {
        pending_.append(mulaw.begin(), mulaw.end());
        if (pending_.size() >= chunk_bytes) {
            out.push_back(sound(pending_, ""));
            pending_.clear();
        }
    }

    void finish(std::vector<WsMessage>& out) override {
        if (!pending_.empty()) {
            out.push_back(sound(pending_, ""));
            pending_.clear();
        }
        out.push_back(sound("", ""));
    }

    WsSttOutput on_text(std::string_view text) override {
        const auto end = text.find("\r\n\r\n");
        const std::string_view head = text.substr(0, end);
        const json body = parse_json(end == std::string_view::npos ? std::string_view() : text.substr(end + 4));
        std::string_view path;
        for (const std::string_view line : split(head, '\n')) {
            const auto colon = std::min(line.find(':'), line.size());
            if (equal_no_case(trim(line.substr(0, colon)), "path")) {
                path = trim(line.substr(std::min(colon + 1, line.size())));
            }
        }
        WsSttOutput out;
        if (path == "speech.hypothesis" || path == "speech.fragment") {
            interim_ = trim(text_at(body, "Text"));
            out.partial = best();
        } else if (path == "speech.phrase") {
            read_phrase(body, out);
        } else if (path == "turn.end") {
            out.done = true;
        } else if (path.empty()) {
            out.error = make_error(place_, ProviderErrorClass::protocol, "a message without Path");
        }  // turn.start, speech.startDetected, speech.endDetected and what is new.
        return out;
    }

    std::string best() const override {
        return phrases_heard_ + (phrases_heard_.empty() || interim_.empty() ? "" : " ") + interim_;
    }

private:
    static constexpr std::size_t chunk_bytes = 800;  // As its SDK sends: 100 ms.

    std::string header() const { return "X-RequestId: " + seed_.id + "\r\nX-Timestamp: " + seed_.time + "\r\n"; }

    WsMessage sound(std::string_view bytes, std::string_view more) const {
        const std::string head = "Path: audio\r\n" + header() + std::string(more);
        std::string payload;
        payload.push_back(static_cast<char>(head.size() >> 8U));
        payload.push_back(static_cast<char>(head.size() & 0xffU));
        return {true, payload + head + std::string(bytes)};
    }

    void read_phrase(const json& body, WsSttOutput& out) {
        const std::string status = text_at(body, "RecognitionStatus");
        interim_.clear();
        if (status == "Success") {
            std::string said = text_at(body, "DisplayText");
            if (const json& best_list = array_at(body, "NBest"); said.empty() && !best_list.empty()) {
                said = text_at(best_list.front(), "Display");
            }
            phrases_heard_ += (phrases_heard_.empty() || said.empty() ? "" : " ") + said;
            out.partial = best();
        } else if (status == "TooManyRequests") {
            out.error = make_error(place_, ProviderErrorClass::rate_limited, status);
        } else if (status == "Forbidden") {
            out.error = make_error(place_, ProviderErrorClass::auth, status);
        } else if (status == "BadRequest") {
            out.error = make_error(place_, ProviderErrorClass::bad_request, status);
        } else if (status == "Error") {
            out.error = make_error(place_, ProviderErrorClass::server, status);
        }  // NoMatch, InitialSilenceTimeout, BabbleTimeout, EndOfDictation: nothing was said.
    }

    ProviderPlace place_;
    std::string language_;
    std::vector<std::string> phrases_;
    WsSttSeed seed_;
    std::string pending_;
    std::string phrases_heard_;
    std::string interim_;
};

}  // namespace

HttpCall AzureSpeechServer::warm_up() const {
    HttpCall call;
    call.method = "GET";
    call.url = tts_url + "/cognitiveservices/voices/list";
    call.headers.push_back({"Ocp-Apim-Subscription-Key", key});
    return call;
}

AzureSpeech::AzureSpeech(AzureSpeechServer server)
    : server_(std::move(server)),
      place_{"azure", "speak", "AZURE_SPEECH_KEY", "AZURE_SPEECH_VOICE", "AZURE_SPEECH_REGION"} {}

bool AzureSpeech::speaks(std::string_view language) const {
    return (language == "he" && !server_.voice_he.empty()) || (language == "en" && !server_.voice_en.empty());
}

std::string AzureSpeech::voice(const TtsConfig& config) const {
    if (!config.voice.empty()) {
        return config.voice;
    }
    return config.language == "en" ? server_.voice_en : server_.voice_he;
}

HttpCall AzureSpeech::request(std::string_view text, const TtsConfig& config) const {
    HttpCall call;
    call.url = server_.tts_url + "/cognitiveservices/v1";
    call.headers = {{"Ocp-Apim-Subscription-Key", server_.key},
                    {"Content-Type", "application/ssml+xml"},
                    {"X-Microsoft-OutputFormat", "raw-8khz-8bit-mono-mulaw"}};
    call.body = "<speak version='1.0' xmlns='http://www.w3.org/2001/10/synthesis' xml:lang='" +
                region_language(config.language) + "'><voice name='" + escape_xml(voice(config)) + "'>" +
                escape_xml(text) + "</voice></speak>";
    return call;
}

AzureRecognition::AzureRecognition(AzureSpeechServer server)
    : server_(std::move(server)), place_{"azure", "transcribe", "AZURE_SPEECH_KEY", "", "AZURE_SPEECH_REGION"} {}

std::string AzureRecognition::url(const SttConfig& config) const {
    return socket_url(server_.stt_url) + "/speech/recognition/conversation/cognitiveservices/v1?language=" +
           url_encode(region_language(config.language)) + "&format=simple&profanity=raw";
}

std::vector<HttpHeader> AzureRecognition::headers(const WsSttSeed& seed) const {
    return {{"Ocp-Apim-Subscription-Key", server_.key}, {"X-ConnectionId", seed.id}};
}

std::unique_ptr<WsSttSession> AzureRecognition::session(const SttConfig& config, WsSttSeed seed) const {
    return std::make_unique<Session>(place_, config, std::move(seed));
}

}  // namespace agentlocator
