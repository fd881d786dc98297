#include "worker/agent/spoken_number.hpp"

#include <doctest/doctest.h>

using namespace agentlocator;

TEST_CASE("spoken number: Hebrew, either gender, with prefixes") {
    struct Case {
        const char* text;
        double value;
    };
    for (const Case& c : {Case{"שלוש", 3},
                          Case{"שלושה חדרים", 3},
                          Case{"ארבע וחצי", 4.5},
                          Case{"אפס", 0},
                          Case{"אחת עשרה", 11},
                          Case{"עשרים ושלוש", 23},
                          Case{"מאה חמישים ושש", 156},
                          Case{"שלוש מאות אלף", 300'000},
                          Case{"אלף", 1000},
                          Case{"אלפיים", 2000},
                          Case{"חמשת אלפים ומאתיים", 5200},
                          Case{"מיליון", 1e6},
                          Case{"מיליון וחצי", 1.5e6},
                          Case{"שני מיליון", 2e6},
                          Case{"שני מיליון וחצי", 2.5e6},
                          Case{"חצי מיליון", 5e5},
                          Case{"שלושת רבעי מיליון", 7.5e5},
                          Case{"מיליון ומאתיים", 1.2e6},
                          Case{"מיליון ושלוש מאות אלף", 1.3e6},
                          Case{"עד שני מיליון שקל", 2e6},
                          Case{"בערך כשבע מאות אלף ש\"ח", 7e5},
                          Case{"2 מיליון ומאתיים", 2.2e6},
                          Case{"2.3 מיליון", 2.3e6},
                          Case{"1,250,000", 1.25e6},
                          Case{"בין מיליון לשני מיליון", 2e6},
                          Case{"שלוש נקודה חמש", 3.5}}) {
        CAPTURE(c.text);
        const auto value = parse_spoken_number(c.text);
        REQUIRE(value);
        CHECK(*value == doctest::Approx(c.value));
    }
}

TEST_CASE("spoken number: English") {
    struct Case {
        const char* text;
        double value;
    };
    for (const Case& c : {Case{"four", 4}, Case{"three and a half rooms", 3.5}, Case{"twenty one", 21},
                          Case{"one hundred and fifty", 150}, Case{"two thousand five hundred", 2500},
                          Case{"a million", 1e6}, Case{"half a million", 5e5}, Case{"two and a half million", 2.5e6},
                          Case{"a million two hundred", 1.2e6}, Case{"between one and two million", 2e6},
                          Case{"three or four", 4}, Case{"up to 4500", 4500}, Case{"350k", 350'000},
                          Case{"one point two million", 1.2e6}, Case{"three point five", 3.5}, Case{"zero", 0}}) {
        CAPTURE(c.text);
        const auto value = parse_spoken_number(c.text);
        REQUIRE(value);
        CHECK(*value == doctest::Approx(c.value));
    }
}

TEST_CASE("spoken number: none in it") {
    for (const char* text : {"", "hello there", "שלום לך", "אני מחפש דירה", "...", "point", "1e9", "inf"}) {
        CAPTURE(text);
        CHECK_FALSE(parse_spoken_number(text));
    }
}

TEST_CASE("spoken digits: one by one, in pairs, as figures") {
    CHECK(parse_spoken_digits("oh five oh one two three four five six seven") == "0501234567");
    CHECK(parse_spoken_digits("אפס חמש שתיים שלוש ארבע חמש") == "052345");
    CHECK(parse_spoken_digits("zero fifty two, twelve") == "05212");
    CHECK(parse_spoken_digits("my number is 050-123-4567") == "0501234567");
    CHECK(parse_spoken_digits("hello").empty());
}

TEST_CASE("thousands have commas") {
    CHECK(with_thousands_commas(0) == "0");
    CHECK(with_thousands_commas(999) == "999");
    CHECK(with_thousands_commas(1000) == "1,000");
    CHECK(with_thousands_commas(-1250000) == "-1,250,000");
}
