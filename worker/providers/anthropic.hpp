#pragma once
// Anthropic Messages, streamed (Anthropic API reference: Messages). Pure. No sampling parameters: the API version we
// name refuses them. Thinking is off, and its blocks are never spoken where a server sends them all the same.
#include <nlohmann/json_fwd.hpp>

#include "common/provider_settings.hpp"
#include "worker/providers/dialect.hpp"
#include "worker/providers/tool_assembly.hpp"

namespace agentlocator {

struct AnthropicServer {
    std::string base_url;
    std::string key;
    std::string version;
    std::string model;
    std::uint32_t max_tokens = 200;
};

class AnthropicMessages final : public LlmDialect {
public:
    explicit AnthropicMessages(AnthropicServer server);
    [[nodiscard]] const ProviderPlace& place() const override { return place_; }
    [[nodiscard]] HttpCall request(const LlmRequest& request) const override;
    [[nodiscard]] std::unique_ptr<LlmDecoder> decoder() const override;
    [[nodiscard]] HttpCall warm_up() const override;

private:
    [[nodiscard]] HttpCall call(std::string_view path) const;
    AnthropicServer server_;
    ProviderPlace place_;
};

class AnthropicDecoder final : public LlmDecoder {
public:
    explicit AnthropicDecoder(ProviderPlace place) : place_(std::move(place)) {}
    void on_event(const SseEvent& event, LlmOutput& out) override;
    void on_end(LlmOutput& out) override;

private:
    void read_start(const nlohmann::json& event, LlmOutput& out);
    void read_delta(const nlohmann::json& event, LlmOutput& out);
    void complete(LlmOutput& out);

    ProviderPlace place_;
    ToolAssembly tools_;
    std::string stop_reason_;
    bool had_text_ = false;
    bool done_ = false;
};

}  // namespace agentlocator
