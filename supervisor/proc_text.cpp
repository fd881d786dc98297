#include "supervisor/proc_text.hpp"

#include <arpa/inet.h>

#include <array>
#include <charconv>
#include <cstring>

#include "common/text.hpp"

namespace agentlocator {
namespace {

std::vector<std::string_view> words(std::string_view line) {
    std::vector<std::string_view> out;
    for (const std::string_view part : split(line, ' ')) {
        if (!trim(part).empty()) {
            out.push_back(trim(part));
        }
    }
    return out;
}

template <class T>
std::optional<T> number(std::string_view text, int base = 10) {
    T value{};
    const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), value, base);
    if (text.empty() || code != std::errc{} || end != text.data() + text.size()) {
        return std::nullopt;
    }
    return value;
}

// The kernel prints an address as 32-bit words of network-order bytes, each read in the machine's own order.
std::optional<std::string> address_text(std::string_view digits) {
    std::array<std::uint32_t, 4> parts{};
    const std::size_t count = digits.size() / 8;
    if (digits.size() % 8 != 0 || (count != 1 && count != 4)) {
        return std::nullopt;
    }
    for (std::size_t i = 0; i < count; ++i) {
        const auto part = number<std::uint32_t>(digits.substr(i * 8, 8), 16);
        if (!part) {
            return std::nullopt;
        }
        parts[i] = *part;
    }
    constexpr std::array<unsigned char, 12> mapped{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};  // RFC 4291 2.5.5.2.
    const bool is_mapped = count == 4 && std::memcmp(parts.data(), mapped.data(), mapped.size()) == 0;
    char text[INET6_ADDRSTRLEN];
    const bool done = count == 1 || is_mapped
                          ? ::inet_ntop(AF_INET, is_mapped ? &parts[3] : parts.data(), text, sizeof text) != nullptr
                          : ::inet_ntop(AF_INET6, parts.data(), text, sizeof text) != nullptr;
    return done ? std::optional<std::string>(text) : std::nullopt;
}

bool takes_every_address(std::string_view address) {
    return address == "0.0.0.0" || address == "::";
}

}  // namespace

std::optional<ProcStat> parse_proc_stat(std::string_view text) {
    // proc(5): "pid (comm) state ppid ..."; comm may hold blanks and brackets, so its end is the last ')'.
    const auto open = text.find('(');
    const auto close = text.rfind(')');
    if (open == std::string_view::npos || close == std::string_view::npos || close < open) {
        return std::nullopt;
    }
    const auto fields = words(text.substr(close + 1));
    constexpr std::size_t state_field = 0;   // Field 3 of stat.
    constexpr std::size_t parent_field = 1;  // Field 4.
    constexpr std::size_t start_field = 19;  // Field 22.
    if (fields.size() <= start_field || fields[state_field].size() != 1) {
        return std::nullopt;
    }
    const auto parent = number<std::int64_t>(fields[parent_field]);
    const auto start = number<std::uint64_t>(fields[start_field]);
    if (!parent || !start) {
        return std::nullopt;
    }
    return ProcStat{std::string(text.substr(open + 1, close - open - 1)), fields[state_field][0], *parent, *start};
}

std::vector<std::string> parse_proc_strings(std::string_view text) {
    std::vector<std::string> out;
    while (!text.empty()) {
        const auto end = text.find('\0');
        out.emplace_back(text.substr(0, end));
        if (end == std::string_view::npos) {
            break;
        }
        text.remove_prefix(end + 1);
    }
    return out;
}

std::string_view strip_deleted(std::string_view link) {
    constexpr std::string_view suffix = " (deleted)";
    return link.ends_with(suffix) ? link.substr(0, link.size() - suffix.size()) : link;
}

std::vector<TcpListener> parse_tcp_listeners(std::string_view text, std::uint16_t port) {
    std::vector<TcpListener> out;
    for (const std::string_view line : split(text, '\n')) {
        const auto fields = words(line);  // sl local remote st tx:rx tr:when retrnsmt uid timeout inode ...
        if (fields.size() < 10 || fields[3] != "0A") {
            continue;
        }
        const auto colon = fields[1].find(':');
        if (colon == std::string_view::npos) {
            continue;
        }
        const auto row_port = number<std::uint16_t>(fields[1].substr(colon + 1), 16);
        const auto address = address_text(fields[1].substr(0, colon));
        const auto uid = number<std::uint32_t>(fields[7]);
        const auto inode = number<std::uint64_t>(fields[9]);
        if (row_port == port && address && uid && inode) {
            out.push_back({*address, port, *uid, *inode});
        }
    }
    return out;
}

bool addresses_conflict(std::string_view a, std::string_view b) {
    // "::" takes IPv4 too unless IPV6_V6ONLY is set, which /proc does not show: the safe answer is yes. "0.0.0.0"
    // leaves IPv6 alone.
    const auto is_v6 = [](std::string_view address) { return address.find(':') != std::string_view::npos; };
    if (a == "::" || b == "::") {
        return true;
    }
    return is_v6(a) == is_v6(b) && (a == b || takes_every_address(a) || takes_every_address(b));
}

std::optional<std::int64_t> parse_flock_holder(std::string_view text, std::uint64_t inode) {
    for (const std::string_view line : split(text, '\n')) {
        const auto fields = words(line);  // "1: FLOCK ADVISORY WRITE 1234 08:01:5678 0 EOF"; "->" marks a waiter.
        if (fields.size() < 6 || fields[1] != "FLOCK") {
            continue;
        }
        const auto colon = fields[5].rfind(':');
        if (colon != std::string_view::npos && number<std::uint64_t>(fields[5].substr(colon + 1)) == inode) {
            return number<std::int64_t>(fields[4]);
        }
    }
    return std::nullopt;
}

std::optional<std::int64_t> parse_boot_time(std::string_view text) {
    for (const std::string_view line : split(text, '\n')) {
        if (line.starts_with("btime ")) {
            return number<std::int64_t>(trim(line.substr(6)));
        }
    }
    return std::nullopt;
}

}  // namespace agentlocator
