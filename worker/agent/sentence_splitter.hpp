#pragma once
// A model's stream of text -> sentences for the voice, as early as they are certain. Hebrew and English. Pure.
//
//   text ... end mark, closing quotes, a blank -> a sentence
//            not for 3.5, 10:30, example.com, Dr. , J. , "1. " and the like
//   the first piece may end at a comma after 20 characters, so that the voice begins early
//   a piece that grows beyond the longest is cut at its last pause or blank
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace agentlocator {

struct SplitLimits {
    std::size_t clause_min = 20;     // Code points before a comma may end the first piece; shorter sounds chopped.
    std::size_t sentence_max = 220;  // About 15 s of speech: an interruption should not lose more.
};

class SentenceSplitter {
public:
    explicit SentenceSplitter(SplitLimits limits = {}) : limits_(limits) {}

    void push(std::string_view text) { text_ += text; }  // Whole UTF-8.
    // The next certain sentence, speakable, never empty. Call until nothing.
    [[nodiscard]] std::optional<std::string> next();
    // No more text will come: what is left, sentence by sentence.
    [[nodiscard]] std::optional<std::string> finish();

private:
    [[nodiscard]] std::optional<std::string> take(bool final);
    [[nodiscard]] std::size_t find_end(bool final) const;

    SplitLimits limits_;
    std::string text_;
    bool first_ = true;
};

}  // namespace agentlocator
