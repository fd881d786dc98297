#include "worker/agent/spoken_number.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <map>
#include <vector>

#include "worker/agent/spoken_text.hpp"

namespace agentlocator {
namespace {

enum class Part {
    add,       // A unit or ten: is added.
    hundreds,  // Multiplies what stands before it.
    scale,     // Ends a group: thousand, million.
    plural,    // A scale with its factor inside: two thousand.
    fraction,  // Half, quarter.
    point,
    again,  // Or, to: a new number begins.
};
struct Word {
    Part part;
    double value;
};

const std::map<std::string_view, Word>& vocabulary() {
    using enum Part;
    static const std::map<std::string_view, Word> words = {// Hebrew
                                                           {"אפס", {add, 0}},
                                                           {"אחת", {add, 1}},
                                                           {"אחד", {add, 1}},
                                                           {"שתיים", {add, 2}},
                                                           {"שתים", {add, 2}},
                                                           {"שניים", {add, 2}},
                                                           {"שנים", {add, 2}},
                                                           {"שני", {add, 2}},
                                                           {"שתי", {add, 2}},
                                                           {"שלוש", {add, 3}},
                                                           {"שלושה", {add, 3}},
                                                           {"שלושת", {add, 3}},
                                                           {"ארבע", {add, 4}},
                                                           {"ארבעה", {add, 4}},
                                                           {"ארבעת", {add, 4}},
                                                           {"חמש", {add, 5}},
                                                           {"חמישה", {add, 5}},
                                                           {"חמשה", {add, 5}},
                                                           {"חמשת", {add, 5}},
                                                           {"חמישת", {add, 5}},
                                                           {"שש", {add, 6}},
                                                           {"שישה", {add, 6}},
                                                           {"ששה", {add, 6}},
                                                           {"ששת", {add, 6}},
                                                           {"שישת", {add, 6}},
                                                           {"שבע", {add, 7}},
                                                           {"שבעה", {add, 7}},
                                                           {"שבעת", {add, 7}},
                                                           {"שמונה", {add, 8}},
                                                           {"שמונת", {add, 8}},
                                                           {"תשע", {add, 9}},
                                                           {"תשעה", {add, 9}},
                                                           {"תשעת", {add, 9}},
                                                           {"עשר", {add, 10}},
                                                           {"עשרה", {add, 10}},
                                                           {"עשרת", {add, 10}},
                                                           {"עשרים", {add, 20}},
                                                           {"שלושים", {add, 30}},
                                                           {"ארבעים", {add, 40}},
                                                           {"חמישים", {add, 50}},
                                                           {"חמשים", {add, 50}},
                                                           {"שישים", {add, 60}},
                                                           {"ששים", {add, 60}},
                                                           {"שבעים", {add, 70}},
                                                           {"שמונים", {add, 80}},
                                                           {"תשעים", {add, 90}},
                                                           {"מאה", {add, 100}},
                                                           {"מאתיים", {add, 200}},
                                                           {"מאתים", {add, 200}},
                                                           {"מאות", {hundreds, 100}},
                                                           {"אלף", {scale, 1e3}},
                                                           {"אלפים", {scale, 1e3}},
                                                           {"אלפיים", {plural, 2e3}},
                                                           {"מיליון", {scale, 1e6}},
                                                           {"מליון", {scale, 1e6}},
                                                           {"מיליונים", {scale, 1e6}},
                                                           {"מיל", {scale, 1e6}},
                                                           {"חצי", {fraction, 0.5}},
                                                           {"רבע", {fraction, 0.25}},
                                                           {"רבעי", {fraction, 0.25}},
                                                           {"נקודה", {point, 0}},
                                                           {"או", {again, 0}},
                                                           {"עד", {again, 0}},
                                                           // English
                                                           {"zero", {add, 0}},
                                                           {"oh", {add, 0}},
                                                           {"one", {add, 1}},
                                                           {"two", {add, 2}},
                                                           {"three", {add, 3}},
                                                           {"four", {add, 4}},
                                                           {"five", {add, 5}},
                                                           {"six", {add, 6}},
                                                           {"seven", {add, 7}},
                                                           {"eight", {add, 8}},
                                                           {"nine", {add, 9}},
                                                           {"ten", {add, 10}},
                                                           {"eleven", {add, 11}},
                                                           {"twelve", {add, 12}},
                                                           {"thirteen", {add, 13}},
                                                           {"fourteen", {add, 14}},
                                                           {"fifteen", {add, 15}},
                                                           {"sixteen", {add, 16}},
                                                           {"seventeen", {add, 17}},
                                                           {"eighteen", {add, 18}},
                                                           {"nineteen", {add, 19}},
                                                           {"twenty", {add, 20}},
                                                           {"thirty", {add, 30}},
                                                           {"forty", {add, 40}},
                                                           {"fifty", {add, 50}},
                                                           {"sixty", {add, 60}},
                                                           {"seventy", {add, 70}},
                                                           {"eighty", {add, 80}},
                                                           {"ninety", {add, 90}},
                                                           {"hundred", {hundreds, 100}},
                                                           {"thousand", {scale, 1e3}},
                                                           {"k", {scale, 1e3}},
                                                           {"million", {scale, 1e6}},
                                                           {"half", {fraction, 0.5}},
                                                           {"quarter", {fraction, 0.25}},
                                                           {"point", {point, 0}},
                                                           {"or", {again, 0}},
                                                           {"to", {again, 0}}};
    return words;
}

// A Hebrew word carries and, the, to, in, about, from, that as its first letter.
constexpr std::array<std::string_view, 7> prefixes = {"ו", "ה", "ל", "ב", "כ", "מ", "ש"};

struct Found {
    Word word;
    bool joined;  // "and" or "to" stood before it.
};

std::optional<Found> look_up(std::string_view word) {
    bool joined = false;
    for (int depth = 0; depth < 3; ++depth) {
        if (const auto found = vocabulary().find(word); found != vocabulary().end()) {
            return Found{found->second, joined};
        }
        const auto prefix = std::find_if(prefixes.begin(), prefixes.end(),
                                         [&](std::string_view letter) { return word.starts_with(letter); });
        if (prefix == prefixes.end()) {
            break;
        }
        joined = joined || *prefix == "ו" || *prefix == "ל";
        word.remove_prefix(prefix->size());
    }
    return std::nullopt;
}

std::optional<double> read_digits(std::string_view word) {
    double value = 0;
    // from_chars would take "inf" and exponents.
    if (word.empty() || word.find_first_not_of("0123456789.") != std::string_view::npos || word.size() > 12) {
        return std::nullopt;
    }
    const auto [end, code] = std::from_chars(word.data(), word.data() + word.size(), value);
    return code == std::errc{} && end == word.data() + word.size() ? std::optional<double>(value) : std::nullopt;
}

class NumberReader {
public:
    void add(double value) {
        if (decimals_ > 0) {
            group_ += value * decimals_;
            decimals_ /= 10;
            seen_ = true;
            return;
        }
        group_ += value;
        last_in_group_ = true;
        seen_ = true;
    }
    void take(const Found& found) {
        const double value = found.word.value;
        switch (found.word.part) {
            case Part::add:
                add(value);
                break;
            case Part::hundreds:
                group_ = std::max(group_, 1.0) * value;
                last_in_group_ = true;
                seen_ = true;
                break;
            case Part::scale:
                total_ += (group_ > 0 ? group_ : 1.0) * value;
                end_group(value);
                break;
            case Part::plural:
                total_ += value;
                end_group(value / 2);
                break;
            case Part::fraction:
                take_fraction(value);
                break;
            case Part::point:
                decimals_ = seen_ ? 0.1 : 0;
                break;
            case Part::again:
                begin_again();
                break;
        }
    }
    // Another number may follow; this one counts if none does.
    void begin_again() {
        if (seen_) {
            before_ = value();
        }
        total_ = group_ = decimals_ = 0;
        scale_ = 1;
        seen_ = last_in_group_ = false;
    }
    [[nodiscard]] std::optional<double> result() const { return seen_ ? std::optional<double>(value()) : before_; }

private:
    [[nodiscard]] double value() const {
        // "A million two hundred": hundreds of thousands, as prices are said.
        const bool colloquial = scale_ == 1e6 && group_ >= 100 && group_ < 1000;
        return total_ + (colloquial ? group_ * 1000 : group_);
    }
    void end_group(double scale) {
        group_ = decimals_ = 0;
        scale_ = scale;
        last_in_group_ = false;
        seen_ = true;
    }
    void take_fraction(double value) {
        seen_ = true;
        if (value == 0.25 && group_ == 3 && last_in_group_) {
            group_ = 0.75;  // Three quarters.
        } else if (last_in_group_ || total_ == 0) {
            group_ += value;
            last_in_group_ = true;
        } else {
            total_ += value * scale_;
        }
    }

    double total_ = 0;
    double group_ = 0;
    double scale_ = 1;
    double decimals_ = 0;  // Weight of the next digit behind the point.
    bool last_in_group_ = false;
    bool seen_ = false;
    std::optional<double> before_;
};

}  // namespace

std::optional<double> parse_spoken_number(std::string_view text) {
    NumberReader reader;
    bool between = false;
    for (const std::string& word : heard_words(text)) {
        std::string_view digits = word;
        const bool thousands = digits.size() > 1 && digits.back() == 'k';
        if (thousands) {
            digits.remove_suffix(1);
        }
        if (const auto value = read_digits(digits)) {
            reader.add(*value);
            if (thousands) {
                reader.take({{Part::scale, 1e3}, false});
            }
        } else if (const auto found = look_up(word)) {
            if (between && found->joined && found->word.part != Part::fraction) {
                reader.begin_again();
            }
            reader.take(*found);
        } else if (between && word == "and") {
            reader.begin_again();
        } else {
            between = between || word == "between" || word == "בין";
        }
    }
    return reader.result();
}

std::string parse_spoken_digits(std::string_view text) {
    std::string digits;
    double ten = 0;  // "Fifty", waiting for its unit.
    const auto flush = [&] {
        if (ten > 0) {
            digits += std::to_string(static_cast<int>(ten));
            ten = 0;
        }
    };
    for (const std::string& word : heard_words(text)) {
        if (word.find_first_not_of("0123456789") == std::string::npos) {
            flush();
            digits += word;
        } else if (const auto found = look_up(word);
                   found && found->word.part == Part::add && found->word.value < 100) {
            const double value = found->word.value;
            if (value < 10 && value > 0 && ten > 0) {
                digits += std::to_string(static_cast<int>(ten + value));
                ten = 0;
                continue;
            }
            flush();
            if (value >= 20) {
                ten = value;
            } else {
                digits += std::to_string(static_cast<int>(value));
            }
        }
    }
    flush();
    return digits;
}

std::string with_thousands_commas(std::int64_t value) {
    std::string digits = std::to_string(value < 0 ? -value : value);
    for (std::size_t i = digits.size(); i > 3; i -= 3) {
        digits.insert(i - 3, ",");
    }
    return (value < 0 ? "-" : "") + digits;
}

}  // namespace agentlocator
