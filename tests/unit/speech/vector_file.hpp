#pragma once
// Test vectors of pronunciation: tab-separated files under vectors/, and how far a pronunciation is from one.
#include <fstream>
#include <string>
#include <string_view>
#include <vector>

#include "common/text.hpp"
#include "speech/text/clause.hpp"

namespace agentlocator::speech {

using Row = std::vector<std::string>;

// Lines beginning with # are comments.
inline std::vector<Row> read_vectors(const std::string& name) {
    std::ifstream file(std::string(AGENTLOCATOR_SOURCE_DIR) + "/tests/unit/speech/vectors/" + name);
    std::vector<Row> rows;
    for (std::string line; std::getline(file, line);) {
        if (line.empty() || line.front() == '#') {
            continue;
        }
        Row row;
        for (const std::string_view part : split(line, '\t')) {
            row.emplace_back(part);
        }
        rows.push_back(std::move(row));
    }
    return rows;
}

// The notation of the vectors: no brackets, stress, hiatus or pauses; R for the resh.
inline std::string reduced(const std::vector<Clause>& clauses) {
    std::string text;
    for (const Clause& clause : clauses) {
        text += text.empty() ? "" : " ";
        for (std::size_t i = 0; i < clause.text.size(); ++i) {
            const char c = clause.text[i];
            if (c == 'Q') {
                text += 'R';
                ++i;  // The quotation mark.
            } else if (std::string_view("[]'?").find(c) == std::string_view::npos) {
                text += c;
            }
        }
    }
    return text;
}

struct PhonemeErrors {
    std::size_t errors = 0;
    std::size_t phonemes = 0;

    // Letters stand for phonemes; `ts`, `dZ` and `tS` count as two, which only makes an error dearer.
    void compare(const std::string& expected, const std::string& found) {
        errors += edit_distance(expected, found);
        for (const char c : expected) {
            phonemes += c == ' ' ? 0 : 1;
        }
    }
    [[nodiscard]] double rate() const { return static_cast<double>(errors) / static_cast<double>(phonemes); }
};

}  // namespace agentlocator::speech
