#include "worker/providers/google_speech.hpp"

#include "common/text.hpp"
#include "worker/base64.hpp"
#include "worker/digest.hpp"
#include "worker/providers/json_text.hpp"
#include "worker/providers/ws_dialect.hpp"

namespace agentlocator {
namespace {

using nlohmann::json;

std::string audience(std::string_view url) {
    return std::string(url_origin(url)) + "/";
}

}  // namespace

std::optional<std::string> from_base64(std::string_view text) {
    std::string padded(text);
    while (padded.size() % 4 != 0) {
        padded.push_back('=');
    }
    std::string bytes(base64_decoded_max(padded.size()), '\0');
    const auto size = base64_decode(padded, reinterpret_cast<std::uint8_t*>(bytes.data()));
    if (!size) {
        return std::nullopt;
    }
    bytes.resize(*size);
    return bytes;
}

std::string GoogleServer::stt_tag(std::string_view language) const {
    if (!stt_language.empty()) {
        return stt_language;
    }
    return v2 && language == "he" ? "iw-IL" : region_language(language);
}

std::string GoogleServer::recognizer() const {
    return "projects/" + project + "/locations/" + location + "/recognizers/_";
}

HttpHeader GoogleServer::stt_authorization() const {
    return auth->header(audience(stt_url));
}

GoogleRecognition::GoogleRecognition(GoogleServer server)
    : server_(std::move(server)),
      place_{"google", "transcribe", "GOOGLE_APPLICATION_CREDENTIALS", "GOOGLE_STT_MODEL", "GOOGLE_STT_ENDPOINT"} {}

HttpCall GoogleRecognition::request(std::span<const std::uint8_t> mulaw, const SttConfig& config) const {
    const std::string sound = to_base64({reinterpret_cast<const char*>(mulaw.data()), mulaw.size()});
    json body;
    HttpCall call;
    if (server_.v2) {
        body = {
            {"config",
             {{"explicitDecodingConfig", {{"encoding", "MULAW"}, {"sampleRateHertz", 8000}, {"audioChannelCount", 1}}},
              {"model", server_.model},
              {"languageCodes", json::array({server_.stt_tag(config.language)})},
              {"features", {{"enableAutomaticPunctuation", true}}}}},
            {"content", sound}};
        call.url = server_.stt_url + "/v2/" + server_.recognizer() + ":recognize";
        call.headers.push_back({"x-goog-request-params", "recognizer=" + url_encode(server_.recognizer())});
    } else {
        body = {{"config",
                 {{"encoding", "MULAW"},
                  {"sampleRateHertz", 8000},
                  {"languageCode", server_.stt_tag(config.language)},
                  {"model", server_.model},
                  {"enableAutomaticPunctuation", true}}},
                {"audio", {{"content", sound}}}};
        if (!config.phrases.empty()) {
            body["config"]["speechContexts"] = json::array({{{"phrases", config.phrases}, {"boost", 10}}});
        }
        call.url = server_.stt_url + "/v1/speech:recognize";
    }
    call.headers.push_back(server_.stt_authorization());
    call.headers.push_back({"Content-Type", "application/json"});
    call.body = dump_json(body);
    return call;
}

SttDialect::Answer GoogleRecognition::read(std::string_view body) const {
    const json document = parse_json(body);
    if (!document.is_object()) {
        return {{}, make_error(place_, ProviderErrorClass::protocol, "the answer is not JSON")};
    }
    if (find_at(document, "error") != nullptr) {
        return {{}, stream_error(place_, read_error_body(body))};
    }
    std::string text;  // Results follow each other without a separator of their own; without speech there are none.
    for (const json& result : array_at(document, "results")) {
        const json& alternatives = array_at(result, "alternatives");
        if (!alternatives.empty()) {
            text += text_at(alternatives.front(), "transcript");
        }
    }
    return {std::string(trim(text)), {}};
}

HttpCall GoogleRecognition::warm_up() const {
    HttpCall call;  // No such document, but an answer: the connection is open.
    call.method = "GET";
    call.url = server_.stt_url + "/v1/operations?pageSize=1";
    call.headers.push_back(server_.stt_authorization());
    return call;
}

GoogleSpeech::GoogleSpeech(GoogleServer server)
    : server_(std::move(server)),
      place_{"google", "speak", "GOOGLE_APPLICATION_CREDENTIALS", "GOOGLE_TTS_VOICE", "GOOGLE_TTS_ENDPOINT"} {}

bool GoogleSpeech::speaks(std::string_view language) const {
    return (language == "he" && !server_.voice_he.empty()) || (language == "en" && !server_.voice_en.empty());
}

HttpCall GoogleSpeech::request(std::string_view text, const TtsConfig& config) const {
    const std::string voice = !config.voice.empty()     ? config.voice
                              : config.language == "en" ? server_.voice_en
                                                        : server_.voice_he;
    // "he-IL-Wavenet-A" begins with its language.
    const auto second = voice.find('-', std::min(voice.find('-'), voice.size()) + 1);
    const std::string tag = second == std::string::npos ? region_language(config.language) : voice.substr(0, second);
    HttpCall call;
    call.url = server_.tts_url + "/v1/text:synthesize";
    call.headers = {server_.auth->header(audience(server_.tts_url)), {"Content-Type", "application/json"}};
    call.body = dump_json({{"input", {{"text", std::string(text)}}},
                           {"voice", {{"languageCode", tag}, {"name", voice}}},
                           {"audioConfig",
                            {{"audioEncoding", "MULAW"},
                             {"sampleRateHertz", 8000},
                             {"effectsProfileId", json::array({"telephony-class-application"})}}}});
    return call;
}

std::optional<std::string> GoogleSpeech::unwrap(std::string_view body) const {
    const json document = parse_json(body);
    const json* content = find_at(document, "audioContent");
    return content != nullptr && content->is_string() ? from_base64(content->get_ref<const std::string&>())
                                                      : std::nullopt;
}

HttpCall GoogleSpeech::warm_up() const {
    HttpCall call;
    call.method = "GET";
    call.url = server_.tts_url + "/v1/voices?languageCode=he-IL";
    call.headers.push_back(server_.auth->header(audience(server_.tts_url)));
    return call;
}

}  // namespace agentlocator
