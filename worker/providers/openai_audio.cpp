#include "worker/providers/openai_audio.hpp"

#include "common/text.hpp"
#include "worker/providers/json_text.hpp"
#include "worker/providers/telephone_audio.hpp"

namespace agentlocator {
namespace {

using nlohmann::json;

// gpt-transcribe and its live sibling take languages[] and keywords[]; every other model and clone takes language and
// prompt, and none takes both.
bool takes_lists(std::string_view model) {
    return model.starts_with("gpt-transcribe") || model.starts_with("gpt-live-transcribe");
}

std::string join_phrases(const std::vector<std::string>& phrases) {
    constexpr std::size_t prompt_bytes_max = 800;  // Whisper reads 224 tokens of prompt, and the last of them count.
    std::string text;
    for (const std::string& phrase : phrases) {
        if (text.size() + phrase.size() > prompt_bytes_max) {
            break;
        }
        text += (text.empty() ? "" : ", ") + phrase;
    }
    return text;
}

}  // namespace

std::string write_multipart(const std::vector<FormPart>& parts, std::string& boundary) {
    const auto occurs = [&] {
        for (const FormPart& part : parts) {
            if (part.value.find(boundary) != std::string::npos) {
                return true;
            }
        }
        return false;
    };
    boundary = "----agentlocator-form";
    while (occurs()) {
        boundary += "-x";
    }
    std::string out;
    for (const FormPart& part : parts) {
        out += "--" + boundary + "\r\nContent-Disposition: form-data; name=\"" + part.name + "\"";
        if (!part.file_name.empty()) {
            out += "; filename=\"" + part.file_name + "\"";
        }
        out += "\r\n";
        if (!part.content_type.empty()) {
            out += "Content-Type: " + part.content_type + "\r\n";
        }
        out += "\r\n" + part.value + "\r\n";
    }
    return out + "--" + boundary + "--\r\n";
}

bool is_made_up(const SpeechEvidence& evidence) {
    // Thresholds of the reference implementation of Whisper (decoding options no_speech_threshold, logprob_threshold,
    // compression_ratio_threshold).
    return (evidence.no_speech > 0.6 && evidence.log_probability < -1.0) || evidence.compression > 2.4;
}

HttpCall OpenAiTranscription::request(std::span<const std::uint8_t> mulaw, const SttConfig& config) const {
    return upload({"file", utterance_wav(mulaw, upload_rate), "audio.wav", "audio/wav"}, config);
}

HttpCall OpenAiTranscription::file_request(const SoundFile& file, const SttConfig& config) const {
    const std::string_view type = trim(std::string_view(file.mime).substr(0, file.mime.find(';')));
    return upload({"file", file.bytes, std::string(sound_file_name(file.mime)), std::string(type)}, config);
}

HttpCall OpenAiTranscription::upload(FormPart file, const SttConfig& config) const {
    const bool lists = takes_lists(server_.model);
    std::vector<FormPart> parts;
    parts.push_back(std::move(file));
    parts.push_back({"model", server_.model, "", ""});
    parts.push_back({lists ? "languages[]" : "language", config.language, "", ""});
    parts.push_back({"response_format", lists ? "json" : server_.response_format, "", ""});
    if (!lists) {
        parts.push_back({"temperature", "0", "", ""});
    }
    if (lists) {
        for (const std::string& phrase : config.phrases) {
            if (phrase.find_first_of("<>\r\n") == std::string::npos) {  // One of these refuses the whole request.
                parts.push_back({"keywords[]", phrase, "", ""});
            }
        }
    } else if (!config.phrases.empty()) {
        parts.push_back({"prompt", join_phrases(config.phrases), "", ""});
    }
    std::string boundary;
    std::string body = write_multipart(parts, boundary);
    HttpCall call = server_.call("/audio/transcriptions", "multipart/form-data; boundary=" + boundary);
    call.body = std::move(body);
    return call;
}

SttDialect::Answer OpenAiTranscription::read(std::string_view body) const {
    const json document = parse_json(body);
    const json* text = find_at(document, "text");
    if (text == nullptr || !text->is_string()) {
        if (find_at(document, "error") != nullptr || find_at(document, "detail") != nullptr) {
            return {{}, stream_error(server_.place, read_error_body(body))};
        }
        return {{}, make_error(server_.place, ProviderErrorClass::protocol, "the answer has no text")};
    }
    const json& segments = array_at(document, "segments");
    if (segments.empty()) {
        return {std::string(trim(text->get_ref<const std::string&>())), {}};
    }
    std::string kept;
    for (const json& segment : segments) {
        const SpeechEvidence evidence{number_at(segment, "no_speech_prob", 0), number_at(segment, "avg_logprob", 0),
                                      number_at(segment, "compression_ratio", 1)};
        if (!is_made_up(evidence)) {
            kept += text_at(segment, "text");
        }
    }
    return {std::string(trim(kept)), {}};
}

HttpCall OpenAiTranscription::warm_up() const {
    HttpCall call = server_.call("/models", "");
    call.method = "GET";
    return call;
}

HttpCall OpenAiSpeech::request(std::string_view text, const TtsConfig& config) const {
    json body = {{"model", server_.model},
                 {"voice", config.voice.empty() ? server_.voice : config.voice},
                 {"input", std::string(text)},
                 {"response_format", server_.speech_format}};
    if (!server_.instructions.empty()) {
        body["instructions"] = server_.instructions;
    }
    HttpCall call = server_.call("/audio/speech", "application/json");
    call.body = dump_json(body);
    return call;
}

WavFormat OpenAiSpeech::format(const HttpHead& head) const {
    // "audio/pcm;rate=22050", as servers with Piper voices say; OpenAI itself says nothing.
    WavFormat format{WavFormat::Encoding::pcm16, server_.sample_rate, 1};
    for (const std::string_view parameter : split(head.header("content-type"), ';')) {
        if (const auto part = trim(parameter); part.starts_with("rate=")) {
            const auto rate = parse_integer(part.substr(5));
            if (rate && *rate >= Resampler::rate_min && *rate <= Resampler::rate_max) {
                format.rate = static_cast<std::uint32_t>(*rate);
            }
        }
    }
    return format;
}

HttpCall OpenAiSpeech::warm_up() const {
    HttpCall call = server_.call("/models", "");
    call.method = "GET";
    return call;
}

}  // namespace agentlocator
