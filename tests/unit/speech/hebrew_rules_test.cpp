#include <doctest/doctest.h>

#include "speech/text/front_end.hpp"
#include "speech/text/hebrew_front_end.hpp"
#include "speech/text/hebrew_letters.hpp"
#include "speech/text/hebrew_numbers.hpp"
#include "speech/text/utf8.hpp"

using namespace agentlocator::speech;

namespace {

std::string said(std::u32string_view word) {
    return hebrew_word_phonemes(word);
}

}  // namespace

TEST_CASE("hebrew: the order of a letter's marks does not matter") {
    CHECK(said(U"שּׁ\u05B6לּ\u05B7") == said(U"ש\u05B6\u05C1\u05BCל\u05BC\u05B7"));
    CHECK(said(U"ש\u05C1\u05B8לו\u05B9ם") == "Sal'om");
    CHECK(said(U"ש\u05B8\u05C1לו\u05B9ם") == "Sal'om");
    CHECK(said(unfold_presentation_forms(U"\uFB2A\u05B8ל\uFB4Bם")) == "Sal'om");
}

TEST_CASE("hebrew: letters that are soft or hard, sin and shin, foreign sounds") {
    CHECK(said(U"בַּב") == "b'av");
    CHECK(said(U"כַּךְ") == "k'aX");
    CHECK(said(U"פַּף") == "p'af");
    CHECK(said(U"שַׂשׁ") == "s'aS");
    CHECK(said(U"צַ׳ק") == "tS'ak");
    CHECK(said(U"גָּרָאז׳") == "gaQ\"'aZ");
    CHECK(said(U"גִּ׳ירָפָה") == "dZiQ\"af'a");
}

TEST_CASE("hebrew: he at the end is silent unless it has a dot") {
    CHECK(said(U"דִּירָה") == "diQ\"'a");
    CHECK(said(U"לָהּ") == "l'ah");
}

TEST_CASE("hebrew: vav as consonant, o and u") {
    CHECK(said(U"תִּוּוּךְ") == "tiv'uX");
    CHECK(said(U"מִצְוֹת") == "mitsv'ot");
    CHECK(said(U"וְיוֹם") == "vej'om");
    CHECK(said(U"דְּבָרָיו") == "dvaQ\"'av");
    CHECK(said(U"הוּא") == "h'u");
    CHECK(said(U"קֹוד") == "k'od");  // Holam typed before its vav.
}

TEST_CASE("hebrew: sheva is silent or e") {
    CHECK(said(U"יִשְׁמְרוּ") == "jiSmeQ\"'u");  // The second of two.
    CHECK(said(U"צְלָלִים") == "tslal'im");
    CHECK(said(U"הַלְלוּ") == "halel'u");   // Before the same letter.
    CHECK(said(U"מְחִיר") == "meX'iQ\"");  // Initial mem.
    CHECK(said(U"שְׁאֵלָה") == "Se?el'a");   // Before alef.
    CHECK(said(U"שְׁתַּיִם") == "St'ajim");
    CHECK(said(U"אַתְּ") == "'at");  // At the end.
    CHECK(said(U"וּמְחִיר") == "umeX'iQ\"");
}

TEST_CASE("hebrew: patah under a final guttural is said before it") {
    CHECK(said(U"רוּחַ") == "Q\"'uaX");
    CHECK(said(U"שָׁבוּעַ") == "Sav'ua");
    CHECK(said(U"גָּבוֹהַּ") == "gav'oah");
}

TEST_CASE("hebrew: stress") {
    CHECK(said(U"אֶלֶף") == "'elef");
    CHECK(said(U"בֹּקֶר") == "b'okeQ\"");
    CHECK(said(U"שַׁעַר") == "S'a?aQ\"");
    CHECK(said(U"בַּיִת") == "b'ajit");
    CHECK(said(U"שֶׁלָּכֶם") == "SelaX'em");
    CHECK(said(U"שֶׁלָּנוּ") == "Sel'anu");
    CHECK(said(U"שָׁמַעְתִּי") == "Sam'ati");
    CHECK(said(U"אִשְׁתִּי") == "iSt'i");
    CHECK(said(U"מוֹרֶה") == "moQ\"'e");
    CHECK(said(U"שָׁמַע") == "Sam'a");
    CHECK(said(U"אַ֫רְבַּע") == "'aQ\"ba");  // Marked by the writer.
}

TEST_CASE("hebrew: qamats that is an o") {
    CHECK(said(U"צָהֳרַיִם") == "tsohoQ\"'ajim");
    CHECK(said(U"חׇפְשִׁי") == "XofS'i");
    CHECK(said(U"כָּל") == "kol");
    CHECK(said(U"וְכָל") == "veX'ol");
}

TEST_CASE("hebrew: words without niqqud come from the lexicon, with prefixes") {
    CHECK(said(U"דירה") == said(U"דִּירָה"));
    CHECK(said(U"והדירה") == "vehadiQ\"'a");
    CHECK(said(U"בבית") == said(U"בְּבַיִת"));
    CHECK(said(U"הבית") == said(U"הַבַּיִת"));
    CHECK(said(U"ש\"ח") == said(U"שְׁקָלִים"));
    CHECK(said(U"רח'") == said(U"רְחוֹב"));
    CHECK(said(U"וכל") == "veX'ol");
}

TEST_CASE("hebrew: any letters at all give some sound, and nothing else does") {
    for (char32_t letter = U'א'; letter <= U'ת'; ++letter) {
        const std::u32string three(3, letter);
        CHECK_FALSE((letter != U'א' && letter != U'ע' && said(three).empty()));
    }
    CHECK(said(U"").empty());
    CHECK(said(U"\u05B8\u05BC").empty());
    CHECK(hebrew_clauses("").empty());
    CHECK(hebrew_clauses(" ... ?! , \n").empty());
    CHECK(hebrew_clauses("\xff\xfe\xd7").empty());
}

TEST_CASE("hebrew: punctuation makes clauses and decides how they end") {
    const auto clauses = hebrew_clauses("שָׁלוֹם, אֵיךְ אֶפְשָׁר לַעֲזוֹר?! תּוֹדָה.");
    REQUIRE(clauses.size() == 3);
    CHECK(clauses[0] == Clause{Language::hebrew, "[[Sal'om]]", ClauseEnd::comma});
    CHECK(clauses[1].text == "[['eX efS'aQ\" la?az'oQ\"]]");
    CHECK(clauses[1].end == ClauseEnd::exclamation);
    CHECK(clauses[2].end == ClauseEnd::full_stop);
}

TEST_CASE("hebrew: a Latin word goes to the English voice, and a Hebrew one to the Hebrew voice") {
    const auto clauses = hebrew_clauses("שלחו WhatsApp עכשיו.");
    REQUIRE(clauses.size() == 3);
    CHECK(clauses[1] == Clause{Language::english, "WhatsApp", ClauseEnd::none});
    CHECK(clauses[2].language == Language::hebrew);
    const auto english = make_clauses("Say שלום, please.", Language::english);
    REQUIRE(english.size() == 3);
    CHECK(english[1].text == "[[Sal'om]]");
    CHECK(english[2].text == "please");
}

TEST_CASE("hebrew: a clause has at most clause_words_max words") {
    std::string text;
    for (std::size_t i = 0; i < clause_words_max; ++i) {
        text += "כן ";
    }
    CHECK(hebrew_clauses(text).size() == 1);
    CHECK(hebrew_clauses(text + "כן").size() == 2);
}

TEST_CASE("hebrew: the largest number that is said, and one more that is read digit by digit") {
    CHECK_FALSE(hebrew_number(spoken_number_max).empty());
    const auto largest = hebrew_clauses("999999999999");
    const auto larger = hebrew_clauses("1000000000000");
    REQUIRE_FALSE(largest.empty());
    REQUIRE_FALSE(larger.empty());
    CHECK(largest[0].text.find("milj'aQ\"d") != std::string::npos);
    CHECK(larger[0].text.starts_with("[[aX'at 'efes 'efes"));
    CHECK_FALSE(hebrew_clauses(std::string(4000, '9')).empty());
}

TEST_CASE("english: telephone numbers, sheqels and abbreviations") {
    const auto clauses = make_clauses("Dr. Smith, call 052-1234567 or pay ₪1,250.", Language::english);
    REQUIRE(clauses.size() == 4);
    CHECK(clauses[0].text == "Dr. Smith");
    CHECK(clauses[1].text == "call 0 5 2");
    CHECK(clauses[2].text == "1 2 3");
    CHECK(clauses[3].text == "4 5 6 7 or pay 1,250 shekels");
}

TEST_CASE("utf8: every code point survives, broken bytes become one replacement each") {
    for (const char32_t code : {U'a', U'\u05D0', U'\uFFFD', U'\U0001F600', char32_t{0x10FFFF}}) {
        CHECK(decode_utf8(encode_utf8(std::u32string(1, code))) == std::u32string(1, code));
    }
    CHECK(decode_utf8("a\xC0\xAF\xED\xA0\x80z") == U"a\uFFFD\uFFFD\uFFFD\uFFFD\uFFFDz");
}
