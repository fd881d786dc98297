#pragma once
// Transcription and speech in OpenAI's HTTP dialect (OpenAI API reference: Audio). Pure.
#include "worker/agent/file_transcriber.hpp"
#include "worker/providers/dialect.hpp"
#include "worker/providers/openai_server.hpp"

namespace agentlocator {

// One part of multipart/form-data (RFC 7578). `file_name` empty: a plain field.
struct FormPart {
    std::string name;
    std::string value;
    std::string file_name;
    std::string content_type;
};
// `boundary` must not occur in a value; it is derived from them, so that equal requests are equal bytes.
[[nodiscard]] std::string write_multipart(const std::vector<FormPart>& parts, std::string& boundary);

// What a Whisper model says of its own text. Made-up text over noise is what this finds.
struct SpeechEvidence {
    double no_speech = 0;
    double log_probability = 0;
    double compression = 1;
};
[[nodiscard]] bool is_made_up(const SpeechEvidence& evidence);

class OpenAiTranscription final : public SttDialect {
public:
    // Recognisers work at 16 kHz; whisper.cpp's server takes nothing else.
    static constexpr std::uint32_t upload_rate = 16'000;

    explicit OpenAiTranscription(OpenAiServer server) : server_(std::move(server)) {}
    [[nodiscard]] const ProviderPlace& place() const override { return server_.place; }
    [[nodiscard]] bool speaks(std::string_view) const override { return true; }  // What the model knows, it knows.
    [[nodiscard]] HttpCall request(std::span<const std::uint8_t> mulaw, const SttConfig& config) const override;
    [[nodiscard]] Answer read(std::string_view body) const override;
    [[nodiscard]] HttpCall warm_up() const override;
    // A recording as the file it is; its type must have a sound_file_name().
    [[nodiscard]] HttpCall file_request(const SoundFile& file, const SttConfig& config) const;

private:
    [[nodiscard]] HttpCall upload(FormPart file, const SttConfig& config) const;
    OpenAiServer server_;
};

class OpenAiSpeech final : public TtsDialect {
public:
    static constexpr std::size_t input_letters_max = 4096;  // OpenAI API reference: Create speech.

    explicit OpenAiSpeech(OpenAiServer server) : server_(std::move(server)) {}
    [[nodiscard]] const ProviderPlace& place() const override { return server_.place; }
    [[nodiscard]] bool speaks(std::string_view) const override { return true; }
    [[nodiscard]] HttpCall request(std::string_view text, const TtsConfig& config) const override;
    [[nodiscard]] WavFormat format(const HttpHead& head) const override;
    [[nodiscard]] HttpCall warm_up() const override;

private:
    OpenAiServer server_;
};

}  // namespace agentlocator
