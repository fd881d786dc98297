#pragma once
// Makes the chains of services that the settings choose: network providers whose keys are there, then the embedded
// ones, or the order of VOICE_*_CHAIN. One line for each that was asked for and cannot be had.
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "common/config.hpp"
#include "common/io/event_loop.hpp"
#include "worker/agent/agent_services.hpp"
#include "worker/embedded/embedded_providers.hpp"
#include "worker/providers/factory.hpp"

namespace agentlocator {

// Owns what the providers stand on; outlives the chains.
class ServiceChains {
public:
    // `speech_socket`: of the speech helper; empty: no embedded voice and ear. Throws as NetworkProviders does.
    ServiceChains(EventLoop& loop, const Settings& settings, const std::string& speech_socket,
                  std::function<void(const ProviderError&)> notice);

    [[nodiscard]] ProviderChain<SttProvider> stt();
    [[nodiscard]] ProviderChain<LlmProvider> llm();
    [[nodiscard]] ProviderChain<TtsProvider> tts();
    // Of the recognisers in VOICE_STT_CHAIN those that take files, in that order. Says nothing: stt() does.
    [[nodiscard]] ProviderChain<FileTranscriber> file_transcribers();
    [[nodiscard]] HttpClient& client() { return network_.client(); }
    // Empty unless VOICE_MODE=realtime can be had; then why, in the notes.
    [[nodiscard]] ProviderChain<RealtimeProvider> realtime();
    // What was left out, and what the chains are; one line each.
    [[nodiscard]] const std::vector<std::string>& notes() const { return notes_; }
    // Sentences to render before the first call; nothing without the embedded voice in the chain.
    void prerender(std::string_view language, std::vector<std::string> texts);

private:
    template <class Provider>
    using Make = std::function<std::unique_ptr<Provider>(std::string_view name, std::string& why_not)>;
    template <class Provider>
    ProviderChain<Provider> build(std::string_view setting, std::string_view chain,
                                  const std::vector<std::string_view>& names, const Make<Provider>& network,
                                  std::unique_ptr<Provider> embedded);

    const Settings& settings_;
    NetworkProviders network_;
    std::shared_ptr<SpeechLink> speech_;
    EmbeddedTts* embedded_voice_ = nullptr;
    std::vector<std::string> notes_;
};

}  // namespace agentlocator
