#pragma once
// Chat completions, streamed (OpenAI API reference: Chat). Pure.
//
// Only `content` is spoken; reasoning of any name is counted as progress and dropped. `choices` may be empty (usage and
// Azure's filter chunks). Status 200 is no success: an error may come as an event, and a stream may end with nothing.
#include <nlohmann/json_fwd.hpp>

#include "worker/providers/dialect.hpp"
#include "worker/providers/openai_server.hpp"
#include "worker/providers/tool_assembly.hpp"

namespace agentlocator {

class OpenAiChat final : public LlmDialect {
public:
    explicit OpenAiChat(OpenAiServer server) : server_(std::move(server)) {}

    [[nodiscard]] const ProviderPlace& place() const override { return server_.place; }
    [[nodiscard]] HttpCall request(const LlmRequest& request) const override;
    [[nodiscard]] std::unique_ptr<LlmDecoder> decoder() const override;
    [[nodiscard]] HttpCall warm_up() const override;

private:
    OpenAiServer server_;
};

class OpenAiChatDecoder final : public LlmDecoder {
public:
    explicit OpenAiChatDecoder(ProviderPlace place) : place_(std::move(place)) {}
    void on_event(const SseEvent& event, LlmOutput& out) override;
    void on_end(LlmOutput& out) override;

private:
    void read_choice(const nlohmann::json& choice, LlmOutput& out);
    void complete(LlmOutput& out);

    ProviderPlace place_;
    ToolAssembly tools_;
    std::optional<LlmFinish> finish_;
    bool had_text_ = false;
    bool done_ = false;
};

}  // namespace agentlocator
