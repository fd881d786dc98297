#pragma once
// Which services this build has, and which of them the settings choose. Embedded and network providers list themselves
// here; the agent thread builds its chains from it. Choosing is pure.
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "common/config.hpp"
#include "worker/agent/provider.hpp"

namespace agentlocator {

class EventLoop;

// What a factory may use. All of it outlives the providers made.
struct ProviderContext {
    const Settings& settings;
    EventLoop& loop;
    std::function<void(std::string_view line)> log;
};

template <class Provider>
struct ProviderEntry {
    std::string name;       // As in VOICE_*_CHAIN: "deepgram", "embedded".
    bool embedded = false;  // Needs neither key nor network: last of `auto`.
    // The setting that is missing ("DEEPGRAM_API_KEY"); empty: it can be used.
    std::function<std::string(const Settings&)> missing;
    std::function<std::unique_ptr<Provider>(const ProviderContext&)> make;
};

// In the order of preference.
struct ProviderRegistry {
    std::vector<ProviderEntry<SttProvider>> stt;
    std::vector<ProviderEntry<LlmProvider>> llm;
    std::vector<ProviderEntry<TtsProvider>> tts;
    std::vector<ProviderEntry<RealtimeProvider>> realtime;
};

struct ChosenChain {
    std::vector<std::size_t> entries;  // Indices into the list, in the order to ask.
    std::vector<std::string> notes;    // One line each about what was left out, with the remedy.
};

// `chain`: "auto" or names. `setting`: its name, for the notes. `candidate`: (name, embedded, missing setting).
struct ChainCandidate {
    std::string name;
    bool embedded = false;
    std::string missing;
};
[[nodiscard]] ChosenChain choose_chain(std::string_view setting, std::string_view chain,
                                       const std::vector<ChainCandidate>& candidates);

template <class Provider>
[[nodiscard]] std::vector<ChainCandidate> chain_candidates(const std::vector<ProviderEntry<Provider>>& entries,
                                                           const Settings& settings) {
    std::vector<ChainCandidate> candidates;
    for (const auto& entry : entries) {
        candidates.push_back({entry.name, entry.embedded, entry.missing ? entry.missing(settings) : std::string()});
    }
    return candidates;
}

}  // namespace agentlocator
