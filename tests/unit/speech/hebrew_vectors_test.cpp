#include <doctest/doctest.h>

#include "speech/text/hebrew_front_end.hpp"
#include "tests/unit/speech/vector_file.hpp"

using namespace agentlocator::speech;

namespace {

PhonemeErrors measure(const std::string& file, std::size_t text_column, std::size_t sound_column) {
    const auto rows = read_vectors(file);
    REQUIRE(rows.size() > 10);
    PhonemeErrors total;
    for (const Row& row : rows) {
        REQUIRE(row.size() > sound_column);
        const std::string found = reduced(hebrew_clauses(row[text_column]));
        if (found != row[sound_column]) {
            MESSAGE(row[text_column] << ": " << found << ", expected " << row[sound_column]);
        }
        total.compare(row[sound_column], found);
    }
    MESSAGE(file << " column " << text_column << ": " << total.errors << " errors in " << total.phonemes
                 << " phonemes, " << 100 * total.rate() << " %");
    return total;
}

}  // namespace

TEST_CASE("hebrew: sentences with niqqud come out with at most 1 % wrong phonemes") {
    const auto total = measure("sentences.tsv", 0, 2);
    CHECK(total.phonemes > 500);
    CHECK(total.rate() <= 0.01);
}

TEST_CASE("hebrew: the same sentences as people write them come out with at most 2 % wrong phonemes") {
    CHECK(measure("sentences.tsv", 1, 2).rate() <= 0.02);  // Their words are in the lexicon.
}

TEST_CASE("hebrew: numbers, money, dates, times and telephone numbers are said as people say them") {
    CHECK(measure("numbers.tsv", 0, 1).rate() <= 0.01);
}

TEST_CASE("hebrew: words that no lexicon knows are guessed, and most of each is right") {
    CHECK(measure("unknown.tsv", 0, 1).rate() <= 0.27);
}
