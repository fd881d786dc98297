#include "worker/agent/io/service_chains.hpp"

#include "common/log_line.hpp"
#include "common/text.hpp"
#include "worker/agent/provider_registry.hpp"

namespace agentlocator {

ServiceChains::ServiceChains(EventLoop& loop, const Settings& settings, const std::string& speech_socket,
                             std::function<void(const ProviderError&)> notice)
    : settings_(settings),
      network_(loop, settings, std::move(notice)),
      speech_(speech_socket.empty() ? nullptr : make_speech_link(loop, speech_socket)) {}

template <class Provider>
ProviderChain<Provider> ServiceChains::build(std::string_view setting, std::string_view chain,
                                             const std::vector<std::string_view>& names, const Make<Provider>& network,
                                             std::unique_ptr<Provider> embedded) {
    std::vector<ChainCandidate> candidates;
    std::vector<std::unique_ptr<Provider>> made;
    for (const std::string_view name : names) {
        std::string why_not;
        made.push_back(network(name, why_not));
        candidates.push_back({std::string(name), false, made.back() ? std::string() : why_not});
    }
    if (embedded) {
        candidates.push_back({"embedded", true, {}});
        made.push_back(std::move(embedded));
    }
    const ChosenChain chosen = choose_chain(setting, chain, candidates);
    notes_.insert(notes_.end(), chosen.notes.begin(), chosen.notes.end());
    ProviderChain<Provider> links;
    std::string order;
    for (const std::size_t index : chosen.entries) {
        links.emplace_back();
        links.back().provider = std::move(made[index]);
        order += (order.empty() ? "" : ",") + candidates[index].name;
    }
    notes_.push_back(log_line("chain_built", {{"setting", setting}, {"order", order.empty() ? "none" : order}}));
    return links;
}

ProviderChain<SttProvider> ServiceChains::stt() {
    return build<SttProvider>(
        "VOICE_STT_CHAIN", settings_.agent.stt_chain, network_stt_names(),
        [&](std::string_view name, std::string& why_not) { return network_.stt(name, why_not); },
        speech_ ? make_embedded_stt(speech_) : nullptr);
}

ProviderChain<FileTranscriber> ServiceChains::file_transcribers() {
    const std::string& setting = settings_.agent.stt_chain;
    std::vector<std::string_view> names = network_stt_names();
    if (!setting.empty() && setting != "auto") {
        names = split(setting, ',');
    }
    ProviderChain<FileTranscriber> links;
    for (const std::string_view name : names) {
        if (auto one = network_.file_transcriber(trim(name))) {
            links.emplace_back();
            links.back().provider = std::move(one);
        }
    }
    return links;
}

ProviderChain<LlmProvider> ServiceChains::llm() {
    return build<LlmProvider>(
        "VOICE_LLM_CHAIN", settings_.agent.llm_chain, network_llm_names(),
        [&](std::string_view name, std::string& why_not) { return network_.llm(name, why_not); }, nullptr);
}

ProviderChain<TtsProvider> ServiceChains::tts() {
    std::unique_ptr<EmbeddedTts> voice = speech_ ? make_embedded_tts(speech_) : nullptr;
    EmbeddedTts* const raw = voice.get();
    auto chain = build<TtsProvider>(
        "VOICE_TTS_CHAIN", settings_.agent.tts_chain, network_tts_names(),
        [&](std::string_view name, std::string& why_not) { return network_.tts(name, why_not); }, std::move(voice));
    for (const auto& link : chain) {
        embedded_voice_ = link.provider.get() == raw ? raw : embedded_voice_;
    }
    return chain;
}

ProviderChain<RealtimeProvider> ServiceChains::realtime() {
    ProviderChain<RealtimeProvider> chain;
    if (settings_.agent.voice_mode != "realtime") {
        return chain;
    }
    std::string why_not = "HEBREW_REALTIME_ENABLED=false";
    std::unique_ptr<RealtimeProvider> provider =
        settings_.hebrew_realtime_enabled ? network_.realtime(why_not) : nullptr;
    if (!provider) {
        notes_.push_back(log_line("realtime_left_out", {{"cause", why_not},
                                                        {"detail", "recogniser, model and voice converse"},
                                                        {"remedy", "set it, or VOICE_MODE=cascade"}}));
        return chain;
    }
    notes_.push_back(log_line("chain_built", {{"setting", "VOICE_MODE"}, {"order", provider->name()}}));
    chain.emplace_back();
    chain.back().provider = std::move(provider);
    return chain;
}

void ServiceChains::prerender(std::string_view language, std::vector<std::string> texts) {
    if (embedded_voice_ != nullptr) {
        embedded_voice_->prerender(language, std::move(texts));
    }
}

}  // namespace agentlocator
