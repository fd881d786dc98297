#pragma once
// Gemini generateContent, streamed (Gemini API reference: models.streamGenerateContent). Pure. Function calls arrive
// whole; they have names but no ids, so ours are made up and results find their call by the name in the history.
// A call's thoughtSignature has to be sent back; it rides in the id we make up.
#include <nlohmann/json_fwd.hpp>

#include "worker/providers/dialect.hpp"

namespace agentlocator {

struct GeminiServer {
    std::string base_url;  // With the version.
    std::string key;
    std::string model;
    std::uint32_t max_tokens = 200;
    std::string thinking;  // Budget in tokens; "omit".
};

class GeminiContent final : public LlmDialect {
public:
    explicit GeminiContent(GeminiServer server);
    [[nodiscard]] const ProviderPlace& place() const override { return place_; }
    [[nodiscard]] HttpCall request(const LlmRequest& request) const override;
    [[nodiscard]] std::unique_ptr<LlmDecoder> decoder() const override;
    [[nodiscard]] HttpCall warm_up() const override;

private:
    GeminiServer server_;
    ProviderPlace place_;
};

class GeminiDecoder final : public LlmDecoder {
public:
    static constexpr std::size_t calls_max = 8;

    explicit GeminiDecoder(ProviderPlace place) : place_(std::move(place)) {}
    void on_event(const SseEvent& event, LlmOutput& out) override;
    void on_end(LlmOutput& out) override;

private:
    void read_part(const nlohmann::json& part, LlmOutput& out);

    ProviderPlace place_;
    std::string finish_reason_;
    std::size_t calls_ = 0;
    bool had_text_ = false;
};

}  // namespace agentlocator
