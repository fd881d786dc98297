#include "worker/providers/io/http_providers.hpp"
#include "worker/providers/provider_limits.hpp"

namespace agentlocator {
namespace {

// How long it may take is the asker's to say: he destroys it.
class FileOperation final : public ProviderOperation, private HttpListener {
public:
    FileOperation(HttpClient& client, const OpenAiTranscription& dialect, HttpCall call, SttListener listener)
        : dialect_(dialect),
          listener_(std::move(listener)),
          transfer_(client.start(std::move(call), *this, document_bytes_max)) {}

private:
    void on_head(const HttpHead& head) override { head_ = head; }
    void on_body(std::string_view bytes) override { document_ += bytes; }  // Bounded by the transfer's limit.
    void on_end(const HttpHead&) override {
        if (head_.status / 100 != 2) {
            return listener_.on_error(http_error(dialect_.place(), head_, document_));
        }
        const SttDialect::Answer answer = dialect_.read(document_);
        if (answer.error) {
            listener_.on_error(*answer.error);
        } else {
            listener_.on_done(answer.text);
        }
    }
    void on_failure(const TransportFailure& failure) override {
        listener_.on_error(transport_error(dialect_.place(), failure));
    }

    const OpenAiTranscription& dialect_;
    const SttListener listener_;
    HttpHead head_;
    std::string document_;
    std::unique_ptr<HttpTransfer> transfer_;  // Last: gone first.
};

}  // namespace

OperationPtr HttpFileTranscriber::start(const SoundFile& file, std::string_view language, SttListener listener) {
    SttConfig config;
    config.language = language;
    return std::make_unique<FileOperation>(client_, dialect_, dialect_.file_request(file, config), std::move(listener));
}

}  // namespace agentlocator
