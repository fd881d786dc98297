#include "worker/providers/http_call.hpp"

#include <algorithm>

#include "common/text.hpp"

namespace agentlocator {

std::string_view HttpHead::header(std::string_view name) const {
    for (const HttpHeader& entry : headers) {
        if (equal_no_case(entry.name, name)) {
            return entry.value;
        }
    }
    return {};
}

std::string url_encode(std::string_view text) {
    constexpr std::string_view digits = "0123456789ABCDEF";
    std::string out;
    out.reserve(text.size());
    for (const char c : text) {
        const char lower = to_lower(c);
        const bool plain =
            (lower >= 'a' && lower <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_' || c == '~';
        if (plain) {
            out.push_back(c);
            continue;
        }
        const auto byte = static_cast<unsigned char>(c);
        out.push_back('%');
        out.push_back(digits[byte >> 4U]);
        out.push_back(digits[byte & 15U]);
    }
    return out;
}

std::string_view url_origin(std::string_view url) {
    const auto scheme = url.find("://");
    const auto start = scheme == std::string_view::npos ? 0 : scheme + 3;
    return url.substr(0, std::min(url.find_first_of("/?#", start), url.size()));
}

std::string_view url_host(std::string_view url) {
    std::string_view host = url_origin(url);
    if (const auto scheme = host.find("://"); scheme != std::string_view::npos) {
        host.remove_prefix(scheme + 3);
    }
    if (host.starts_with('[')) {
        return host.substr(1, std::min(host.find(']'), host.size()) - 1);
    }
    return host.substr(0, host.find(':'));
}

}  // namespace agentlocator
