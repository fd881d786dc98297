#pragma once
// Which of the services of this build the settings choose, and in which order they are asked. Pure.
#include <string>
#include <string_view>
#include <vector>

namespace agentlocator {

struct ChainCandidate {
    std::string name;       // As in VOICE_*_CHAIN: "deepgram", "embedded".
    bool embedded = false;  // Needs neither key nor network: last of `auto`.
    std::string missing;    // Why it cannot be used, naming the setting; empty: it can.
};
struct ChosenChain {
    std::vector<std::size_t> entries;  // Indices of the candidates, in the order to ask.
    std::vector<std::string> notes;    // One line each about what was asked for and left out, with the remedy.
};

// `chain`: "auto" or names with commas between. `setting`: its name, for the notes. Candidates: in order of preference.
[[nodiscard]] ChosenChain choose_chain(std::string_view setting, std::string_view chain,
                                       const std::vector<ChainCandidate>& candidates);

}  // namespace agentlocator
