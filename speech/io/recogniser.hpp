#pragma once
// English (and a little Hebrew) speech against the possible answers of a question, by pocketsphinx. Optional: where the
// library was not there at build time or the model is not there now, open_recogniser() says so and calls go by keypad.
// One thread. A decoder holds 6 MB and is kept for the next utterance.
#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "common/result.hpp"
#include "common/speech_message.hpp"

namespace agentlocator::speech {

struct RecogniserOptions {
    // Weight of one phone of the branch that stands for everything outside the grammar, as a power of ten below zero.
    // Smaller numbers reject more, right answers among it (docs/voice-quality.md).
    unsigned rejection = 11;
};

// One utterance. Destroyed: its decoder is free for the next.
class Recognition {
public:
    virtual ~Recognition() = default;
    virtual void audio(std::span<const std::uint8_t> mulaw) = 0;
    // The phrase that what was heard so far is; empty: none yet.
    [[nodiscard]] virtual std::string partial() = 0;
    [[nodiscard]] virtual std::string finish() = 0;
};

class Recogniser {
public:
    virtual ~Recogniser() = default;
    [[nodiscard]] virtual Result<std::unique_ptr<Recognition>> start(const ListenRequest& request) = 0;
};

[[nodiscard]] Result<std::unique_ptr<Recogniser>> open_recogniser(const RecogniserOptions& options);

}  // namespace agentlocator::speech
