#pragma once
// Providers that are asked over HTTP: a dialect (pure) with deadlines, limits and cancelling around it.
#include <memory>

#include "worker/providers/dialect.hpp"
#include "worker/providers/io/http_client.hpp"
#include "worker/providers/openai_audio.hpp"

namespace agentlocator {

// Told once when a warm-up shows that a provider will not work: a wrong key, an unknown address.
using ProviderNotice = std::function<void(const ProviderError&)>;

// Opens the connection and proves the key, when nothing was heard from there lately. One at a time.
class WarmUp final : private HttpListener {
public:
    WarmUp(HttpClient& client, ProviderPlace place, HttpCall call, ProviderNotice notice);
    void run();

private:
    void on_head(const HttpHead& head) override;
    void on_body(std::string_view bytes) override;
    void on_end(const HttpHead& trailers) override;
    void on_failure(const TransportFailure& failure) override;

    HttpClient& client_;
    ProviderPlace place_;
    HttpCall call_;
    ProviderNotice notice_;
    HttpHead head_;
    std::string body_;
    bool told_ = false;
    std::unique_ptr<HttpTransfer> transfer_;
};

class HttpLlm final : public LlmProvider {
public:
    HttpLlm(HttpClient& client, std::unique_ptr<LlmDialect> dialect, ProviderNotice notice);
    [[nodiscard]] std::string_view name() const override { return dialect_->place().provider; }
    void prewarm() override { warm_up_.run(); }
    [[nodiscard]] OperationPtr start(const LlmRequest& request, LlmListener listener) override;

private:
    HttpClient& client_;
    std::unique_ptr<LlmDialect> dialect_;
    WarmUp warm_up_;
};

// A whole recording to a server that takes files.
class HttpFileTranscriber final : public FileTranscriber {
public:
    HttpFileTranscriber(HttpClient& client, OpenAiServer server) : client_(client), dialect_(std::move(server)) {}
    [[nodiscard]] std::string_view name() const override { return dialect_.place().provider; }
    [[nodiscard]] OperationPtr start(const SoundFile& file, std::string_view language, SttListener listener) override;

private:
    HttpClient& client_;
    const OpenAiTranscription dialect_;
};

class HttpTts final : public TtsProvider {
public:
    HttpTts(HttpClient& client, std::unique_ptr<TtsDialect> dialect, ProviderNotice notice);
    [[nodiscard]] std::string_view name() const override { return dialect_->place().provider; }
    [[nodiscard]] bool speaks(std::string_view language) const override { return dialect_->speaks(language); }
    void prewarm() override { warm_up_.run(); }
    [[nodiscard]] OperationPtr start(std::string_view text, const TtsConfig& config, TtsListener listener) override;

private:
    HttpClient& client_;
    std::unique_ptr<TtsDialect> dialect_;
    WarmUp warm_up_;
};

class HttpStt final : public SttProvider {
public:
    HttpStt(HttpClient& client, std::unique_ptr<SttDialect> dialect, ProviderNotice notice);
    [[nodiscard]] std::string_view name() const override { return dialect_->place().provider; }
    // A closed grammar is for engines that take one; here the phrases are hints.
    [[nodiscard]] bool speaks(std::string_view language, const SttConfig&) const override {
        return dialect_->speaks(language);
    }
    void prewarm() override { warm_up_.run(); }
    [[nodiscard]] std::unique_ptr<SttUtterance> start(const SttConfig& config, SttListener listener) override;

private:
    HttpClient& client_;
    std::unique_ptr<SttDialect> dialect_;
    WarmUp warm_up_;
};

}  // namespace agentlocator
