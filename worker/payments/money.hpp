#pragma once
// Amounts: integers in minor units (agorot, cents) everywhere; a decimal text only where a provider's wire format wants
// one. No floating point. Pure.
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace agentlocator {

struct Currency {
    std::string_view code;      // ISO 4217
    unsigned decimals;          // Digits behind the point: its minor unit.
    std::string_view tranzila;  // Tranzila's number for it; empty: not taken there.
};

// Nothing: not taken. Taken is what PayPal takes (PayPal docs: Currency codes), less those that it wants whole although
// they have a minor unit (HUF, TWD): there an amount of ours might have no form.
[[nodiscard]] const Currency* find_currency(std::string_view code);

// PayPal docs, Orders API: at most 9,999,999.99, whatever the currency. A mistake of a factor of a hundred ends here.
inline constexpr std::int64_t payment_amount_max = 999'999'999;
inline constexpr std::int64_t payment_amount_min = 1;

// "123.45"; "123" for a currency without minor unit. `amount` is not negative.
[[nodiscard]] std::string amount_text(std::int64_t amount, const Currency& currency);

// Nothing: not an amount of this currency, or above payment_amount_max. "100", "100.0" and "100.00" are the same.
[[nodiscard]] std::optional<std::int64_t> read_amount(std::string_view text, const Currency& currency);

}  // namespace agentlocator
