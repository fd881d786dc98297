#include "worker/payments/money.hpp"

#include <algorithm>

namespace agentlocator {
namespace {

// Tranzila docs: currency of the payment page, 1 and 2 and else the ISO number.
constexpr Currency currencies[] = {
    {"ILS", 2, "1"}, {"USD", 2, "2"}, {"EUR", 2, "978"}, {"GBP", 2, "826"}, {"AUD", 2, ""},
    {"BRL", 2, ""},  {"CAD", 2, ""},  {"CHF", 2, ""},    {"CZK", 2, ""},    {"DKK", 2, ""},
    {"HKD", 2, ""},  {"JPY", 0, ""},  {"MXN", 2, ""},    {"NOK", 2, ""},    {"NZD", 2, ""},
    {"PHP", 2, ""},  {"PLN", 2, ""},  {"SEK", 2, ""},    {"SGD", 2, ""},    {"THB", 2, ""},
};

constexpr std::int64_t unit_of(const Currency& currency) {
    std::int64_t unit = 1;
    for (unsigned i = 0; i < currency.decimals; ++i) {
        unit *= 10;
    }
    return unit;
}

bool digits_only(std::string_view text) {
    return text.find_first_not_of("0123456789") == std::string_view::npos;
}

}  // namespace

const Currency* find_currency(std::string_view code) {
    const auto* found = std::find_if(std::begin(currencies), std::end(currencies),
                                     [&](const Currency& one) { return one.code == code; });
    return found == std::end(currencies) ? nullptr : found;
}

std::string amount_text(std::int64_t amount, const Currency& currency) {
    if (currency.decimals == 0) {
        return std::to_string(amount);
    }
    std::string fraction = std::to_string(amount % unit_of(currency));
    fraction.insert(0, currency.decimals - fraction.size(), '0');
    return std::to_string(amount / unit_of(currency)) + "." + fraction;
}

std::optional<std::int64_t> read_amount(std::string_view text, const Currency& currency) {
    const auto point = text.find('.');
    const std::string_view whole = text.substr(0, point);
    const std::string_view fraction = point == std::string_view::npos ? std::string_view() : text.substr(point + 1);
    const bool shaped = !whole.empty() && digits_only(whole) && digits_only(fraction) &&
                        (point == std::string_view::npos) == fraction.empty();
    if (!shaped || fraction.size() > currency.decimals) {
        return std::nullopt;
    }
    std::int64_t amount = 0;
    for (const char digit :
         std::string(whole) + std::string(fraction) + std::string(currency.decimals - fraction.size(), '0')) {
        amount = amount * 10 + (digit - '0');
        if (amount > payment_amount_max) {
            return std::nullopt;
        }
    }
    return amount;
}

}  // namespace agentlocator
