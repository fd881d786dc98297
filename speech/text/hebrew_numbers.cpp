#include "speech/text/hebrew_numbers.hpp"

#include <array>
#include <vector>

#include "common/ensure.hpp"
#include "speech/text/hebrew_letters.hpp"

namespace agentlocator::speech {
namespace {

using Words = std::array<std::u32string_view, 11>;

constexpr Words feminine{U"אֶפֶס", U"אַחַת", U"שְׁתַּיִם", U"שָׁלוֹשׁ", U"אַ֫רְבַּע", U"חָמֵשׁ", U"שֵׁשׁ", U"שֶׁבַע", U"שְׁמוֹנֶה", U"תֵּשַׁע", U"עֶשֶׂר"};
constexpr Words masculine{U"אֶפֶס", U"אֶחָד",  U"שְׁנַיִם",  U"שְׁלוֹשָׁה", U"אַרְבָּעָה", U"חֲמִשָּׁה",
                          U"שִׁשָּׁה", U"שִׁבְעָה", U"שְׁמוֹנָה", U"תִּשְׁעָה",  U"עֲשָׂרָה"};
// Before "ten" in 11-19 (from 1), and before "thousands" (from 3).
constexpr Words feminine_teens{U"", U"אַחַת", U"שְׁתֵּים", U"שְׁלוֹשׁ", U"אַרְבַּע", U"חֲמֵשׁ", U"שֵׁשׁ", U"שְׁבַע", U"שְׁמוֹנֶה", U"תְּשַׁע", U""};
constexpr Words masculine_teens{U"",    U"אַחַד",  U"שְׁנֵים",  U"שְׁלוֹשָׁה", U"אַרְבָּעָה", U"חֲמִשָּׁה",
                                U"שִׁשָּׁה", U"שִׁבְעָה", U"שְׁמוֹנָה", U"תִּשְׁעָה",  U""};
constexpr Words masculine_construct{U"",    U"",     U"שְׁנֵי",   U"שְׁלֹשֶׁת", U"אַרְבַּ֫עַת", U"חֲמֵשֶׁת",
                                    U"שֵׁשֶׁת", U"שִׁבְעַת", U"שְׁמוֹנַת", U"תִּשְׁעַת", U"עֲשֶׂרֶת"};
constexpr std::array<std::u32string_view, 10> tens{U"",      U"",     U"עֶשְׂרִים", U"שְׁלוֹשִׁים", U"אַרְבָּעִים",
                                                   U"חֲמִשִּׁים", U"שִׁשִּׁים", U"שִׁבְעִים", U"שְׁמוֹנִים", U"תִּשְׁעִים"};
constexpr std::array<std::u32string_view, 13> months{U"",        U"יָנוּאָר",  U"פֶבְּרוּאָר", U"מֶרְץ",    U"אַפְּרִיל",
                                                     U"מַאי",     U"יוּנִי",   U"יוּלִי",   U"אוֹגוּסְט", U"סֶפְּטֶמְבֶּר",
                                                     U"אוֹקְטוֹבֶּר", U"נוֹבֶמְבֶּר", U"דֶּצֶמְבֶּר"};

// Parts of a number, largest first; Hebrew puts "and" before the last.
using Parts = std::vector<std::u32string>;

void add_below_hundred(Parts& parts, std::uint64_t number, NumberForm form) {
    const bool is_feminine = form.gender == Gender::feminine;
    const Words& units = is_feminine ? feminine : masculine;
    if (number == 2 && form.before_noun && parts.empty()) {
        parts.emplace_back(is_feminine ? U"שְׁתֵּי" : U"שְׁנֵי");
    } else if (number <= 10) {
        parts.emplace_back(units.at(number));
    } else if (number < 20) {
        parts.emplace_back(std::u32string((is_feminine ? feminine_teens : masculine_teens).at(number - 10)) +
                           (is_feminine ? U" עֶשְׂרֵה" : U" עָשָׂר"));
    } else {
        parts.emplace_back(tens.at(number / 10));
        if (number % 10 != 0) {
            parts.emplace_back(units.at(number % 10));
        }
    }
}

void add_below_thousand(Parts& parts, std::uint64_t number, NumberForm form) {
    const std::uint64_t hundreds = number / 100;
    if (hundreds == 1) {
        parts.emplace_back(U"מֵאָה");
    } else if (hundreds == 2) {
        parts.emplace_back(U"מָאתַיִם");
    } else if (hundreds > 2) {
        parts.emplace_back(std::u32string(feminine_teens.at(hundreds)) + U" מֵאוֹת");
    }
    if (number % 100 != 0) {
        add_below_hundred(parts, number % 100, form);
    }
}

std::u32string joined(const Parts& parts) {
    std::u32string text;
    for (std::size_t i = 0; i < parts.size(); ++i) {
        const bool last = i + 1 == parts.size() && i > 0;
        text += (i == 0 ? U"" : U" ") + (last ? with_prefix(U'ו', parts[i]) : parts[i]);
    }
    return text;
}

void add_thousands(Parts& parts, std::uint64_t thousands) {
    if (thousands == 1) {
        parts.emplace_back(U"אֶלֶף");
    } else if (thousands == 2) {
        parts.emplace_back(U"אַלְפַּיִם");
    } else if (thousands <= 10) {
        parts.emplace_back(std::u32string(masculine_construct.at(thousands)) + U" אֲלָפִים");
    } else {
        Parts count;
        add_below_thousand(count, thousands, {Gender::masculine, false});
        parts.emplace_back(joined(count) + U" אֶלֶף");
    }
}

void add_millions(Parts& parts, std::uint64_t count, std::u32string_view name) {
    if (count == 1) {
        parts.emplace_back(name);
        return;
    }
    Parts words;
    add_below_thousand(words, count, {Gender::masculine, true});
    parts.emplace_back(joined(words) + U" " + std::u32string(name));
}

}  // namespace

std::u32string with_prefix(char32_t prefix, std::u32string_view words) {
    const HebrewWord word = to_hebrew_word(words.substr(0, words.find(U' ')));
    const char32_t vowel = word.empty() ? 0 : word.front().vowel;
    const auto begins_with = [&](std::u32string_view letters) {
        return !word.empty() && letters.find(word.front().base) != std::u32string_view::npos;
    };
    const bool begins_with_sheva = vowel == niqqud::sheva;
    const bool begins_with_hataf_patah = vowel == niqqud::hataf_patah;
    std::u32string text(1, prefix);
    switch (prefix) {
        case U'ו':
            if (begins_with_sheva || begins_with(U"במפ")) {
                text += U"\u05BC";  // Shuruk: uStajim.
            } else {
                text += begins_with_hataf_patah ? niqqud::patah : niqqud::sheva;
            }
            break;
        case U'ב':
        case U'כ':
            text += U"\u05BC";
            [[fallthrough]];
        case U'ל':
            text += begins_with_sheva ? niqqud::hiriq : begins_with_hataf_patah ? niqqud::patah : niqqud::sheva;
            break;
        case U'מ':
            text += begins_with(U"אהחער") ? niqqud::tsere : niqqud::hiriq;
            break;
        case U'ש':
            text += niqqud::segol;
            break;
        default:
            text += niqqud::patah;  // The article.
            break;
    }
    std::u32string rest(words);
    if (std::u32string_view(U"ובלכ").find(prefix) != std::u32string_view::npos && begins_with(U"בכפ")) {
        // After a vowel they are soft: בַּיִת, לְבַיִת. The dagesh is among the marks of the first letter.
        std::size_t end = 1;
        while (end < rest.size() && is_hebrew_mark(rest[end])) {
            ++end;
        }
        if (const auto dagesh = rest.find(U'\u05BC'); dagesh < end) {
            rest.erase(dagesh, 1);
        }
    }
    return text + rest;
}

std::u32string hebrew_number(std::uint64_t number, NumberForm form) {
    ENSURE(number <= spoken_number_max);
    if (number == 0) {
        return std::u32string(feminine[0]);
    }
    constexpr std::uint64_t thousand = 1000;
    constexpr std::uint64_t million = thousand * thousand;
    constexpr std::uint64_t milliard = thousand * million;
    Parts parts;
    if (number >= milliard) {
        add_millions(parts, number / milliard, U"מִילְיַארְד");
    }
    if (const std::uint64_t millions = number % milliard / million; millions > 0) {
        add_millions(parts, millions, U"מִילְיוֹן");
    }
    if (const std::uint64_t thousands = number % million / thousand; thousands > 0) {
        add_thousands(parts, thousands);
    }
    add_below_thousand(parts, number % thousand, form);
    return joined(parts);
}

std::u32string hebrew_digits(std::u32string_view digits) {
    std::u32string text;
    for (const char32_t digit : digits) {
        if (digit >= U'0' && digit <= U'9') {
            text += (text.empty() ? U"" : U" ") + std::u32string(feminine.at(digit - U'0'));
        }
    }
    return text;
}

std::u32string hebrew_month(unsigned month) {
    return with_prefix(U'ב', months.at(month));
}

}  // namespace agentlocator::speech
