#include "worker/agent/provider_registry.hpp"

#include <algorithm>

#include "common/text.hpp"

namespace agentlocator {
namespace {

std::string known_names(const std::vector<ChainCandidate>& candidates) {
    std::string names;
    for (const auto& candidate : candidates) {
        names += (names.empty() ? "" : ", ") + candidate.name;
    }
    return names.empty() ? "none in this build" : names;
}

ChosenChain choose_auto(const std::vector<ChainCandidate>& candidates) {
    ChosenChain chosen;
    for (const bool embedded : {false, true}) {
        for (std::size_t i = 0; i < candidates.size(); ++i) {
            if (candidates[i].embedded == embedded && candidates[i].missing.empty()) {
                chosen.entries.push_back(i);
            }
        }
    }
    return chosen;
}

}  // namespace

ChosenChain choose_chain(std::string_view setting, std::string_view chain,
                         const std::vector<ChainCandidate>& candidates) {
    if (chain.empty() || chain == "auto") {
        return choose_auto(candidates);
    }
    ChosenChain chosen;
    for (const std::string_view part : split(chain, ',')) {
        const std::string_view name = trim(part);
        const auto found = std::find_if(candidates.begin(), candidates.end(),
                                        [&](const ChainCandidate& candidate) { return candidate.name == name; });
        const std::string prefix = std::string(setting) + ": " + std::string(name);
        if (found == candidates.end()) {
            chosen.notes.push_back(prefix + " is not a provider; known: " + known_names(candidates));
            continue;
        }
        if (!found->missing.empty()) {
            chosen.notes.push_back(prefix + " is left out: " + found->missing);
            continue;
        }
        const auto index = static_cast<std::size_t>(found - candidates.begin());
        if (std::find(chosen.entries.begin(), chosen.entries.end(), index) == chosen.entries.end()) {
            chosen.entries.push_back(index);
        }
    }
    return chosen;
}

}  // namespace agentlocator
