#pragma once
// What the front ends make of a text and the engine is given: clauses, each with one voice. Plain values.
#include <cstdint>
#include <string>
#include <vector>

#include "common/time.hpp"

namespace agentlocator::speech {

enum class Language : std::uint8_t { hebrew, english };

// As the clause ends: eSpeak lets the voice fall, rise or hover by it, and we pause.
enum class ClauseEnd : std::uint8_t { none, comma, full_stop, question, exclamation };

struct Clause {
    Language language = Language::hebrew;
    std::string text;  // For eSpeak in the language's voice: plain text, or phonemes in [[...]].
    ClauseEnd end = ClauseEnd::none;
    friend bool operator==(const Clause&, const Clause&) = default;
};

// Longer clauses are cut between words: eSpeak's buffer of one clause is bounded, and so is the time in which others
// wait for the engine.
inline constexpr std::size_t clause_words_max = 24;

// Silence behind a clause, as eSpeak itself leaves at a comma (174 ms at 150 words a minute) and twice that at a stop.
[[nodiscard]] constexpr Duration pause_after(ClauseEnd end) {
    switch (end) {
        case ClauseEnd::none:
            return Duration::zero();
        case ClauseEnd::comma:
            return std::chrono::milliseconds(160);
        case ClauseEnd::full_stop:
        case ClauseEnd::question:
        case ClauseEnd::exclamation:
            break;
    }
    return std::chrono::milliseconds(320);
}

}  // namespace agentlocator::speech
