#include "worker/agent/sentence_splitter.hpp"

#include <doctest/doctest.h>

#include <vector>

#include "worker/agent/spoken_text.hpp"

using namespace agentlocator;

namespace {

using Sentences = std::vector<std::string>;

Sentences split_in_pieces(std::string_view text, std::size_t piece, SplitLimits limits) {
    SentenceSplitter splitter(limits);
    Sentences out;
    while (!text.empty()) {
        std::string bytes;
        for (std::size_t i = 0; i < piece && !text.empty(); ++i) {
            append_code_point(bytes, take_code_point(text));
        }
        splitter.push(bytes);
        while (auto sentence = splitter.next()) {
            out.push_back(*sentence);
        }
    }
    while (auto sentence = splitter.finish()) {
        out.push_back(*sentence);
    }
    return out;
}

// The result may not depend on how the model's stream was cut.
Sentences sentences(std::string_view text, SplitLimits limits = {.clause_min = 1000, .sentence_max = 220}) {
    const auto whole = split_in_pieces(text, 100'000, limits);
    for (std::size_t piece = 1; piece < 8; ++piece) {
        CHECK(split_in_pieces(text, piece, limits) == whole);
    }
    return whole;
}

}  // namespace

TEST_CASE("splitter: two sentences in each language") {
    CHECK(sentences("Hello there. How are you?") == Sentences{"Hello there.", "How are you?"});
    CHECK(sentences("שלום לך. מה שלומך היום?") == Sentences{"שלום לך.", "מה שלומך היום?"});
}

TEST_CASE("splitter: decimals, times, addresses and thousands stay whole") {
    CHECK(sentences("It has 3.5 rooms. At 10:30, see www.example.com/a.b for 1,250,000 shekels.") ==
          Sentences{"It has 3.5 rooms.", "At 10:30, see www.example.com/a.b for 1,250,000 shekels."});
    CHECK(sentences("דירת 4.5 חדרים. המחיר 2,300,000 ש\"ח.") == Sentences{"דירת 4.5 חדרים.", "המחיר 2,300,000 ש\"ח."});
}

TEST_CASE("splitter: abbreviations and initials do not end a sentence") {
    CHECK(sentences("Dr. J. Cohen lives on King St. near the park. Call him.") ==
          Sentences{"Dr. J. Cohen lives on King St. near the park.", "Call him."});
    CHECK(sentences("כתבו לת.ד. 123 בחיפה. תודה.") == Sentences{"כתבו לת.ד. 123 בחיפה.", "תודה."});
}

TEST_CASE("splitter: gershayim are part of the word, closing quotes part of the sentence") {
    CHECK(sentences("המשרד בת\"א. צה\"ל רחוק!") == Sentences{"המשרד בת\"א.", "צה\"ל רחוק!"});
    CHECK(sentences("הוא אמר \"בוא מחר.\" ואז הלך.") == Sentences{"הוא אמר \"בוא מחר.\"", "ואז הלך."});
}

TEST_CASE("splitter: runs of marks are one end") {
    CHECK(sentences("Really?! Yes... Fine!") == Sentences{"Really?!", "Yes...", "Fine!"});
}

TEST_CASE("splitter: a list speaks its items, without markup") {
    CHECK(sentences("1. A **flat** in Haifa\n2. A house in `Akko` 🏠\n") ==
          Sentences{"1. A flat in Haifa", "2. A house in Akko"});
}

TEST_CASE("splitter: a number may end a sentence") {
    CHECK(sentences("I have 3. Do you want one?") == Sentences{"I have 3.", "Do you want one?"});
}

TEST_CASE("splitter: the first clause comes early, later ones do not") {
    SentenceSplitter splitter;
    splitter.push("Certainly, I would be glad to help you, and I have three flats, all in Haifa. Which, then");
    CHECK(splitter.next() == "Certainly, I would be glad to help you,");
    CHECK(splitter.next() == "and I have three flats, all in Haifa.");
    CHECK(splitter.next() == std::nullopt);
    CHECK(splitter.finish() == "Which, then");
    CHECK(splitter.finish() == std::nullopt);
}

TEST_CASE("splitter: an end mark at the edge of the stream waits for what follows") {
    SentenceSplitter splitter;
    splitter.push("It costs 3.");
    CHECK(splitter.next() == std::nullopt);
    splitter.push("5 million.");
    CHECK(splitter.next() == std::nullopt);
    splitter.push(" ");
    CHECK(splitter.next() == "It costs 3.5 million.");
}

TEST_CASE("splitter: the longest piece, at the limit and one past it") {
    const SplitLimits limits{.clause_min = 1000, .sentence_max = 30};
    CHECK(sentences(std::string(29, 'a'), limits) == Sentences{std::string(29, 'a')});
    CHECK(sentences(std::string(31, 'a'), limits) == Sentences{std::string(30, 'a'), "a"});
    CHECK(sentences("aaaaaaaaa bbbbbbbbb, ccccccccc ddddddddd", limits) ==
          Sentences{"aaaaaaaaa bbbbbbbbb,", "ccccccccc ddddddddd"});
}

TEST_CASE("splitter: marks and blanks alone say nothing") {
    CHECK(sentences("... !!! \n\n *** ") == Sentences{});
    CHECK(sentences("") == Sentences{});
}

TEST_CASE("spoken text: words to compare are without points, marks and case") {
    CHECK(heard_words("שָׁלוֹם, רוצה דירה בת\"א!") == std::vector<std::string>{"שלום", "רוצה", "דירה", "בתא"});
    CHECK(heard_words("I'd pay 1,250.5 - OK?") == std::vector<std::string>{"id", "pay", "1250.5", "ok"});
    CHECK(heard_words("בית־ספר") == std::vector<std::string>{"בית", "ספר"});
}

TEST_CASE("spoken text: what was heard is whole words") {
    CHECK(heard_part("one two three four", 500, 1000) == "one two");
    CHECK(heard_part("one two three four", 1000, 1000) == "one two three four");
    CHECK(heard_part("one two three four", 0, 1000).empty());
    CHECK(heard_part("one", 500, 1000).empty());
    CHECK(unsaid_part("one two three four", 500, 1000) == "two three four");
    CHECK(unsaid_part("one two three four", 0, 1000) == "one two three four");
    CHECK(unsaid_part("one two three four", 1000, 1000).empty());
}

TEST_CASE("spoken text: malformed UTF-8 is replaced, never read beyond") {
    for (const std::string_view bad : {"\xd7", "\xf0\x9f", "\xff", "\x80", "a\xe2\x82"}) {
        CHECK(count_code_points(speakable(bad)) <= 1);
    }
    CHECK(cut_utf8("שלום", 3) == "ש");
    CHECK(cut_utf8("שלום", 8) == "שלום");
}
