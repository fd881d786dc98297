// Telephone numbers: one stored form, one spoken form.
#include "worker/agent/dialogue.hpp"

namespace agentlocator {

std::string normalise_phone(std::string_view number) {
    std::string digits;
    bool plus = false;
    for (const char c : number) {
        if (c >= '0' && c <= '9') {
            digits.push_back(c);
        } else if (c == '+' && digits.empty()) {
            plus = true;
        } else if (c != ' ' && c != '-' && c != '(' && c != ')' && c != '.') {
            return {};
        }
    }
    constexpr std::size_t digits_max = 15;  // ITU-T E.164.
    if (digits.starts_with("00")) {
        digits.erase(0, 2);
        plus = true;
    }
    if (plus || (digits.starts_with("972") && digits.size() >= 11)) {
        return digits.size() >= 7 && digits.size() <= digits_max ? "+" + digits : std::string();
    }
    // Israel: nine digits for a land line, ten for a mobile, with the leading 0; or without it.
    if (digits.starts_with('0') && (digits.size() == 9 || digits.size() == 10)) {
        return "+972" + digits.substr(1);
    }
    if (!digits.starts_with('0') && (digits.size() == 8 || digits.size() == 9)) {
        return "+972" + digits;
    }
    return {};
}

std::string spoken_phone(std::string_view number) {
    std::string digits(number);
    if (digits.starts_with("+972")) {
        digits = "0" + digits.substr(4);
    }
    if (digits.size() == 10 && digits.starts_with('0')) {
        return digits.substr(0, 3) + "-" + digits.substr(3, 3) + "-" + digits.substr(6);
    }
    if (digits.size() == 9 && digits.starts_with('0')) {
        return digits.substr(0, 2) + "-" + digits.substr(2, 3) + "-" + digits.substr(5);
    }
    return digits;
}

}  // namespace agentlocator
