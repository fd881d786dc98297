#include "supervisor/call/url.hpp"

#include <algorithm>

#include "common/text.hpp"

namespace agentlocator::call {

std::string_view Url::path() const {
    return std::string_view(target).substr(0, target.find('?'));
}

bool Url::has_query() const {
    return target.find('?') != std::string::npos;
}

std::optional<Url> parse_url(std::string_view text) {
    text = text.substr(0, text.find('#'));
    const std::size_t colon = text.find("://");
    if (colon == std::string_view::npos || colon == 0) {
        return std::nullopt;
    }
    if (std::any_of(text.begin(), text.end(),
                    [](char c) { return static_cast<unsigned char>(c) <= ' ' || c == '\x7F'; })) {
        return std::nullopt;  // Would split the request line.
    }
    Url url;
    for (const char c : text.substr(0, colon)) {
        url.scheme += to_lower(c);
    }
    std::string_view rest = text.substr(colon + 3);
    const std::size_t end = std::min(rest.find_first_of("/?"), rest.size());
    std::string_view authority = rest.substr(0, end);
    if (const std::size_t at = authority.rfind('@'); at != std::string_view::npos) {
        authority.remove_prefix(at + 1);
    }
    if (authority.empty() || authority.starts_with(':')) {
        return std::nullopt;
    }
    url.authority = authority;
    rest.remove_prefix(end);
    url.target = rest.starts_with('/') ? std::string(rest) : "/" + std::string(rest);
    return url;
}

std::optional<Url> resolve_url(const Url& base, std::string_view reference) {
    reference = trim(reference);
    reference = reference.substr(0, reference.find('#'));
    if (reference.find("://") != std::string_view::npos) {
        return parse_url(reference);
    }
    Url url = base;
    if (reference.empty()) {
        return url;
    }
    const std::string_view path = base.path();
    if (reference.starts_with("//")) {
        return parse_url(base.scheme + ":" + std::string(reference));
    }
    if (reference.starts_with('/')) {
        url.target = reference;
    } else if (reference.starts_with('?')) {
        url.target = std::string(path) + std::string(reference);
    } else {
        url.target = std::string(path.substr(0, path.rfind('/') + 1)) + std::string(reference);
    }
    return parse_url(url.text());  // Checks the bytes.
}

Route route(const Url& dialled, const Url& named) {
    if (dialled.scheme == "http") {
        return {"http://" + dialled.authority, named.authority, named.target};
    }
    const bool clear = named.scheme == "http" || named.scheme == "ws";
    return {(clear ? "http://" : "https://") + named.authority, named.authority, named.target};
}

}  // namespace agentlocator::call
