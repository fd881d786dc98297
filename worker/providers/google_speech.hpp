#pragma once
// Google Cloud Speech: recognition (REST, one request an utterance) and speech (REST). Both speak mu-law 8 kHz; the
// sound comes as base64 in one document, with a WAV header in front. Google docs: speech:recognize, text:synthesize.
// Pure. For recognition while the caller speaks see google_stream.hpp.
#include <memory>

#include "worker/providers/dialect.hpp"
#include "worker/providers/google_auth.hpp"

namespace agentlocator {

struct GoogleServer {
    std::shared_ptr<GoogleAuth> auth;  // Shared by the dialects: one token for each service.
    std::string stt_url;               // https://speech.googleapis.com
    std::string tts_url;
    bool v2 = false;
    std::string project;
    std::string location;
    std::string model;
    std::string stt_language;  // Empty: by the call's language.
    std::string voice_he;
    std::string voice_en;

    // The tag of the call's language: v1 says he-IL, v2 iw-IL.
    [[nodiscard]] std::string stt_tag(std::string_view language) const;
    [[nodiscard]] std::string recognizer() const;  // v2: projects/P/locations/L/recognizers/_
    [[nodiscard]] HttpHeader stt_authorization() const;
};

class GoogleRecognition final : public SttDialect {
public:
    explicit GoogleRecognition(GoogleServer server);
    [[nodiscard]] const ProviderPlace& place() const override { return place_; }
    [[nodiscard]] bool speaks(std::string_view) const override { return true; }
    [[nodiscard]] HttpCall request(std::span<const std::uint8_t> mulaw, const SttConfig& config) const override;
    [[nodiscard]] Answer read(std::string_view body) const override;
    [[nodiscard]] HttpCall warm_up() const override;

private:
    GoogleServer server_;
    ProviderPlace place_;
};

class GoogleSpeech final : public TtsDialect {
public:
    explicit GoogleSpeech(GoogleServer server);
    [[nodiscard]] const ProviderPlace& place() const override { return place_; }
    [[nodiscard]] bool speaks(std::string_view language) const override;
    [[nodiscard]] HttpCall request(std::string_view text, const TtsConfig& config) const override;
    [[nodiscard]] WavFormat format(const HttpHead&) const override { return {WavFormat::Encoding::mulaw, 8000, 1}; }
    [[nodiscard]] bool wrapped() const override { return true; }
    [[nodiscard]] std::optional<std::string> unwrap(std::string_view body) const override;
    [[nodiscard]] HttpCall warm_up() const override;

private:
    GoogleServer server_;
    ProviderPlace place_;
};

// base64 with or without padding; nothing for what is neither.
[[nodiscard]] std::optional<std::string> from_base64(std::string_view text);

}  // namespace agentlocator
