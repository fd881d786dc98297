#include "common/setting_value.hpp"

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>

#include "common/config.hpp"
#include "common/text.hpp"

namespace agentlocator {
namespace {

bool is_printable(char c) {
    return c > 0x20 && c < 0x7f;
}

bool is_host_character(char c) {
    const char lower = to_lower(c);
    return (lower >= 'a' && lower <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_';
}

bool is_address(const std::string& text) {
    unsigned char bytes[sizeof(in6_addr)];
    // inet_pton reads up to a NUL: text behind one would pass unseen.
    return text.find('\0') == std::string::npos &&
           (::inet_pton(AF_INET, text.c_str(), bytes) == 1 || ::inet_pton(AF_INET6, text.c_str(), bytes) == 1);
}

SettingProblem check_host_and_port(std::string_view authority) {
    if (authority.find('@') != std::string_view::npos) {
        return "holds a user name or password";
    }
    std::string_view host = authority;
    std::optional<std::string_view> port;
    if (authority.starts_with('[')) {  // RFC 3986 3.2.2: an IPv6 address stands in brackets.
        const auto close = authority.find(']');
        if (close == std::string_view::npos || !is_address(std::string(authority.substr(1, close - 1)))) {
            return "the host is not an IPv6 address in brackets";
        }
        const std::string_view rest = authority.substr(close + 1);
        if (!rest.empty() && !rest.starts_with(':')) {
            return "unexpected text after the host";
        }
        host = "ipv6";
        if (!rest.empty()) {
            port = rest.substr(1);
        }
    } else if (const auto colon = authority.find(':'); colon != std::string_view::npos) {
        host = authority.substr(0, colon);
        port = authority.substr(colon + 1);
    }
    if (host.empty()) {
        return "has no host";
    }
    if (!std::all_of(host.begin(), host.end(), is_host_character)) {
        return "the host holds a character that no host name has";
    }
    std::uint64_t number = 0;
    if (port && read_integer(*port, {1, 65535}, number)) {
        return "the port is not a number from 1 to 65535";
    }
    return std::nullopt;
}

}  // namespace

SettingProblem read_integer(std::string_view text, IntegerRange range, std::uint64_t& out) {
    std::uint64_t value = 0;
    const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), value);
    const bool negative = text.starts_with('-') && parse_integer(text).has_value();
    if (!negative && (end != text.data() + text.size() || text.empty())) {
        return "not a number";
    }
    if (negative || code == std::errc::result_out_of_range || value < range.min || value > range.max) {
        return "out of range";
    }
    if (code != std::errc{}) {
        return "not a number";
    }
    out = value;
    return std::nullopt;
}

SettingProblem read_seconds(std::string_view text, std::chrono::milliseconds min, std::chrono::milliseconds max,
                            std::chrono::milliseconds& out) {
    const std::size_t point = text.find('.');
    std::string decimals(point == std::string_view::npos ? "" : text.substr(point + 1));
    if (decimals.size() > 3 || (point != std::string_view::npos && decimals.empty())) {
        return "not a number of seconds";
    }
    decimals.resize(3, '0');
    std::uint64_t whole = 0;
    std::uint64_t thousandths = 0;
    if (read_integer(text.substr(0, point), {0, 1'000'000}, whole) || read_integer(decimals, {0, 999}, thousandths)) {
        return "not a number of seconds";
    }
    const std::chrono::milliseconds value(whole * 1000 + thousandths);
    if (value < min || value > max) {
        return "out of range";
    }
    out = value;
    return std::nullopt;
}

std::string seconds_text(std::chrono::milliseconds duration) {
    std::string text = std::to_string(duration.count() / 1000);
    if (const auto rest = duration.count() % 1000; rest != 0) {
        text += '.' + std::to_string(1000 + rest).substr(1);
        text.erase(text.find_last_not_of('0') + 1);
    }
    return text;
}

SettingProblem read_boolean(std::string_view text, bool& out) {
    for (const std::string_view word : {"1", "true", "yes", "on"}) {
        if (equal_no_case(text, word)) {
            out = true;
            return std::nullopt;
        }
    }
    for (const std::string_view word : {"0", "false", "no", "off"}) {
        if (equal_no_case(text, word)) {
            out = false;
            return std::nullopt;
        }
    }
    return "neither true nor false";
}

SettingProblem read_base_url(std::string_view text, std::string& out) {
    const auto mark = text.find("://");
    if (mark == std::string_view::npos) {
        return "has no scheme, write https:// before the host";
    }
    const std::string_view scheme = text.substr(0, mark);
    if (!equal_no_case(scheme, "https") && !equal_no_case(scheme, "http")) {
        return "the scheme is neither https nor http";
    }
    if (!std::all_of(text.begin(), text.end(), is_printable)) {
        return "holds a blank, a control character or a letter that is not ASCII";
    }
    // RFC 3986 3.4, 3.5. Every URL of ours is made by appending a path, so nothing may follow the path here.
    if (text.find('?') != std::string_view::npos) {
        return "holds a query";
    }
    if (text.find('#') != std::string_view::npos) {
        return "holds a fragment";
    }
    std::string_view rest = text.substr(mark + 3);
    while (rest.ends_with('/')) {
        rest.remove_suffix(1);
    }
    const auto slash = rest.find('/');
    if (auto problem = check_host_and_port(rest.substr(0, slash))) {
        return problem;
    }
    if (rest.find("//") != std::string_view::npos) {
        return "holds // in its path";
    }
    out = equal_no_case(scheme, "https") ? "https://" : "http://";
    out += rest;
    return std::nullopt;
}

SettingProblem read_address(std::string_view text, std::string& out) {
    std::string copy(text);
    if (!is_address(copy)) {
        return "not a numeric address";
    }
    out = std::move(copy);
    return std::nullopt;
}

SettingProblem read_address_list(std::string_view text, std::vector<std::string>& out) {
    std::vector<std::string> addresses;
    if (!equal_no_case(text, "none")) {
        for (const std::string_view part : split(text, ',')) {
            std::string address;
            if (equal_no_case(trim(part), private_networks)) {
                address = private_networks;
            } else if (read_address(trim(part), address)) {
                return "\"" + std::string(trim(part)) + "\" is neither a numeric address nor the word private";
            }
            addresses.push_back(std::move(address));
        }
    }
    if (addresses.size() > trusted_proxies_max) {
        return "more than " + std::to_string(trusted_proxies_max) + " addresses";
    }
    out = std::move(addresses);
    return std::nullopt;
}

SettingProblem read_path(std::string_view text, std::string_view root, std::string& out) {
    if (std::any_of(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < 0x20; })) {
        return "holds a control character";
    }
    if (text.starts_with('~')) {
        return "~ is known to shells only, write the whole path";
    }
    if (text.starts_with('/')) {
        out = text;
    } else if (!root.starts_with('/')) {
        return "not an absolute path";
    } else {
        if (text.starts_with("./")) {
            text.remove_prefix(2);
        }
        out = std::string(root) + "/" + std::string(text);
    }
    while (out.size() > 1 && out.ends_with('/')) {
        out.pop_back();
    }
    return std::nullopt;
}

SettingProblem read_token(std::string_view text, std::string& out) {
    if (!std::all_of(text.begin(), text.end(), is_printable)) {
        return "holds a blank, a control character or a letter that is not ASCII";
    }
    out = text;
    return std::nullopt;
}

}  // namespace agentlocator
