#pragma once
// A dialect is what differs between services that are asked the same way: how a request is written and an answer read.
// Pure; io/ has one operation for each kind of dialect, and all the deadlines, limits and cancelling.
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "worker/agent/provider.hpp"
#include "worker/providers/failure.hpp"
#include "worker/providers/http_call.hpp"
#include "worker/providers/sse_parser.hpp"
#include "worker/providers/wav_stream.hpp"

namespace agentlocator {

// What one event of a language model's stream says.
struct LlmOutput {
    std::string text;                    // To be spoken. Never reasoning.
    std::vector<ToolCall> tools;         // Whole ones.
    bool progress = false;               // Something was produced, even if it cannot be used yet.
    std::optional<LlmFinish> finish;     // The stream said that it is complete, and why it stopped.
    std::optional<ProviderError> error;  // The stream failed.
};

class LlmDecoder {
public:
    virtual ~LlmDecoder() = default;
    virtual void on_event(const SseEvent& event, LlmOutput& out) = 0;
    // The body ended without a finish: what is left, and whether that is an answer at all.
    virtual void on_end(LlmOutput& out) = 0;
};

class LlmDialect {
public:
    virtual ~LlmDialect() = default;
    [[nodiscard]] virtual const ProviderPlace& place() const = 0;
    [[nodiscard]] virtual HttpCall request(const LlmRequest& request) const = 0;
    [[nodiscard]] virtual std::unique_ptr<LlmDecoder> decoder() const = 0;
    // Cheap request that opens the connection and proves the key. Empty URL: none.
    [[nodiscard]] virtual HttpCall warm_up() const = 0;
};

// A synthesiser that is asked for a sentence in one request.
class TtsDialect {
public:
    virtual ~TtsDialect() = default;
    [[nodiscard]] virtual const ProviderPlace& place() const = 0;
    [[nodiscard]] virtual bool speaks(std::string_view language) const = 0;
    [[nodiscard]] virtual HttpCall request(std::string_view text, const TtsConfig& config) const = 0;
    // What the bytes of the answer are, unless they are a WAV file.
    [[nodiscard]] virtual WavFormat format(const HttpHead& head) const = 0;
    // Nothing: the body is sound as it comes. Otherwise the body is one document and this finds the sound in it.
    [[nodiscard]] virtual bool wrapped() const { return false; }
    [[nodiscard]] virtual std::optional<std::string> unwrap(std::string_view) const { return std::nullopt; }
    [[nodiscard]] virtual HttpCall warm_up() const = 0;
};

// A recogniser that is given a whole utterance in one request.
class SttDialect {
public:
    virtual ~SttDialect() = default;
    [[nodiscard]] virtual const ProviderPlace& place() const = 0;
    [[nodiscard]] virtual bool speaks(std::string_view language) const = 0;
    [[nodiscard]] virtual HttpCall request(std::span<const std::uint8_t> mulaw, const SttConfig& config) const = 0;
    // The text, empty when nothing was said; or why the document holds none.
    struct Answer {
        std::string text;
        std::optional<ProviderError> error;
    };
    [[nodiscard]] virtual Answer read(std::string_view body) const = 0;
    [[nodiscard]] virtual HttpCall warm_up() const = 0;
};

}  // namespace agentlocator
