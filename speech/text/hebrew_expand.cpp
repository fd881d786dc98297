#include "speech/text/hebrew_expand.hpp"

#include <algorithm>
#include <array>
#include <optional>
#include <vector>

#include "speech/text/hebrew_letters.hpp"
#include "speech/text/hebrew_numbers.hpp"

namespace agentlocator::speech {
namespace {

using View = std::u32string_view;
using Text = std::u32string;

bool is_digit(char32_t code) {
    return code >= U'0' && code <= U'9';
}

bool contains(View set, char32_t code) {
    return set.find(code) != View::npos;
}

struct Currency {
    View sign;
    View one;      // "a shekel"
    View many;     // 2-10
    View of_many;  // 11 and more
    View part;     // "agorot"
};
constexpr std::array currencies{
    Currency{U"₪", U"שֶׁקֶל", U"שְׁקָלִים", U"שֶׁקֶל", U"אֲגוֹרוֹת"},
    Currency{U"$", U"דּוֹלָר", U"דּוֹלָרִים", U"דּוֹלָר", U"סֶנְט"},
    Currency{U"€", U"אֵירוֹ", U"אֵירוֹ", U"אֵירוֹ", U"סֶנְט"},
};

const Currency* currency_of(View text) {
    for (const Currency& currency : currencies) {
        if (text.starts_with(currency.sign)) {
            return &currency;
        }
    }
    return nullptr;
}

// Nouns whose gender their ending does not tell.
constexpr std::array feminine_nouns{View(U"שנים"),  View(U"שנה"),  View(U"שעה"),    View(U"דקה"),    View(U"פעם"),
                                    View(U"פעמים"), View(U"נשים"), View(U"מילים"),  View(U"ערים"),   View(U"עיר"),
                                    View(U"דרך"),   View(U"אבן"),  View(U"חנויות"), View(U"רגליים"), View(U"ידיים")};
constexpr std::array masculine_nouns{
    View(U"חדר"),    View(U"שקל"),     View(U"מטר"),  View(U"יום"),    View(U"חודש"),   View(U"שבוע"),
    View(U"שבועות"), View(U"מקומות"),  View(U"מקום"), View(U"רחובות"), View(U"לילות"),  View(U"מיליון"),
    View(U"אלף"),    View(U"מיליארד"), View(U"אחוז"), View(U"דולר"),   View(U"אירו"),   View(U"קילומטר"),
    View(U"קילו"),   View(U"איש"),     View(U"ילד"),  View(U"חלונות"), View(U"מפתחות"), View(U"ארונות"),
    View(U"דונם"),   View(U"בניין"),   View(U"נכס"),  View(U"סוכן")};

struct Noun {
    bool present = false;
    Gender gender = Gender::feminine;
};

Noun noun_of(View word) {
    if (word.empty()) {
        return {};
    }
    const auto is_in = [word](const auto& list) { return std::find(list.begin(), list.end(), word) != list.end(); };
    if (is_in(masculine_nouns)) {
        return {true, Gender::masculine};
    }
    if (is_in(feminine_nouns) || word.ends_with(U"ות")) {
        return {true, Gender::feminine};
    }
    if (word.size() > 3 && word.ends_with(U"ים")) {
        return {true, Gender::masculine};
    }
    return {};
}

// One run of digits with what stands between them: "12/3/2026", "1,250.50".
struct Run {
    View text;
    std::vector<View> groups;  // The digits.
    Text separators;           // Between the groups.
};

std::optional<std::uint64_t> value_of(View digits) {
    constexpr std::size_t digits_max = 12;
    if (digits.empty() || digits.size() > digits_max) {
        return std::nullopt;
    }
    std::uint64_t value = 0;
    for (const char32_t digit : digits) {
        value = value * 10 + (digit - U'0');
    }
    return value;
}

bool all_separators(const Run& run, View set) {
    return std::all_of(run.separators.begin(), run.separators.end(),
                       [set](char32_t code) { return contains(set, code); });
}

class Expander {
public:
    explicit Expander(View text) : text_(text) {}

    Text expand() {
        while (at_ < text_.size()) {
            if (!expand_here()) {
                out_ += text_[at_++];
            }
        }
        return std::move(out_);
    }

private:
    // What begins at at_, when it is a number of some kind.
    bool expand_here() {
        const View rest = text_.substr(at_);
        const char32_t first = rest.front();
        const bool digit_next = rest.size() > 1 && is_digit(rest[1]);
        if (const Currency* currency = currency_of(rest); currency != nullptr && rest.size() > 1) {
            const std::size_t blank = rest[1] == U' ' ? 1 : 0;
            if (rest.size() > 1 + blank && is_digit(rest[1 + blank])) {
                at_ += 1 + blank;
                const Run run = take_run();
                if (!say_money(run, *currency)) {
                    say_plain(run);
                }
                return true;
            }
            return false;
        }
        if (contains(U"+*#", first) && digit_next) {
            ++at_;
            const Run run = take_run();
            say(first == U'*' ? U"כּוֹכָבִית" : first == U'#' ? U"סֻלָּמִית" : U"פְּלוּס");
            out_ += U' ';
            say_groups(run);
            return true;
        }
        if (!is_digit(first)) {
            return false;
        }
        say_run(take_run());
        return true;
    }

    Run take_run() {
        const std::size_t begin = at_;
        Run run;
        while (at_ < text_.size() && is_digit(text_[at_])) {
            const std::size_t from = at_;
            while (at_ < text_.size() && is_digit(text_[at_])) {
                ++at_;
            }
            run.groups.push_back(text_.substr(from, at_ - from));
            const bool more = at_ + 1 < text_.size() && is_digit(text_[at_ + 1]);
            if (!more || !(contains(U".,:/-\u2011\u2013\u05BE", text_[at_]) || joins_phone(run, from - begin))) {
                break;
            }
            run.separators += contains(U"\u2011\u2013\u05BE", text_[at_]) ? U'-' : text_[at_];
            ++at_;
        }
        run.text = text_.substr(begin, at_ - begin);
        return run;
    }

    // A blank inside a telephone number: "052 123 4567", "+972 52 ...".
    [[nodiscard]] bool joins_phone(const Run& run, std::size_t taken) const {
        const bool international = at_ > taken && run.groups.front().starts_with(U"972");
        return text_[at_] == U' ' && (run.groups.front().starts_with(U"0") || international) &&
               run.groups.front().size() <= 3 && run.groups.size() <= 3;
    }

    void say_run(const Run& run) {
        if (!(say_phone(run) || say_fraction(run) || say_date(run) || say_time(run) || say_counted(run) ||
              say_range(run))) {
            say_plain(run);
        }
    }

    // Leading zero, or groups joined by hyphens that make at least seven digits.
    bool say_phone(const Run& run) {
        std::size_t digits = 0;
        for (const View group : run.groups) {
            digits += group.size();
        }
        const bool one_kind = all_separators(run, U"- ");
        const bool leading_zero = run.groups.front().size() > 1 && run.groups.front().front() == U'0';
        constexpr std::size_t phone_digits_min = 7;
        const bool grouped = run.groups.size() > 1 && digits >= phone_digits_min;
        const bool iso_date =
            run.groups.size() == 3 && run.groups[0].size() == 4 && run.groups[1].size() == 2 && !leading_zero;
        if (!one_kind || iso_date || !(grouped || leading_zero) || (leading_zero && digits < 2)) {
            return false;
        }
        say_groups(run);
        return true;
    }

    // Digit by digit, a pause between groups; a group longer than four is parted, as people read them.
    void say_groups(const Run& run) {
        std::vector<View> parts;
        for (View group : run.groups) {
            constexpr std::size_t whole_max = 4;
            while (group.size() > whole_max) {
                parts.push_back(group.substr(0, 3));
                group.remove_prefix(3);
            }
            parts.push_back(group);
        }
        for (std::size_t i = 0; i < parts.size(); ++i) {
            out_ += i == 0 ? U"" : U", ";
            say(hebrew_digits(parts[i]));
        }
    }

    bool say_date(const Run& run) {
        if (run.groups.size() != 3 || !all_separators(run, U"./-")) {
            return run.groups.size() == 2 && run.separators == U"/" && say_day_month(run.groups[0], run.groups[1]);
        }
        const bool year_first = run.groups[0].size() == 4;
        const View year = run.groups[year_first ? 0 : 2];
        if (year.size() != 4 && year.size() != 2) {
            return false;
        }
        if (!say_day_month(run.groups[year_first ? 2 : 0], run.groups[1])) {
            return false;
        }
        const std::uint64_t number = *value_of(year) + (year.size() == 2 ? 2000 : 0);
        out_ += U' ';
        say(hebrew_number(number));
        return true;
    }

    bool say_day_month(View day_text, View month_text) {
        const auto day = value_of(day_text);
        const auto month = value_of(month_text);
        if (!day || !month || *day < 1 || *day > 31 || *month < 1 || *month > 12 || day_text.size() > 2 ||
            month_text.size() > 2) {
            return false;
        }
        say_prefixed(hebrew_number(*day, {Gender::masculine, false}) + U" " +
                     hebrew_month(static_cast<unsigned>(*month)));
        return true;
    }

    bool say_time(const Run& run) {
        if (run.groups.size() != 2 || run.separators != U":" || run.groups[1].size() != 2 || run.groups[0].size() > 2) {
            return false;
        }
        const auto hour = value_of(run.groups[0]);
        const auto minute = value_of(run.groups[1]);
        if (*hour > 24 || *minute > 59) {
            return false;
        }
        Text words = hebrew_number(*hour);
        if (*minute == 30) {
            words += U" וָחֵ֫צִי";
        } else if (*minute == 15) {
            words += U" וָרֶבַע";
        } else if (*minute != 0) {
            const bool has_own_and = *minute > 20 && *minute % 10 != 0;
            const Text minutes = hebrew_number(*minute);
            words += U' ' + (has_own_and ? minutes : with_prefix(U'ו', minutes));
        }
        say_prefixed(words);
        return true;
    }

    bool say_fraction(const Run& run) {
        const bool in = !out_.empty() &&
                        View(out_).substr(out_.size() - std::min<std::size_t>(2, out_.size())).find(U'ב') != View::npos;
        if (run.separators != U"/" || run.groups.size() != 2 || in) {  // "ב-1/2" is a day.
            return false;
        }
        const View above = run.groups[0];
        const View below = run.groups[1];
        View words;
        if (above == U"1" && below == U"2") {
            words = U"חֵ֫צִי";
        } else if (above == U"1" && below == U"4") {
            words = U"רֶבַע";
        } else if (above == U"3" && below == U"4") {
            words = U"שְׁלוֹשָׁה רְבָעִים";
        } else if (above == U"1" && below == U"3") {
            words = U"שְׁלִישׁ";
        }
        if (words.empty()) {
            return false;
        }
        say_prefixed(Text(words));
        return true;
    }

    // A whole number, with commas or without, or one with a decimal part.
    struct Amount {
        std::uint64_t whole = 0;
        View fraction;
    };
    static std::optional<Amount> amount_of(const Run& run) {
        Text whole;
        View fraction;
        for (std::size_t i = 0; i < run.groups.size(); ++i) {
            const char32_t before = i == 0 ? U',' : run.separators[i - 1];
            if (before == U',' && (i == 0 || run.groups[i].size() == 3)) {
                whole += run.groups[i];
            } else if (before == U'.' && i + 1 == run.groups.size()) {
                fraction = run.groups[i];
            } else {
                return std::nullopt;
            }
        }
        const auto value = value_of(whole);
        return value ? std::optional(Amount{*value, fraction}) : std::nullopt;
    }

    // Money, percent, or a noun behind the number.
    bool say_counted(const Run& run) {
        const auto amount = amount_of(run);
        if (!amount) {
            return false;
        }
        const std::size_t here = at_;
        const std::size_t blank = at_ < text_.size() && text_[at_] == U' ' ? 1 : 0;
        const View behind = text_.substr(std::min(text_.size(), at_ + blank));
        if (const Currency* currency = currency_of(behind)) {
            at_ += blank + 1;
            return say_money(run, *currency);
        }
        if (behind.starts_with(U"ש\"ח") || behind.starts_with(U"ש״ח")) {
            at_ += blank + 3;
            return say_money(run, currencies.front());
        }
        if (behind.starts_with(U"%")) {
            at_ += blank + 1;
            say_prefixed(number_words(*amount, Gender::masculine, true) +
                         (amount->whole <= 10 ? U" אֲחוּזִים" : U" אָחוּז"));
            return true;
        }
        at_ = here;
        if (blank == 0) {
            return false;
        }
        std::size_t end = 0;
        while (end < behind.size() && (is_hebrew_letter(behind[end]) || is_hebrew_mark(behind[end]))) {
            ++end;
        }
        const View written = behind.substr(0, end);
        const Noun noun = noun_of(plain_text(written));
        if (!noun.present) {
            return false;
        }
        if (amount->whole == 1 && amount->fraction.empty()) {
            at_ += blank + end;  // "1 חדר" is said "חדר אחד".
            say_prefixed(Text(written) + (noun.gender == Gender::masculine ? U" אֶחָד" : U" אַחַת"));
            return true;
        }
        say_prefixed(number_words(*amount, noun.gender, true));
        return true;
    }

    bool say_money(const Run& run, const Currency& currency) {
        const auto amount = amount_of(run);
        if (!amount) {
            return false;
        }
        if (amount->whole == 1 && amount->fraction.empty()) {
            say_prefixed(Text(currency.one) + U" אֶחָד");
            return true;
        }
        const auto coins = amount->fraction.size() == 2 ? value_of(amount->fraction) : std::nullopt;
        if (coins) {
            say_prefixed(hebrew_number(amount->whole, {Gender::masculine, true}) + U' ' +
                         Text(amount->whole <= 10 ? currency.many : currency.of_many));
            if (*coins != 0) {
                out_ += U' ' + with_prefix(U'ו', hebrew_number(*coins)) + U' ' + Text(currency.part);
            }
            return true;
        }
        say_prefixed(number_words(*amount, Gender::masculine, true) + U' ' +
                     Text(amount->whole <= 10 && amount->fraction.empty() ? currency.many : currency.of_many));
        return true;
    }

    static Text number_words(const Amount& amount, Gender gender, bool before_noun) {
        if (amount.fraction == U"5") {
            return hebrew_number(amount.whole, {gender, false}) + U" וָחֵ֫צִי";
        }
        if (amount.fraction.empty()) {
            return hebrew_number(amount.whole, {gender, before_noun});
        }
        return hebrew_number(amount.whole) + U" נְקֻדָּה " + hebrew_digits(amount.fraction);
    }

    // "3-4 rooms": both numbers have the noun's gender.
    bool say_range(const Run& run) {
        if (run.groups.size() != 2 || run.separators != U"-") {
            return false;
        }
        const auto from = value_of(run.groups[0]);
        const auto to = value_of(run.groups[1]);
        if (!from || !to) {
            return false;
        }
        const bool blank = at_ < text_.size() && text_[at_] == U' ';
        std::size_t end = at_ + (blank ? 1 : 0);
        const std::size_t begin = end;
        while (end < text_.size() && is_hebrew_letter(text_[end])) {
            ++end;
        }
        const Gender gender = noun_of(text_.substr(begin, end - begin)).gender;
        say_prefixed(hebrew_number(*from, {gender, false}) + U" עַד " + hebrew_number(*to, {gender, false}));
        return true;
    }

    void say_plain(const Run& run) {
        const auto amount = amount_of(run);
        if (amount) {
            say_prefixed(number_words(*amount, Gender::feminine, false));
            return;
        }
        for (std::size_t i = 0; i < run.groups.size(); ++i) {
            out_ += i == 0 ? U"" : U", ";
            const auto value = value_of(run.groups[i]);
            say(value ? hebrew_number(*value) : hebrew_digits(run.groups[i]));
        }
    }

    // Joins prefix letters that stand before the number: "ב-5", "ב5", "ו-3".
    void say_prefixed(const Text& words) {
        Text joined = words;
        std::size_t end = out_.size();
        const bool hyphen = end > 0 && contains(U"-\u05BE\u2011\u2013", out_[end - 1]);
        end -= hyphen ? 1 : 0;
        std::size_t begin = end;
        while (begin > 0 && contains(U"ובלמהכש", out_[begin - 1])) {
            --begin;
        }
        const bool whole_word = begin == 0 || !(is_hebrew_letter(out_[begin - 1]) || is_hebrew_mark(out_[begin - 1]));
        constexpr std::size_t prefixes_max = 3;
        if (end > begin && end - begin <= prefixes_max && whole_word) {
            for (std::size_t i = end; i > begin; --i) {
                joined = with_prefix(out_[i - 1], joined);
            }
            out_.resize(begin);
        }
        say(joined);
    }

    // Words, apart from letters on either side.
    void say(View words) {
        if (!out_.empty() && (is_hebrew_letter(out_.back()) || is_hebrew_mark(out_.back()))) {
            out_ += U' ';
        }
        out_ += words;
        if (at_ < text_.size() && is_hebrew_letter(text_[at_])) {
            out_ += U' ';
        }
    }

    View text_;
    std::size_t at_ = 0;
    Text out_;
};

}  // namespace

Text expand_hebrew(View text) {
    return Expander(text).expand();
}

}  // namespace agentlocator::speech
