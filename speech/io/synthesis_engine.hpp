#pragma once
// The synthesiser behind the helper: one clause in, telephone audio out as it is made. An engine is global state in a
// library of its own (eSpeak NG, GPL-3: linked by this process and no other), so there is one, used by one thread.
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>

#include "common/result.hpp"
#include "speech/text/clause.hpp"

namespace agentlocator::speech {

struct VoiceOptions {
    std::string variant = "f3";       // eSpeak's voice variant: f1-f5, m1-m8 and more; empty: the voice itself.
    unsigned words_per_minute = 150;  // For the telephone; eSpeak's own default of 175 is hard to follow there.
};

class SynthesisEngine {
public:
    // mu-law, 8 kHz. False: stop, nobody listens any more.
    using Sink = std::function<bool(std::span<const std::uint8_t>)>;

    virtual ~SynthesisEngine() = default;
    [[nodiscard]] virtual Result<void> speak(const Clause& clause, const Sink& sink) = 0;
};

// An error: this build or this machine has no engine; says what to install.
[[nodiscard]] Result<std::unique_ptr<SynthesisEngine>> open_synthesis_engine(const VoiceOptions& options);

}  // namespace agentlocator::speech
