#include "store/phone.hpp"

#include <algorithm>
#include <array>

namespace agentlocator {
namespace {

// Twilio's callers without a number, spelled on a keypad: ANONYMOUS, RESTRICTED, BLOCKED, UNKNOWN, UNAVAILABLE
// (Twilio docs: "Why am I getting calls from these strange numbers?").
constexpr std::array<std::string_view, 5> withheld{"266696687", "7378742833", "2562533", "8656696", "86282452253"};

bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

// What people put between digits.
bool is_filler(char c) {
    return c == ' ' || c == '-' || c == '.' || c == '(' || c == ')' || c == '/' || c == '\t';
}

// A national Israeli number without its leading 0: landlines and services have 8 digits, mobile and 07x numbers 9.
bool is_israeli_national(std::string_view digits) {
    if (digits.size() == 9) {
        return digits[0] == '5' || digits[0] == '7';
    }
    return digits.size() == 8 &&
           (digits[0] == '2' || digits[0] == '3' || digits[0] == '4' || digits[0] == '8' || digits[0] == '9');
}

std::optional<std::string> international(std::string_view digits) {
    if (digits.starts_with("972")) {
        std::string_view national = digits.substr(3);
        if (national.starts_with('0')) {  // "+972 (0)50": the trunk 0 written along.
            national.remove_prefix(1);
        }
        return is_israeli_national(national) ? std::optional("+972" + std::string(national)) : std::nullopt;
    }
    const bool length_ok = digits.size() >= phone_digits_min && digits.size() <= phone_digits_max;
    if (!length_ok || digits[0] == '0' || std::find(withheld.begin(), withheld.end(), digits) != withheld.end()) {
        return std::nullopt;
    }
    return "+" + std::string(digits);
}

}  // namespace

std::optional<std::string> normal_phone(std::string_view text) {
    const auto drop_prefix = [&](std::string_view prefix) {
        if (text.starts_with(prefix)) {
            text.remove_prefix(prefix.size());
        }
    };
    drop_prefix("whatsapp:");
    drop_prefix("tel:");
    // A WhatsApp address: "<digits>[:device]@s.whatsapp.net". Other kinds (@lid, @g.us) name no telephone.
    bool plus = false;
    if (const auto at = text.find('@'); at != std::string_view::npos) {
        if (text.substr(at) != "@s.whatsapp.net" && text.substr(at) != "@c.us") {
            return std::nullopt;
        }
        text = text.substr(0, at);
        text = text.substr(0, text.find(':'));
        plus = true;
    }
    std::string digits;
    for (const char c : text) {
        if (c == '+' && digits.empty() && !plus) {
            plus = true;
        } else if (is_digit(c)) {
            digits.push_back(c);
        } else if (!is_filler(c)) {
            return std::nullopt;
        }
    }
    if (!plus && digits.starts_with("00")) {
        digits.erase(0, 2);
        plus = true;
    }
    if (digits.empty()) {
        return std::nullopt;
    }
    if (plus) {
        return international(digits);
    }
    if (digits[0] == '0') {
        const std::string_view national = std::string_view(digits).substr(1);
        return is_israeli_national(national) ? std::optional("+972" + std::string(national)) : std::nullopt;
    }
    if (digits.size() == 9 && is_israeli_national(digits)) {
        return "+972" + digits;
    }
    // Without a plus, ten digits and fewer may be anything; more can only be international (WaId, old tables).
    return digits.size() > 10 ? international(digits) : std::nullopt;
}

}  // namespace agentlocator
