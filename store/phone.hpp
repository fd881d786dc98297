#pragma once
// Telephone numbers as keys: one person is one lead, however the number was written. Pure.
//
//   +972 50-123-4567, 0501234567, 501234567, 972501234567, whatsapp:+972..., 972501234567@s.whatsapp.net
//                                                                              -> +972501234567
//   +1 415 555 0123 -> +14155550123: other countries are kept, never turned into Israeli numbers
//   4155550123, 911, "anonymous", Twilio's numbers for withheld callers -> nothing: nobody to be called back
#include <optional>
#include <string>
#include <string_view>

namespace agentlocator {

inline constexpr std::size_t phone_digits_max = 15;  // ITU-T E.164: country code included.
inline constexpr std::size_t phone_digits_min = 7;   // Shorter are service codes of one network.

[[nodiscard]] std::optional<std::string> normal_phone(std::string_view text);

}  // namespace agentlocator
